//! What orders said last, whoever gave them.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

/// Lines that are remembered: what fits under a map. Older ones are forgotten.
const LINES_MAX: usize = 20;

/// The last lines.
#[derive(Debug, Default)]
pub struct Said {
    lines: Mutex<VecDeque<String>>,
    news: Notify,
}

impl Said {
    /// Remembers what was said, a line or several.
    pub fn note(&self, text: &str) {
        let mut lines = self.lock();
        lines.extend(text.lines().map(str::to_owned));
        let excess = lines.len().saturating_sub(LINES_MAX);
        lines.drain(..excess);
        self.news.notify_one();
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Waits until something is said, or has been since the last call.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().expect("nothing panics while it holds the lines")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_remembered_and_no_more() {
        let said = Said::default();
        said.note("first\nsecond");
        for number in 0..LINES_MAX {
            said.note(&number.to_string());
        }
        let lines = said.lines();
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!((lines[0].as_str(), lines[LINES_MAX - 1].as_str()), ("0", "19"));
    }
}
