//! Every write that was ever committed anywhere, as its writer made it.

use std::{collections::BTreeMap, sync::Arc};

use playmark::crdt::{Dot, Key, Origin, Stamp, Timestamp, VersionVector};

/// The world's own book; replicas do not see it.
#[derive(Default, Debug)]
pub(crate) struct Ledger {
    // Invariant: each origin's lines rise strictly by version.
    origins: BTreeMap<Origin, Vec<Line>>,
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) version: Timestamp,
    pub(crate) key: Key,
    pub(crate) stamp: Stamp,
    pub(crate) value: Arc<[u8]>,
}

impl Ledger {
    /// The greatest version of an origin.
    pub(crate) fn last(&self, origin: Origin) -> Timestamp {
        self.of(origin).last().map_or(Timestamp::ZERO, |line| line.version)
    }

    /// Enters a write; the caller has made sure that versions rise.
    pub(crate) fn enter(&mut self, origin: Origin, line: Line) {
        self.origins.entry(origin).or_default().push(line);
    }

    /// The write of a dot.
    pub(crate) fn find(&self, dot: Dot) -> Option<&Line> {
        let lines = self.of(dot.origin);
        let index = lines.binary_search_by_key(&dot.version, |line| line.version).ok()?;
        Some(&lines[index])
    }

    /// The writes of an origin inside `(after, upto]`.
    pub(crate) fn between(&self, origin: Origin, after: Timestamp, upto: Timestamp) -> &[Line] {
        let lines = self.of(origin);
        let first = lines.partition_point(|line| line.version <= after);
        let end = lines.partition_point(|line| line.version <= upto);
        &lines[first..end.max(first)]
    }

    /// All that a vector covers.
    pub(crate) fn covered<'a>(
        &'a self,
        vector: &'a VersionVector,
    ) -> impl Iterator<Item = (Origin, &'a Line)> + 'a {
        vector.iter().flat_map(move |(&origin, &upto)| {
            self.between(origin, Timestamp::ZERO, upto).iter().map(move |line| (origin, line))
        })
    }

    fn of(&self, origin: Origin) -> &[Line] {
        self.origins.get(&origin).map_or(&[], Vec::as_slice)
    }
}
