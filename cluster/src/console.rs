//! What the terminal shows: news above, and below it a board that is redrawn in place.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, MutexGuard},
};

/// Standard output. Without a terminal the board becomes plain lines, written less often.
#[derive(Debug)]
pub(crate) struct Console {
    redraws: bool,
    board: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    // On the screen, to be drawn over.
    lines: Vec<String>,
    drawn: u32,
}

/// Without a terminal, one drawing of so many is written.
const WRITTEN_OF: u32 = 5;

impl Console {
    /// The process's standard output.
    pub(crate) fn stdout() -> Self {
        Self { redraws: io::stdout().is_terminal(), board: Mutex::default() }
    }

    /// Writes news, which stay.
    pub(crate) fn note(&self, news: &str) {
        let shown = self.shown();
        let board = if self.redraws { in_place(&shown.lines) } else { String::new() };
        print(&format!("{}{news}\n{board}", self.over(&shown)));
    }

    /// Draws the board anew.
    pub(crate) fn draw(&self, board: Vec<String>) {
        let mut shown = self.shown();
        if self.redraws {
            print(&(self.over(&shown) + &in_place(&board)));
        } else if shown.drawn.is_multiple_of(WRITTEN_OF) {
            print(&lines(&board));
        }
        shown.drawn += 1;
        shown.lines = board;
    }

    /// What is on the board.
    pub(crate) fn board(&self) -> Vec<String> {
        self.shown().lines.clone()
    }

    /// Moves up to the board's first line and clears from there.
    fn over(&self, shown: &Shown) -> String {
        if self.redraws && !shown.lines.is_empty() {
            format!("\x1b[{}A\x1b[J", shown.lines.len())
        } else {
            String::new()
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.board.lock().expect("nothing panics while it holds the board")
    }
}

fn lines(board: &[String]) -> String {
    board.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// A line that is too long for the screen is cut off at its edge, for a wrapped one would upset the counting.
fn in_place(board: &[String]) -> String {
    format!("\x1b[?7l{}\x1b[?7h", lines(board))
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody reads any more: there is nobody to tell.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
