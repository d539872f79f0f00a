//! The feeding side of a subscription: cursors into the change index.

use std::collections::BTreeMap;

use super::{answers::Answers, cursor::Cursor, told::Told};
use crate::{
    crdt::{Dot, Monotonic, Origin, Slot, Timestamp, VersionVector},
    replica::{Delta, Part, Subscribe},
    store::{Read, StoreError},
    zoo::{Bug, planted},
};

/// What a part carries at most, before compression: a frame less its envelope and one greatest item.
///
/// It is reached before the greatest item (a title of 272 registers, about 45 KiB with values of usual
/// length) is added, never after.
pub const PART_BYTES_MAX: usize = 16 * 1024;

/// How many parts may be on their way to a subscriber: 2 MiB at a frame's greatest, a path of 80 Mbit/s
/// and 200 ms filled. A subscriber that does not answer costs no more than this.
pub const WINDOW_PARTS: u64 = 32;

/// How many parts may be on their way at the beginning of a subscription. Each one that is acknowledged
/// makes room for one more, up to [`WINDOW_PARTS`] (slow start, Jacobson 1988). Behind a queue that does not
/// move, a subscription that is made anew adds these few to it, and not a whole window each time.
pub(super) const WINDOW_PARTS_AT_FIRST: u64 = 2;

/// One peer's subscription, as its feeder sees it.
#[derive(Debug)]
pub(super) struct Feed {
    subscription: u64,
    sent: u64,
    acked: u64,
    window: u64,
    cursors: BTreeMap<Origin, Cursor>,
    told: Told,
    /// Whose turn it is, so that one busy origin does not starve the others.
    next: Origin,
    /// When the linger ends that gathers small commits into one part.
    pub(super) due: Option<Monotonic>,
}

/// A part, and the entries that its making found overwritten.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) part: Part,
    pub(super) stale: Vec<Dot>,
}

impl Feed {
    pub(super) fn open(subscribe: Subscribe, now: Monotonic) -> Self {
        let Subscribe { subscription, after, answered } = subscribe;
        let cursor = |(origin, after): (Origin, Timestamp)| {
            (origin, Cursor::new(after, answered.get(&origin).copied().unwrap_or_default()))
        };
        let cursors = after.into_iter().map(cursor).collect();
        let window = if planted(Bug::WindowOpensWide) { WINDOW_PARTS } else { WINDOW_PARTS_AT_FIRST };
        let (told, next) = (Told::default(), Origin::default());
        Self { subscription, sent: 0, acked: 0, window, cursors, told, next, due: Some(now) }
    }

    pub(super) fn subscription(&self) -> u64 {
        self.subscription
    }

    pub(super) fn acknowledge(&mut self, parts: u64) {
        let acked = self.acked.max(parts.min(self.sent));
        self.window = WINDOW_PARTS.min(self.window + (acked - self.acked));
        self.acked = acked;
    }

    /// Parts on their way.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.acked
    }

    /// Says whether there is something to send and room for it.
    pub(super) fn wants(&self, vector: &VersionVector) -> bool {
        self.has_room() && self.next_origin(vector).is_some()
    }

    fn has_room(&self) -> bool {
        self.in_flight() < self.window || planted(Bug::WindowIgnored)
    }

    fn next_origin(&self, vector: &VersionVector) -> Option<Origin> {
        let behind =
            |(&origin, cursor): (&Origin, &Cursor)| cursor.is_behind(vector.upto(origin)).then_some(origin);
        let from_here = self.cursors.range(self.next..).find_map(behind);
        from_here.or_else(|| self.cursors.iter().find_map(behind))
    }

    /// Builds the next part from committed state.
    pub(super) fn build<S: Read>(
        &mut self,
        store: &S,
        vector: &VersionVector,
        fence: Slot,
    ) -> Result<Option<Built>, StoreError> {
        if !self.has_room() {
            return Ok(None);
        }
        let Some(origin) = self.next_origin(vector) else {
            return Ok(None);
        };
        let cursor = self.cursors.get_mut(&origin).expect("the next origin has a cursor");
        let stretch = cursor.read(&mut Answers { store, vector, fence, told: &mut self.told }, origin)?;
        let delta = Delta { origin, after: stretch.after, upto: stretch.upto, items: stretch.items };
        if stretch.upto.is_some() {
            self.next = Origin::from_random(u128::from_be_bytes(*origin.as_bytes()).wrapping_add(1));
        }
        let part = Part { subscription: self.subscription, number: self.sent, delta };
        self.sent += 1;
        Ok(Some(Built { part, stale: stretch.stale }))
    }
}
