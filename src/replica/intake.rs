//! The receiving side of a subscription.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    crdt::{Origin, Timestamp, VersionVector},
    replica::{Part, Subscribe},
    zoo::{Bug, planted},
};

/// One peer's feed, as its subscriber sees it.
#[derive(Debug, Default)]
pub(super) struct Intake {
    subscription: u64,
    origins: BTreeSet<Origin>,
    /// Parts merged, in order and without a gap.
    parts: u64,
    /// Parts that the peer knows to be merged.
    told: u64,
    /// The subscription must be made, or made anew.
    renew: bool,
    /// Only read by a planted bug.
    merged: BTreeMap<Origin, Timestamp>,
}

/// What to do with a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is the next one: merge it.
    Merge,
    /// It belongs to another subscription, or has been merged.
    Ignore,
    /// Something before it is missing: subscribe anew, from the vector.
    Gap,
}

impl Intake {
    /// Says which origins are wanted; asks anew only where that changes.
    pub(super) fn want(&mut self, origins: BTreeSet<Origin>) {
        if origins != self.origins {
            self.origins = origins;
            self.renew = true;
        }
    }

    /// Whether the peer is to feed an origin.
    pub(super) fn wants(&self, origin: Origin) -> bool {
        self.origins.contains(&origin)
    }

    /// Forces a new subscription.
    pub(super) fn renew(&mut self) {
        self.renew = true;
    }

    /// Whether a subscription is due.
    pub(super) fn is_due(&self) -> bool {
        self.renew
    }

    /// Builds the subscription that is due, from the committed vector.
    pub(super) fn subscribe(&mut self, subscription: u64, vector: &VersionVector) -> Option<Subscribe> {
        if !std::mem::take(&mut self.renew) {
            return None;
        }
        (self.subscription, self.parts, self.told) = (subscription, 0, 0);
        let after = self.origins.iter().map(|&origin| (origin, self.start(origin, vector))).collect();
        Some(Subscribe { subscription, after })
    }

    fn start(&self, origin: Origin, vector: &VersionVector) -> Timestamp {
        let upto = vector.upto(origin);
        if planted(Bug::CursorAtAnotherFeeder) {
            return self.merged.get(&origin).copied().unwrap_or_default().max(upto);
        }
        upto
    }

    /// Judges a part that has come; `upto` is where the vector stands for its origin.
    pub(super) fn judge(&self, part: &Part, upto: Timestamp) -> Verdict {
        if part.subscription != self.subscription || self.renew || part.number < self.parts {
            return Verdict::Ignore;
        }
        if planted(Bug::VectorPastGap) {
            return Verdict::Merge;
        }
        let joins_on = part.number == self.parts && part.delta.after <= upto;
        if joins_on { Verdict::Merge } else { Verdict::Gap }
    }

    /// Takes note that a part was merged.
    pub(super) fn merged(&mut self, part: &Part) {
        self.parts = part.number + 1;
        if let Some(last) = part.delta.items.last() {
            self.merged.insert(part.delta.origin, last.position);
        }
    }

    /// The parts to acknowledge, if the peer does not know of all.
    pub(super) fn acknowledge(&mut self, anyway: bool) -> Option<(u64, u64)> {
        if self.renew || (self.parts == self.told && !anyway) {
            return None;
        }
        self.told = self.parts;
        Some((self.subscription, self.parts))
    }
}
