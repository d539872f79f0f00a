//! Whether a replica knows enough to answer (R18).
//!
//! A replica that was just made, or was away, holds less than its peers do. Its answer would be a place that
//! the viewer has left long ago, or none at all, and what it takes would be dated without what was done
//! meanwhile. So it says that it does not know, until it has **caught up**: until its committed vector covers
//! all that some peer, itself caught up, covered when it first said so over the link that stands. What comes to
//! that peer later is live traffic, which no replica is ever done with.
//!
//! ```text
//!            founds, or nobody is there but itself
//! fresh ───────────────────────────────────────────▶ caught up, for the rest of this life
//!   └─────── has caught up ────────────────────────▶     │ noted with its data, and synced
//! known ──── the same, or meets nobody for 10 s ───▶     │
//!   ▲                                                    │
//!   └──────────────────── its next life ─────────────────┘
//! ```
//!
//! The note makes a replica *known*: it may have missed something while it was away, and still it serves what it
//! has where it meets nobody who could know better, because serving never needs a majority. A fresh one never
//! does: of several that start together one is told to found, and until then all wait. What was refused: to let
//! fresh replicas agree among themselves that there is nothing to know, since one that lost its disk cannot tell
//! that from a beginning; and a vector that has reached each peer's *present* one, which moves on under load.

use std::{collections::BTreeMap, time::Duration};

use super::Status;
use crate::{
    crdt::{Monotonic, Origin, ReplicaId, VersionVector},
    store::{Batch, Durability, Store, StoreError},
    zoo::{Bug, planted},
};

/// The note under which it is kept that a replica has been caught up.
pub(super) const CAUGHT_UP_NOTE: &str = "caught-up";

/// The note's bytes: the number of its format, and nothing more yet. One of a later format says it too.
pub(super) const CAUGHT_UP: [u8; 1] = [1];

/// How long a known replica looks for a peer that is caught up, from its start or from the end of its link
/// with the last such peer: enough for a few dials to the farthest region. More answers less often with what
/// is old; less answers sooner where a node is alone.
pub const ALONE_AFTER: Duration = Duration::from_secs(10);

/// In what way a life begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// There is no other replica: it is caught up by definition.
    Alone,
    /// It begins a replica set: where it is fresh, it is caught up by definition. Once it is known it
    /// joins, so that the order to found may stand in its configuration.
    Founds,
    /// There are others, or there will be.
    Joins,
}

/// Whether a replica knows enough to answer, and if not, what it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// It does.
    CaughtUp,
    /// It is fed what a peer that is caught up has held.
    CatchingUp,
    /// It has been caught up before, and looks for a peer that is.
    Searching,
    /// It is fresh, and has met no peer that is caught up. Where none ever was, somebody must found.
    Unfounded,
}

/// Makes a store one that has never caught up, as one is that was restored: an empty note is none.
pub fn never_caught_up(batch: &mut Batch) {
    batch.notes.insert(CAUGHT_UP_NOTE.to_owned(), Vec::new());
}

impl Readiness {
    /// Whether reads and writes are taken.
    pub const fn is_caught_up(self) -> bool {
        matches!(self, Self::CaughtUp)
    }

    /// The name that operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CaughtUp => "caught-up",
            Self::CatchingUp => "catching-up",
            Self::Searching => "searching",
            Self::Unfounded => "unfounded",
        }
    }
}

/// The way of one life to where it may answer.
#[derive(Debug)]
pub(super) struct CatchUp {
    beginning: Beginning,
    is_over: bool,
    /// That it has been caught up stands in the store.
    is_noted: bool,
    /// What each linked peer that is caught up covered when it first said so.
    targets: BTreeMap<ReplicaId, VersionVector>,
    /// Since when there is no such peer.
    alone_since: Monotonic,
    alone_after: Duration,
}

impl CatchUp {
    /// Begins it, by what an earlier life has noted.
    pub(super) fn begin<S: Store>(
        beginning: Beginning,
        alone_after: Duration,
        store: &S,
        now: Monotonic,
    ) -> Result<Self, StoreError> {
        let is_noted = store.note(CAUGHT_UP_NOTE)?.is_some_and(|note| !note.is_empty());
        let by_definition = match beginning {
            Beginning::Alone => true,
            Beginning::Founds => !is_noted,
            Beginning::Joins => planted(Bug::ServesWhileEmpty) && !is_noted,
        };
        Ok(Self {
            beginning,
            is_over: by_definition,
            is_noted,
            targets: BTreeMap::new(),
            alone_since: now,
            alone_after,
        })
    }

    pub(super) fn readiness(&self) -> Readiness {
        match (self.is_over, self.targets.is_empty(), self.is_noted) {
            (true, _, _) => Readiness::CaughtUp,
            (false, false, _) => Readiness::CatchingUp,
            (false, true, true) => Readiness::Searching,
            (false, true, false) => Readiness::Unfounded,
        }
    }

    /// Takes note of what a peer says of itself. Only its first word over a link counts: a target that moved
    /// with the peer would never be reached under load.
    pub(super) fn heard(&mut self, from: ReplicaId, status: &Status) {
        let is_worth_it = !status.catching_up || planted(Bug::CaughtUpWithAnybody);
        if !self.is_over && is_worth_it {
            self.targets.entry(from).or_insert_with(|| target(status));
        }
    }

    /// Takes note that a link has come, or gone: what was said over an earlier one is void.
    pub(super) fn unlinked(&mut self, peer: ReplicaId, now: Monotonic) {
        if self.targets.remove(&peer).is_some() && self.targets.is_empty() {
            self.alone_since = now;
        }
    }

    /// Whether the note is to be committed, together with what makes the vector cover all that `covers` says:
    /// the replica is caught up once both are.
    pub(super) fn is_to_be_noted(&self, covers: impl Fn(&VersionVector) -> bool, now: Monotonic) -> bool {
        if self.is_over {
            return !self.is_noted;
        }
        let is_alone = self.targets.is_empty() && now.since(self.alone_since) >= self.alone_after;
        (self.is_noted && is_alone) || self.targets.values().any(covers)
    }

    /// How safe the note must be before anybody is answered. A replica that forgot in a power cut that it has
    /// been caught up would wait, or found, where it should ask; where it is alone it does neither.
    pub(super) fn durability_of_note(&self) -> Durability {
        if self.beginning == Beginning::Alone || planted(Bug::CaughtUpUnsynced) {
            Durability::Process
        } else {
            Durability::Synced
        }
    }

    /// Takes note that the note has been committed.
    pub(super) fn noted(&mut self) {
        (self.is_over, self.is_noted) = (true, true);
        self.targets = BTreeMap::new();
    }

    /// When it will give up looking, if it ever does.
    pub(super) fn gives_up_at(&self) -> Option<Monotonic> {
        let looks = self.is_noted && !self.is_over && self.targets.is_empty();
        looks.then(|| self.alone_since.plus(self.alone_after))
    }
}

fn target(status: &Status) -> VersionVector {
    let Status { origin, vector, .. } = status;
    if planted(Bug::CaughtUpWithOneOrigin) {
        let own = |&(&of, _): &(&Origin, &_)| of == *origin;
        return vector.iter().filter(own).map(|(&of, &upto)| (of, upto)).collect();
    }
    vector.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{Timestamp, WallTime},
        store::{Batch, MemoryStore},
    };

    fn peer() -> ReplicaId {
        ReplicaId::from_random(7)
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::since_start(Duration::from_secs(seconds))
    }

    fn holds(version: u64) -> VersionVector {
        let mut vector = VersionVector::default();
        vector.advance(Origin::from_random(1), Timestamp::from_u64(version));
        vector
    }

    fn holding(version: u64) -> impl Fn(&VersionVector) -> bool {
        move |target| holds(version).covers_all(target)
    }

    fn says(version: u64, catching_up: bool) -> Status {
        let (origin, wall) = (Origin::from_random(1), WallTime::from_ms(0));
        Status { origin, vector: holds(version), wall, catching_up, across: BTreeMap::new() }
    }

    fn begins(beginning: Beginning, known: bool) -> CatchUp {
        let mut store = MemoryStore::default();
        if known {
            let notes = [(CAUGHT_UP_NOTE.to_owned(), CAUGHT_UP.to_vec())].into();
            let batch = Batch { notes, ..Batch::default() };
            store.commit(&batch, Durability::Synced).expect("memory can be written");
        }
        CatchUp::begin(beginning, ALONE_AFTER, &store, at(0)).expect("memory can be read")
    }

    #[test]
    fn who_founds_or_is_alone_is_caught_up_at_once_and_founds_but_once() {
        for (beginning, known, readiness) in [
            (Beginning::Alone, false, Readiness::CaughtUp),
            (Beginning::Alone, true, Readiness::CaughtUp),
            (Beginning::Founds, false, Readiness::CaughtUp),
            (Beginning::Founds, true, Readiness::Searching),
            (Beginning::Joins, false, Readiness::Unfounded),
            (Beginning::Joins, true, Readiness::Searching),
        ] {
            assert_eq!(begins(beginning, known).readiness(), readiness, "{beginning:?} {known}");
        }
    }

    #[test]
    fn it_has_caught_up_when_it_covers_what_a_peer_first_said_that_is() {
        let mut fresh = begins(Beginning::Joins, false);
        fresh.heard(peer(), &says(5, true));
        assert_eq!(fresh.readiness(), Readiness::Unfounded, "a peer that knows no more itself is no help");
        assert!(!fresh.is_to_be_noted(holding(9), at(0)));
        fresh.heard(peer(), &says(5, false));
        fresh.heard(peer(), &says(8, false));
        assert_eq!(fresh.readiness(), Readiness::CatchingUp);
        assert!(!fresh.is_to_be_noted(holding(4), at(60)));
        assert!(fresh.is_to_be_noted(holding(5), at(0)), "what has come to the peer since is live traffic");
        fresh.noted();
        assert_eq!(fresh.readiness(), Readiness::CaughtUp);
        assert!(!fresh.is_to_be_noted(holding(5), at(0)), "once is enough");
    }

    #[test]
    fn a_known_one_that_meets_nobody_serves_what_it_has_and_a_fresh_one_never() {
        let check = |known, seconds, expected| {
            let found = begins(Beginning::Joins, known).is_to_be_noted(holding(1), at(seconds));
            assert_eq!(found, expected, "known {known} at {seconds}");
        };
        check(true, 9, false);
        check(true, 10, true);
        check(false, 3_600, false);
    }

    #[test]
    fn its_patience_begins_anew_when_the_last_peer_that_knew_more_has_gone() {
        let mut known = begins(Beginning::Joins, true);
        known.heard(peer(), &says(5, false));
        assert!(!known.is_to_be_noted(holding(4), at(60)), "a slow path is no reason");
        assert_eq!(known.gives_up_at(), None);
        known.unlinked(peer(), at(60));
        assert_eq!((known.readiness(), known.gives_up_at()), (Readiness::Searching, Some(at(70))));
        assert!(!known.is_to_be_noted(holding(5), at(69)), "it was said over a link that has gone");
        assert!(known.is_to_be_noted(holding(4), at(70)));
    }
}
