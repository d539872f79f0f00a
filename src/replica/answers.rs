//! What a feeder says in the place of an entry of the change index.
//!
//! ```text
//! the register under its key stands        → that register, whoever wrote it last
//! … with a later entry of the same origin  → nothing: the later entry answers for both
//! it was pruned, or erased by a fence      → the fence of its profile, then what its title kept
//! ```
//!
//! The title comes last, so that its receiver, which logs the position with each item, keeps the one from
//! which all of that can be told again.

use super::told::Told;
use crate::{
    crdt::{Dot, Key, Register, Slot, Timestamp, VersionVector},
    replica::Item,
    store::{Read, StoreError},
    zoo::{Bug, planted},
};

/// What an item costs beside its texts and values: positions, stamps, dots and their framing.
const REGISTER_OVERHEAD_BYTES: usize = 104;

/// The answer to one entry.
pub(super) enum Answer {
    /// A later entry of the same origin and key is inside the same span and answers for both.
    Later,
    /// What stands in its place; empty only by a planted bug.
    Items(Vec<Item>),
}

/// Committed state, and what a subscriber has been told of it.
pub(super) struct Answers<'a, S> {
    pub(super) store: &'a S,
    pub(super) vector: &'a VersionVector,
    /// Where fences stand.
    pub(super) fence: Slot,
    pub(super) told: &'a mut Told,
}

impl<S: Read> Answers<'_, S> {
    /// Answers an entry of a span that ends at `upto`.
    pub(super) fn to(&mut self, entry: Dot, key: Key, upto: Timestamp) -> Result<Answer, StoreError> {
        let Some(register) = self.store.register(&key)? else {
            return self.what_remains(entry, key);
        };
        let Dot { origin, version } = register.dot;
        let is_in_span = version <= upto || planted(Bug::MovedLeftOut);
        if origin == entry.origin && entry.version < version && is_in_span {
            return Ok(Answer::Later);
        }
        if origin != entry.origin && planted(Bug::OverwrittenSkipped) {
            return Ok(Answer::Items(Vec::new()));
        }
        let stands = vec![(key.slot, register)];
        Ok(Answer::Items(vec![Item { position: entry.version, key, stands }]))
    }

    /// Answers an entry whose register was pruned or erased.
    ///
    /// Only what its title kept can have pushed it out, and only the fence of its title, which the title
    /// keeps too, or that of its profile can have erased it.
    fn what_remains(&mut self, entry: Dot, key: Key) -> Result<Answer, StoreError> {
        if planted(Bug::PrunedSkipped) {
            return Ok(Answer::Items(Vec::new()));
        }
        let position = entry.version;
        if !self.told.tell(&key.title, entry, self.vector) {
            return Ok(Answer::Items(vec![Item { position, key, stands: Vec::new() }]));
        }
        let mut items = Vec::new();
        let scope = key.title.profile.scope().key(self.fence);
        if let Some(fence) = self.store.register(&scope)?.filter(|_| !planted(Bug::ProfileFenceUntold)) {
            items.push(Item { position, stands: vec![(scope.slot, fence)], key: scope });
        }
        let stands = self.store.title(&key.title)?;
        items.push(Item { position, key, stands });
        Ok(Answer::Items(items))
    }
}

/// About how many bytes an item takes before compression.
pub(super) fn size(item: &Item) -> usize {
    let Item { key, stands, .. } = item;
    let texts = key.title.profile.as_str().len() + key.title.content.as_str().len() + 40;
    let registers = stands.iter().map(|(_, it): &(Slot, Register)| REGISTER_OVERHEAD_BYTES + it.value.len());
    texts + registers.sum::<usize>()
}
