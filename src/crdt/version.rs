//! What a replica holds of each origin's writes.

use std::collections::{BTreeMap, btree_map};

use serde::{Deserialize, Serialize};

use crate::crdt::{Dot, Origin, Timestamp};

/// Per origin, the timestamp up to which every write is held, or something greater in its place.
///
/// It orders nothing and arbitrates nothing: it says what is *not* missing, and, its versions being
/// hybrid timestamps, how far behind an origin a replica is, in milliseconds.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionVector {
    // Invariant: no origin stands at `Timestamp::ZERO`; absent and zero mean the same.
    held: BTreeMap<Origin, Timestamp>,
}

/// A half-open stretch `(after, upto]` of one origin's writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// Whose writes.
    pub origin: Origin,
    /// The last version before the stretch.
    pub after: Timestamp,
    /// The last version of the stretch.
    pub upto: Timestamp,
}

impl VersionVector {
    /// The version up to which `origin` is held; zero where nothing is.
    pub fn upto(&self, origin: Origin) -> Timestamp {
        self.held.get(&origin).copied().unwrap_or_default()
    }

    /// Says whether a write is held, or something greater in its place.
    pub fn covers(&self, dot: Dot) -> bool {
        dot.version <= self.upto(dot.origin)
    }

    /// Says whether all that `other` covers is covered.
    pub fn covers_all(&self, other: &Self) -> bool {
        other.held.iter().all(|(&origin, &version)| version <= self.upto(origin))
    }

    /// Moves `origin` up to `version`; never down.
    pub fn advance(&mut self, origin: Origin, version: Timestamp) {
        if version > self.upto(origin) {
            self.held.insert(origin, version);
        }
    }

    /// Joins another vector: the greater version of each origin.
    ///
    /// Only true of replicas that hold the union of both; a replica that merely *heard* of a vector
    /// must not join it into its own.
    pub fn merge(&mut self, other: &Self) {
        for (&origin, &version) in &other.held {
            self.advance(origin, version);
        }
    }

    /// The spans by which this vector is beyond `other`.
    pub fn beyond(&self, other: &Self) -> Vec<Span> {
        let ahead = self.held.iter().filter(|&(&origin, &version)| version > other.upto(origin));
        ahead.map(|(&origin, &upto)| Span { origin, after: other.upto(origin), upto }).collect()
    }

    /// Each origin and the version up to which it is held, in the order of origins.
    pub fn iter(&self) -> btree_map::Iter<'_, Origin, Timestamp> {
        self.held.iter()
    }

    /// How many origins are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Says whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl<'a> IntoIterator for &'a VersionVector {
    type Item = (&'a Origin, &'a Timestamp);
    type IntoIter = btree_map::Iter<'a, Origin, Timestamp>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<(Origin, Timestamp)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (Origin, Timestamp)>>(entries: I) -> Self {
        let mut vector = Self::default();
        for (origin, version) in entries {
            vector.advance(origin, version);
        }
        vector
    }
}
