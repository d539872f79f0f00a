//! What happened, as a hash for machines and as lines for people.

use xxhash_rust::xxh3::Xxh3;

use crate::time::Moment;

/// Collects a run's events.
pub(crate) struct Trace {
    hash: Xxh3,
    events: u64,
    lines: Option<Vec<String>>,
}

/// Whether lines are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Telling {
    /// The hash alone.
    Hash,
    /// Every event in words.
    Lines,
}

impl Trace {
    pub(crate) fn new(telling: Telling) -> Self {
        let lines = (telling == Telling::Lines).then(Vec::new);
        Self { hash: Xxh3::new(), events: 0, lines }
    }

    /// Enters an event: numbers and bytes for the hash, words only if they are wanted.
    pub(crate) fn event(
        &mut self,
        at: Moment,
        numbers: &[u64],
        bytes: &[u8],
        words: impl FnOnce() -> String,
    ) {
        self.events += 1;
        self.hash.update(&at.as_us().to_be_bytes());
        for number in numbers {
            self.hash.update(&number.to_be_bytes());
        }
        self.hash.update(bytes);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{at}  {}", words()));
        }
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn digest(&self) -> u64 {
        self.hash.digest()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
