//! Registers that came before the vector covers them, and what becomes of them when their writer is gone.
//!
//! A part of a span merges at once, and an entry of one origin may be answered with a register of another.
//! Both bring registers whose dots the vector does not cover yet. As a rule the rest of the span follows.
//! It never does where the writer lost its power, and with it a tail that it had not synced but sent: then
//! nobody's vector ever covers those dots, nobody asks for them, and whoever holds them differs from all
//! others for good.
//!
//! So each such register is logged under its own dot, above the vector, where it claims nothing. When for
//! a while no peer is ahead in an origin and none lives in it, what was logged above the vector *enters
//! again*: its place is logged under a new dot of this life, the register stays as it is, and the feeds
//! carry it like any other write. If the origin comes back after all, that was one answer too many.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Delta, PeerView, Replica};
use crate::{
    crdt::{Dot, Key, Monotonic, Now, Origin, ReplicaId, Span, Timestamp, VersionVector},
    store::{Store, StoreError},
    zoo::{Bug, planted},
};

/// The note under which the origins with early registers are kept, since an index is read by origin.
pub(super) const EARLY_NOTE: &str = "early-origins";

/// How long an origin must be without anybody who could complete it. More spares answers where a writer
/// is only cut off; less shortens the time for which replicas differ after a loss.
pub const ENTER_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How many early registers of an origin enter again in one turn; the rest follow with the next timeout.
const ENTER_AGAIN_MAX: usize = 512;

/// How many origins are remembered: 64 KiB of note. Beyond it, what a lost life left behind waits until
/// its place is written again.
const ORIGINS_MAX: usize = 4_096;

/// The origins of which early registers are held.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Since when nobody could complete an origin.
    alone: BTreeMap<Origin, Option<Monotonic>>,
    is_noted: bool,
}

impl Early {
    /// Reads the note of an earlier life.
    pub(super) fn from_note(note: &[u8]) -> Self {
        let (origins, _) = note.as_chunks::<16>();
        let alone = origins.iter().map(|&origin| (Origin::from_bytes(origin), None)).collect();
        Self { alone, is_noted: true }
    }

    /// The note to be written, if the one in the store is of earlier days.
    fn note(&mut self) -> Option<Vec<u8>> {
        if std::mem::replace(&mut self.is_noted, true) {
            return None;
        }
        Some(self.alone.keys().flat_map(Origin::as_bytes).copied().collect())
    }

    /// The origins of which there may be early registers.
    pub(super) fn origins(&self) -> impl Iterator<Item = Origin> + '_ {
        self.alone.keys().copied()
    }

    /// Takes note of an early register.
    fn came(&mut self, origin: Origin) {
        if self.alone.len() < ORIGINS_MAX && !self.alone.contains_key(&origin) {
            self.alone.insert(origin, None);
            self.is_noted = false;
        }
    }

    /// Takes note that no early register of an origin is left.
    fn is_over(&mut self, origin: Origin) {
        if self.alone.remove(&origin).is_some() {
            self.is_noted = false;
        }
    }

    /// The origins whose early registers must enter again.
    pub(super) fn orphans(
        &mut self,
        peers: &BTreeMap<ReplicaId, PeerView>,
        held: &VersionVector,
        now: Monotonic,
    ) -> BTreeSet<Origin> {
        let mut orphans = BTreeSet::new();
        for (&origin, since) in &mut self.alone {
            let completes =
                |peer: &PeerView| peer.origin == origin || peer.is_ahead(origin, held.upto(origin));
            if peers.is_empty() || peers.values().any(completes) {
                *since = None;
            } else if now.since(*since.get_or_insert(now)) >= ENTER_AGAIN_AFTER {
                orphans.insert(origin);
            }
        }
        orphans
    }
}

impl<S: Store> Replica<S> {
    /// Logs a register under its own dot where neither the vector nor the delta it came with covers it.
    pub(super) fn log_early(&mut self, dot: Dot, key: &Key, delta: &Delta) {
        let told = delta.upto.filter(|_| delta.origin == dot.origin).unwrap_or_default();
        let covered = told.max(self.stage.upto(&self.vector, dot.origin));
        if dot.version > covered && !planted(Bug::EarlyForgotten) {
            self.stage.log(dot, key);
            self.early.came(dot.origin);
        }
    }

    /// Stages what is due of early registers.
    pub(super) fn settle_early(&mut self, now: Now) -> Result<(), StoreError> {
        for origin in std::mem::take(&mut self.orphans) {
            self.enter_again(origin, now)?;
        }
        if let Some(note) = self.early.note() {
            self.stage.note(EARLY_NOTE, note);
        }
        Ok(())
    }

    /// Logs what stands of an origin above the vector under new dots of this life.
    ///
    /// The entries above the vector go. Should the origin come back, its spans must be whole without
    /// them, so whoever feeds it begins anew.
    fn enter_again(&mut self, origin: Origin, now: Now) -> Result<(), StoreError> {
        let after = self.stage.upto(&self.vector, origin);
        let span = Span { origin, after, upto: Timestamp::from_u64(u64::MAX) };
        let entries = self.store.changes(span, ENTER_AGAIN_MAX)?;
        if entries.is_empty() {
            self.early.is_over(origin);
            return Ok(());
        }
        for (version, key) in entries {
            let early = Dot { origin, version };
            if self.stage.register(&self.store, &key)?.is_some_and(|it| it.dot == early) {
                let dot = self.next_dot(now.wall);
                self.log_own(dot, &key);
            }
            self.stage.unlog(early);
        }
        for intake in self.intakes.values_mut() {
            intake.begin_anew(origin);
        }
        Ok(())
    }
}
