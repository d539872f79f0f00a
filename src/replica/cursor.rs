//! Where a feed stands in one origin's part of the change index.
//!
//! The problem: a span ends where its subscriber may claim every write below. While a long one is sent, keys that it has
//! still to answer are written again; their entries move beyond any end that was fixed before, and with an end that
//! moves along, a feed that is slower than the writers never comes to it. The mechanism: entries are *listed*, which
//! takes no path and so overtakes every writer, before they are answered. Where the list reaches the vector, the
//! end is fixed: every key with a write below it is on the list, and is answered with what stands when its
//! turn comes, whatever has become of its entry.

use std::collections::VecDeque;

use super::{
    answers::{Answer, Answers, size},
    feed::PART_BYTES_MAX,
};
use crate::{
    crdt::{Dot, Key, Origin, Span, Timestamp},
    replica::Item,
    store::{Read, StoreError},
};

/// How many entries one part lists at most, so that a turn stays short.
const LISTED_PER_PART_MAX: usize = 4_096;

/// How many entries are listed that are not answered yet: some 10 MiB of keys. When full, what is listed is
/// answered first, and the span has no end yet.
pub const LISTED_MAX: usize = 65_536;

/// Where a feed stands in one origin's part of the index.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Where the span in progress began: the last `upto` that was sent, at first the subscriber's vector.
    after: Timestamp,
    /// The last position that was listed.
    listed: Timestamp,
    /// Listed, and not answered yet.
    ahead: VecDeque<(Timestamp, Key)>,
    /// The end of the span, once the list has reached it.
    upto: Option<Timestamp>,
}

/// What one part says of a span.
pub(super) struct Stretch {
    /// Where the span began.
    pub(super) after: Timestamp,
    /// Answers to its next entries.
    pub(super) items: Vec<Item>,
    /// The end of the span, if this is its last stretch.
    pub(super) upto: Option<Timestamp>,
    /// Entries that were found overwritten.
    pub(super) stale: Vec<Dot>,
}

impl Cursor {
    /// Begins after the subscriber's vector, or after what it says that it was answered beyond.
    pub(super) fn new(after: Timestamp, answered: Timestamp) -> Self {
        Self { after, listed: answered.max(after), ahead: VecDeque::new(), upto: None }
    }

    /// Whether something of the origin is still to be told, where its vector stands at `upto`.
    pub(super) fn is_behind(&self, upto: Timestamp) -> bool {
        upto > self.after
    }

    /// Answers entries until the part is full or the span whole.
    pub(super) fn read<S: Read>(
        &mut self,
        answers: &mut Answers<'_, S>,
        origin: Origin,
    ) -> Result<Stretch, StoreError> {
        self.list(answers, origin)?;
        // A later entry is on the list, or will be: the end of the span lies at or above the vector.
        let upto = self.upto.unwrap_or_else(|| answers.vector.upto(origin));
        let mut stretch = Stretch { after: self.after, items: Vec::new(), upto: None, stale: Vec::new() };
        let mut bytes = 0;
        while bytes < PART_BYTES_MAX
            && let Some((position, key)) = self.ahead.pop_front()
        {
            let entry = Dot { origin, version: position };
            match answers.to(entry, key, upto)? {
                Answer::Later => stretch.stale.push(entry),
                Answer::Items(items) => {
                    bytes += items.iter().map(size).sum::<usize>();
                    stretch.items.extend(items);
                }
            }
        }
        if let Some(upto) = self.upto.filter(|_| self.ahead.is_empty()) {
            stretch.upto = Some(upto);
            *self = Self::new(upto, upto);
        }
        Ok(stretch)
    }

    /// Lists entries until the list reaches the vector, and fixes the end of the span there.
    ///
    /// Both are read from one committed state: of an entry that has moved since it was listed, its key is on the list;
    /// one that has moved before is found where it is now.
    fn list<S: Read>(&mut self, answers: &Answers<'_, S>, origin: Origin) -> Result<(), StoreError> {
        let room = LISTED_MAX.saturating_sub(self.ahead.len()).min(LISTED_PER_PART_MAX);
        if self.upto.is_some() || room == 0 {
            return Ok(());
        }
        let upto = answers.vector.upto(origin);
        let entries = answers.store.changes(Span { origin, after: self.listed, upto }, room)?;
        if entries.len() < room {
            self.upto = Some(upto);
        }
        if let Some((last, _)) = entries.last() {
            self.listed = *last;
        }
        self.ahead.extend(entries);
        Ok(())
    }
}
