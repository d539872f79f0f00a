//! What a node counts since its start.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Adds as many as a collection has.
    pub fn add_len(&self, len: usize) {
        self.add(u64::try_from(len).unwrap_or(u64::MAX));
    }

    /// How many so far.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Counters {
    /// Heartbeats that were acknowledged, whether or not they changed anything.
    pub heartbeats: Counter,
    /// Writes turned away because the inbox was full.
    pub turned_away: Counter,
    /// Links closed because their peer broke the replicas' protocol.
    pub misbehaved: Counter,
    /// Frames dropped because a link's queue was full; the vectors bring what was in them.
    pub frames_dropped: Counter,
    /// Comparisons with peers that came to an end.
    pub compared: Counter,
    /// Registers that differed from a peer's with no reason for it, and were mended.
    pub differing: Counter,
    /// Shards whose registers were changed behind the replica's back.
    pub miscounted: Counter,
    /// Frames of a kind that a later build may know.
    pub frames_skipped: Counter,
}
