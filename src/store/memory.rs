//! A store in memory, whose power can be cut.
//!
//! It stands under the simulator, so it keeps what a disk's owner never sees: which batches would not
//! survive a power cut. Instead of two states it keeps one and a way back: each unsynced batch leaves
//! behind what it replaced, and a cut walks back over the batches that it loses.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{
        Bound::{Excluded, Included, Unbounded},
        Range,
    },
};

use crate::{
    crdt::{ContentId, Key, Origin, ProfileId, Register, Slot, Span, Timestamp, TitleId, VersionVector},
    store::{Batch, Durability, Read, Store, StoreError},
};

/// How many unsynced batches are kept; beyond it the oldest counts as synced.
///
/// So does an operating system write back on its own after a while, and no run between two syncs of the
/// simulator comes near it.
pub const UNSYNCED_BATCHES_MAX: usize = 65_536;

/// A store in memory.
///
/// A process that ends loses nothing of it, as if the system's cache had kept it: that is
/// [`Durability::Process`]. What a power cut does is [`MemoryStore::lose_unsynced`].
#[derive(Clone, Default, Debug)]
pub struct MemoryStore {
    registers: BTreeMap<Key, Register>,
    changes: BTreeMap<(Origin, Timestamp), Key>,
    vector: VersionVector,
    notes: BTreeMap<String, Vec<u8>>,
    // Oldest first. Invariant: undone from the last to the first, they lead to the synced state.
    unsynced: VecDeque<Undo>,
    next_commit: Option<FailedCommit>,
    next_sync_fails: bool,
}

/// How a commit fails, where a test wants it to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailedCommit {
    /// The batch does not stand.
    Absent,
    /// The batch stands, unsynced, whatever durability was asked for.
    Present,
}

/// What a batch replaced.
#[derive(Clone, Debug)]
struct Undo {
    registers: Vec<(Key, Option<Register>)>,
    changes: Vec<((Origin, Timestamp), Option<Key>)>,
    // `None` where the batch moved nothing.
    vector: Option<VersionVector>,
    notes: Vec<(String, Option<Vec<u8>>)>,
}

impl MemoryStore {
    /// Every sound register and where it stands, in the order of keys.
    pub fn registers(&self) -> impl Iterator<Item = (&Key, &Register)> {
        self.registers.iter().filter(|&(key, register)| register.is_sound(key))
    }

    /// Every entry of the change index, in the order of origins and versions.
    pub fn entries(&self) -> impl Iterator<Item = (Origin, Timestamp, &Key)> {
        self.changes.iter().map(|(&(origin, version), key)| (origin, version, key))
    }

    /// How many batches a power cut could take away.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Cuts the power: the synced state stays, and the first `keep` of the unsynced batches.
    ///
    /// Returns how many batches were lost. What stays has been read from the disk again, so it counts as
    /// synced.
    pub fn lose_unsynced(&mut self, keep: usize) -> usize {
        let lost = self.unsynced.len().saturating_sub(keep);
        for undo in self.unsynced.split_off(self.unsynced.len() - lost).into_iter().rev() {
            self.undo(undo);
        }
        self.unsynced.clear();
        lost
    }

    /// Makes the next commit fail.
    pub fn fail_next_commit(&mut self, how: FailedCommit) {
        self.next_commit = Some(how);
    }

    /// Makes the next sync fail; what was unsynced stays so.
    pub fn fail_next_sync(&mut self) {
        self.next_sync_fails = true;
    }

    fn apply(&mut self, batch: &Batch) {
        let undo = Undo {
            registers: replace_all(&mut self.registers, &batch.registers),
            changes: replace_all(&mut self.changes, &batch.changes),
            vector: (!batch.vector.is_empty()).then(|| self.vector.clone()),
            notes: {
                let stand = |(name, note): (&String, &Vec<u8>)| {
                    (name.clone(), self.notes.insert(name.clone(), note.clone()))
                };
                batch.notes.iter().map(stand).collect()
            },
        };
        self.vector.merge(&batch.vector);
        self.unsynced.push_back(undo);
        if self.unsynced.len() > UNSYNCED_BATCHES_MAX {
            self.unsynced.pop_front();
        }
    }

    fn undo(&mut self, undo: Undo) {
        for (key, before) in undo.registers {
            replace(&mut self.registers, key, before);
        }
        for (place, before) in undo.changes {
            replace(&mut self.changes, place, before);
        }
        if let Some(before) = undo.vector {
            self.vector = before;
        }
        for (name, before) in undo.notes {
            replace(&mut self.notes, name, before);
        }
    }
}

impl Read for MemoryStore {
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
        Ok(self.registers.get(key).filter(|register| register.is_sound(key)).cloned())
    }

    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
        let slots = title.key(Slot::FIRST)..=title.key(Slot::LAST);
        let standing = self.registers.range(slots).filter(|&(key, register)| register.is_sound(key));
        Ok(standing.map(|(key, register)| (key.slot, register.clone())).collect())
    }

    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError> {
        let title = |content: &ContentId| TitleId { profile: profile.clone(), content: content.clone() };
        let mut below = match after {
            Some(after) => Excluded(title(after).key(Slot::LAST)),
            None => Included(title(&least_content()).key(Slot::FIRST)),
        };
        let mut titles = Vec::new();
        while titles.len() < limit
            && let Some((key, _)) = self.registers.range((below, Unbounded)).next()
            && key.title.profile == *profile
        {
            below = Excluded(key.title.key(Slot::LAST));
            titles.push(key.title.clone());
        }
        Ok(titles)
    }

    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
        let inside = self.registers().filter(|(key, _)| shards.contains(&key.title.profile.shard()));
        Ok(inside.map(|(key, register)| (key.clone(), register.clone())).collect())
    }

    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
        if span.after >= span.upto {
            return Ok(Vec::new());
        }
        let inside = (Excluded((span.origin, span.after)), Included((span.origin, span.upto)));
        let entries = self.changes.range(inside).take(limit);
        Ok(entries.map(|(&(_, version), key)| (version, key.clone())).collect())
    }

    fn vector(&self) -> Result<VersionVector, StoreError> {
        Ok(self.vector.clone())
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.notes.get(name).cloned())
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let failure = self.next_commit.take();
        if failure != Some(FailedCommit::Absent) {
            self.apply(batch);
        }
        if let Some(how) = failure {
            return Err(StoreError::Io(format!("a commit failed as asked for: {how:?}")));
        }
        match durability {
            Durability::Process => Ok(()),
            Durability::Synced => self.sync(),
        }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.next_sync_fails) {
            return Err(StoreError::Io("a sync failed as asked for".into()));
        }
        self.unsynced.clear();
        Ok(())
    }
}

/// No content that a client can name is less: a space is the first character that is not a control one.
fn least_content() -> ContentId {
    ContentId::parse(" ").expect("a space is an id")
}

/// Makes everything in `changes` stand or go, and returns what was there before.
fn replace_all<K: Ord + Clone, V: Clone>(
    places: &mut BTreeMap<K, V>,
    changes: &BTreeMap<K, Option<V>>,
) -> Vec<(K, Option<V>)> {
    let change = |(key, value): (&K, &Option<V>)| (key.clone(), replace(places, key.clone(), value.clone()));
    changes.iter().map(change).collect()
}

fn replace<K: Ord, V>(places: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => places.insert(key, value),
        None => places.remove(&key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    #[test]
    fn it_keeps_the_contract() {
        contract::check(MemoryStore::default);
        for seed in 0..8 {
            contract::check_model(MemoryStore::default(), seed, |store| store);
        }
    }

    fn note(text: &str) -> Batch {
        let mut batch = Batch::default();
        batch.notes.insert("note".into(), text.into());
        batch
    }

    fn noted(store: &MemoryStore) -> Option<String> {
        let note = store.note("note").expect("memory does not fail");
        note.map(|bytes| String::from_utf8(bytes).expect("the tests write text"))
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_the_first_of_the_rest() {
        for (keep, lost, standing) in [(0, 3, "synced"), (1, 2, "a"), (2, 1, "b"), (3, 0, "c"), (9, 0, "c")] {
            let mut store = MemoryStore::default();
            store.commit(&note("synced"), Durability::Synced).expect("memory does not fail");
            for text in ["a", "b", "c"] {
                store.commit(&note(text), Durability::Process).expect("memory does not fail");
            }
            assert_eq!(store.unsynced(), 3);
            assert_eq!(store.lose_unsynced(keep), lost);
            assert_eq!(noted(&store).as_deref(), Some(standing), "keeping {keep}");
            assert_eq!(store.unsynced(), 0);
        }
    }

    #[test]
    fn a_power_cut_brings_back_what_a_lost_batch_replaced() {
        let title = TitleId::parse("ann", "film").expect("both are ids");
        let key = title.key(Slot::FIRST);
        let origin = Origin::from_random(1);
        let version = |n| Timestamp::from_u64(n);
        let register = |n| {
            let dot = crate::crdt::Dot { origin, version: version(n) };
            Register::seal(&key, crate::crdt::Stamp::default(), dot, [1, 2].as_slice().into())
        };
        let mut store = MemoryStore::default();
        let mut batch = Batch::default();
        batch.registers.insert(key.clone(), Some(register(1)));
        batch.changes.insert((origin, version(1)), Some(key.clone()));
        batch.vector.advance(origin, version(1));
        store.commit(&batch, Durability::Synced).expect("memory does not fail");

        let mut lost = Batch::default();
        lost.registers.insert(key.clone(), None);
        lost.changes.insert((origin, version(1)), None);
        lost.changes.insert((origin, version(2)), Some(key.clone()));
        lost.vector.advance(origin, version(2));
        store.commit(&lost, Durability::Process).expect("memory does not fail");
        assert_eq!(store.lose_unsynced(0), 1);

        assert_eq!(store.registers().collect::<Vec<_>>(), [(&key, &register(1))]);
        assert_eq!(store.entries().collect::<Vec<_>>(), [(origin, version(1), &key)]);
        assert_eq!(store.vector().expect("memory does not fail"), batch.vector);
    }

    #[test]
    fn a_failed_commit_stands_or_not_and_is_never_synced() {
        for (how, standing) in [(FailedCommit::Absent, None), (FailedCommit::Present, Some("a"))] {
            let mut store = MemoryStore::default();
            store.fail_next_commit(how);
            store.commit(&note("a"), Durability::Synced).expect_err("it was to fail");
            assert_eq!(noted(&store).as_deref(), standing);
            store.lose_unsynced(0);
            assert_eq!(noted(&store), None);
            store.commit(&note("b"), Durability::Process).expect("only one commit was to fail");
        }
    }

    #[test]
    fn a_failed_sync_leaves_everything_unsynced() {
        let mut store = MemoryStore::default();
        store.commit(&note("a"), Durability::Process).expect("memory does not fail");
        store.fail_next_sync();
        store.sync().expect_err("it was to fail");
        assert_eq!(store.unsynced(), 1);
        store.sync().expect("only one sync was to fail");
        assert_eq!(store.unsynced(), 0);
    }

    #[test]
    fn the_oldest_of_too_many_unsynced_batches_counts_as_synced() {
        let mut store = MemoryStore::default();
        for n in 0..=UNSYNCED_BATCHES_MAX {
            store.commit(&note(&n.to_string()), Durability::Process).expect("memory does not fail");
        }
        assert_eq!(store.lose_unsynced(0), UNSYNCED_BATCHES_MAX);
        assert_eq!(noted(&store).as_deref(), Some("0"));
    }
}
