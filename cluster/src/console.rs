//! What the terminal shows: news above, and below it a board that is redrawn in place.

use std::{
    io::{self, IsTerminal, Write},
    sync::Mutex,
};

/// Standard output. Without a terminal the board becomes plain lines, written less often by whoever draws it.
#[derive(Debug)]
pub(crate) struct Console {
    redraws: bool,
    // The board on the screen, to be drawn over.
    board: Mutex<Vec<String>>,
}

impl Console {
    /// The process's standard output.
    pub(crate) fn stdout() -> Self {
        Self { redraws: io::stdout().is_terminal(), board: Mutex::default() }
    }

    /// The board stays in its place.
    pub(crate) fn redraws(&self) -> bool {
        self.redraws
    }

    /// Writes news, which stay.
    pub(crate) fn note(&self, news: &str) {
        let board = self.board.lock().expect("nothing panics while it holds the board");
        let mut text = self.over(&board);
        text += news;
        text.push('\n');
        if self.redraws {
            text += &lines(&board);
        }
        print(&text);
    }

    /// Draws the board anew.
    pub(crate) fn draw(&self, board: Vec<String>) {
        let mut shown = self.board.lock().expect("nothing panics while it holds the board");
        print(&(self.over(&shown) + &lines(&board)));
        *shown = board;
    }

    /// What is on the board.
    pub(crate) fn board(&self) -> Vec<String> {
        self.board.lock().expect("nothing panics while it holds the board").clone()
    }

    /// Moves up to the board's first line and clears from there.
    fn over(&self, board: &[String]) -> String {
        if self.redraws && !board.is_empty() { format!("\x1b[{}A\x1b[J", board.len()) } else { String::new() }
    }
}

fn lines(board: &[String]) -> String {
    board.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody reads any more: there is nobody to tell.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
