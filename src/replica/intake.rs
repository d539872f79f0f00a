//! The receiving side of a subscription.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    crdt::{Origin, Timestamp, VersionVector},
    replica::{Delta, Part, Subscribe},
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
    /// Where this feeder has got to in each span that it has begun and not ended, so that a new
    /// subscription to it goes on there. A narrow path never ends a long span otherwise.
    answered: BTreeMap<Origin, Timestamp>,
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

    /// Whether the peer is to feed anything at all.
    pub(super) fn is_fed(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Forces a new subscription.
    pub(super) fn renew(&mut self) {
        self.renew = true;
    }

    /// Makes the feeder answer the whole span of an origin again, since what it brought of it is gone.
    pub(super) fn begin_anew(&mut self, origin: Origin) {
        self.renew |= self.wants(origin);
        self.answered.remove(&origin);
    }

    /// Builds the subscription that is due, from the committed vector.
    pub(super) fn subscribe(&mut self, subscription: u64, vector: &VersionVector) -> Option<Subscribe> {
        if !std::mem::take(&mut self.renew) {
            return None;
        }
        (self.subscription, self.parts, self.told) = (subscription, 0, 0);
        let after = self.origins.iter().map(|&origin| (origin, vector.upto(origin))).collect();
        let of_use = |&(&origin, &at): &(&Origin, &Timestamp)| self.wants(origin) && at > vector.upto(origin);
        let answered = self.answered.iter().filter(of_use).map(|(&origin, &at)| (origin, at)).collect();
        Some(Subscribe { subscription, after, answered })
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
        self.answered(&part.delta);
    }

    /// Takes note of how far a delta answers its span.
    pub(super) fn answered(&mut self, delta: &Delta) {
        if delta.upto.is_some() {
            self.answered.remove(&delta.origin);
        } else if let Some(last) = delta.items.last() {
            self.answered.insert(delta.origin, last.position);
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
