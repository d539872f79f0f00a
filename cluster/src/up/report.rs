//! What has happened since the start, as a page.

use std::{
    fmt::Write,
    fs,
    sync::{Mutex, MutexGuard},
};

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::Cluster;
use crate::{
    control::{Order, Outcome, Say},
    lab::State,
};

/// Orders that are remembered: an hour of chaos. Beyond it the oldest is forgotten.
const ENTRIES_MAX: usize = 1_000;

/// Lines that are remembered of what was said; beyond it the oldest is forgotten.
const LINES_MAX: usize = 4_000;

/// What was ordered and said.
#[derive(Debug)]
pub(super) struct History {
    began: Instant,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    entries: Vec<Entry>,
    number: usize,
    lines: Vec<(f64, String)>,
}

#[derive(Debug)]
struct Entry {
    number: usize,
    at_s: f64,
    words: String,
    /// How it went and how long it took, once it is over.
    ended: Option<(Outcome, f64)>,
}

impl History {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), told: Mutex::default() }
    }

    /// Notes that an order is being carried out; what is returned names it.
    pub(super) fn begin(&self, order: &Order) -> usize {
        let at_s = self.began.elapsed().as_secs_f64();
        let mut told = self.lock();
        told.number += 1;
        let number = told.number;
        told.entries.push(Entry { number, at_s, words: order.words(), ended: None });
        let excess = told.entries.len().saturating_sub(ENTRIES_MAX);
        told.entries.drain(..excess);
        number
    }

    pub(super) fn end(&self, number: usize, outcome: Outcome) {
        let now_s = self.began.elapsed().as_secs_f64();
        if let Some(entry) = self.lock().entries.iter_mut().find(|entry| entry.number == number) {
            entry.ended = Some((outcome, now_s - entry.at_s));
        }
    }

    pub(super) fn note(&self, text: &str) {
        let at_s = self.began.elapsed().as_secs_f64();
        let mut told = self.lock();
        told.lines.extend(text.lines().map(|line| (at_s, line.to_owned())));
        let excess = told.lines.len().saturating_sub(LINES_MAX);
        told.lines.drain(..excess);
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("nothing panics while it holds what was told")
    }

    /// The orders as a table, and what was said.
    fn page(&self) -> String {
        let told = self.lock();
        let mut page = String::from("## Orders\n\n| at | order | outcome | took |\n|---|---|---|---|\n");
        for Entry { at_s, words, ended, .. } in &told.entries {
            let (outcome, took) = match ended {
                Some((Outcome::Done, took)) => ("done", format!("{took:.1} s")),
                Some((Outcome::Failed, took)) => ("failed", format!("{took:.1} s")),
                None => ("goes on", String::new()),
            };
            let _ = writeln!(page, "| {at_s:.1} s | `{words}` | {outcome} | {took} |");
        }
        page.push_str("\n## What was said\n\n```text\n");
        for (at_s, line) in &told.lines {
            let _ = writeln!(page, "{at_s:>8.1} s  {line}");
        }
        page.push_str("```\n");
        page
    }
}

impl Cluster {
    /// Writes a report beside the data, and says where it is.
    pub(super) async fn report(&self, say: &Say) -> Result<Outcome> {
        let file = self.lab.dir().join("report.md");
        let mut page = format!("# {}\n\n## Now\n\n```text\n", self.topology);
        for line in self.status().await? {
            let _ = writeln!(page, "{line}");
        }
        let figures = serde_json::to_string_pretty(&self.viewers.figures())?;
        let _ = writeln!(page, "```\n\n## Viewers\n\n```json\n{figures}\n```\n");
        let down = self.lab.nodes().into_iter().filter(|(_, state)| !matches!(state, State::Running { .. }));
        for (name, _) in down {
            let _ = writeln!(page, "{name} does not run.\n");
        }
        page.push_str(&self.history.page());
        fs::write(&file, page).with_context(|| file.display().to_string())?;
        self.say(say, format!("report: {}", file.display())).await;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_what_was_ordered_how_it_went_and_what_was_said() {
        let history = History::new();
        let cut = Order::Cut { from: "eu".into(), to: "us".into(), one_way: true };
        let entry = history.begin(&cut);
        history.note("cut eu→us");
        history.end(entry, Outcome::Done);
        history.begin(&Order::Check);
        let page = history.page();
        for wanted in ["`cut eu us --one-way` | done", "`check` | goes on", "cut eu→us"] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let history = History::new();
        for _ in 0..=ENTRIES_MAX {
            history.begin(&Order::Check);
        }
        for _ in 0..=LINES_MAX {
            history.note("a line");
        }
        let told = history.lock();
        assert_eq!((told.entries.len(), told.lines.len()), (ENTRIES_MAX, LINES_MAX));
        assert_eq!(told.entries[0].number, 2);
    }
}
