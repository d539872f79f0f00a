//! What others do: one place for each title, and the last writer wins.
//!
//! They get the same reports at the same moments at the same nodes, are told of each other over the same
//! links, and are given what can be had without an order: the reports of a player that has not played for
//! three seconds are passed over, and at the door no earlier report of the session that stands there takes its
//! place. (Where two nodes meet, only the stamp can decide: a rule for one session and another between two is no
//! order, and does not converge.)

use std::collections::BTreeMap;

use playmark::{
    crdt::{TitleId, WallTime},
    playback::SessionId,
};

/// What decides which of two places is the later one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// The clock of the node it arrived at.
    Arrival,
    /// The clock of the device, when it made the report; what lies in the future counts as of its arrival.
    DeviceClock,
}

/// A report, as far as they look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) session: SessionId,
    pub(super) seq: u32,
    pub(super) position_ms: u64,
    /// The device's wall clock when it made the report.
    pub(super) reported: WallTime,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    stamp: WallTime,
    /// The node that took it, so that two equal stamps are two different ones.
    node: usize,
    seq: u32,
    session: SessionId,
    position_ms: u64,
}

/// One node's places.
#[derive(Debug)]
pub(super) struct Places {
    by: By,
    node: usize,
    entries: BTreeMap<TitleId, Entry>,
}

impl Places {
    pub(super) fn new(by: By, node: usize) -> Self {
        Self { by, node, entries: BTreeMap::new() }
    }

    /// Takes a report in.
    pub(super) fn take(&mut self, title: &TitleId, told: Told, now: WallTime) {
        let stamp = match self.by {
            By::Arrival => now,
            By::DeviceClock => told.reported.min(now),
        };
        let Told { session, seq, position_ms, .. } = told;
        let stands = self.entries.get(title).filter(|stands| stands.session == session);
        if stands.is_none_or(|stands| seq > stands.seq) {
            self.merge(title, Entry { stamp, node: self.node, seq, session, position_ms });
        }
    }

    /// Takes in what another node holds of a title.
    pub(super) fn hear(&mut self, other: &Self, title: &TitleId) {
        if let Some(&entry) = other.entries.get(title) {
            self.merge(title, entry);
        }
    }

    /// Takes in all that another node holds.
    pub(super) fn hear_all(&mut self, other: &Self) {
        for (title, &entry) in &other.entries {
            self.merge(title, entry);
        }
    }

    fn merge(&mut self, title: &TitleId, new: Entry) {
        let stands = self.entries.entry(title.clone()).or_insert(new);
        *stands = new.max(*stands);
    }

    pub(super) fn position_ms(&self, title: &TitleId) -> Option<u64> {
        self.entries.get(title).map(|entry| entry.position_ms)
    }
}
