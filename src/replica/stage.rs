//! What a turn is about to commit, laid over what is committed.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    crdt::{Dot, Key, Merged, Origin, ProfileId, Register, Slot, Stamp, Timestamp, TitleId, VersionVector},
    replica::Retain,
    store::{Batch, Durability, Read, Store, StoreError},
    zoo::{Bug, planted},
};

/// Most index entries found overwritten while feeding that wait to be removed; more are met again later.
const STALE_MAX: usize = 4_096;

/// How many titles of a profile are listed at a time while it is swept.
const TITLES_PAGE: usize = 256;

/// A turn's batch while it grows.
///
/// Every change of a register goes through [`Stage::merge`], which keeps the title pruned and the change
/// index true in the same batch.
#[derive(Debug, Default)]
pub(super) struct Stage {
    batch: Batch,
    /// Positions whose key was written again at a later position of the same origin: (older, newer).
    overwritten: Vec<(Dot, Timestamp)>,
    stale: Vec<Dot>,
}

impl Stage {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The vector that will stand after the commit.
    pub(super) fn upto(&self, committed: &VersionVector, origin: Origin) -> Timestamp {
        committed.upto(origin).max(self.batch.vector.upto(origin))
    }

    pub(super) fn advance(&mut self, origin: Origin, version: Timestamp) {
        self.batch.vector.advance(origin, version);
    }

    pub(super) fn note(&mut self, name: &str, value: Vec<u8>) {
        self.batch.notes.insert(name.into(), value);
    }

    /// Writes a position into the change index, whether or not its register changed anything.
    pub(super) fn log(&mut self, dot: Dot, key: &Key) {
        self.batch.changes.insert((dot.origin, dot.version), Some(key.clone()));
    }

    /// Takes a position above the vector out of the change index.
    pub(super) fn unlog(&mut self, dot: Dot) {
        self.batch.changes.insert((dot.origin, dot.version), None);
    }

    /// Remembers an entry that a feed found overwritten below the vector.
    pub(super) fn drop_stale(&mut self, dot: Dot) {
        if self.stale.len() < STALE_MAX {
            self.stale.push(dot);
        }
    }

    /// The register that will stand under `key`.
    pub(super) fn register<S: Read>(&self, store: &S, key: &Key) -> Result<Option<Register>, StoreError> {
        match self.batch.registers.get(key) {
            Some(staged) => Ok(staged.clone()),
            None => store.register(key),
        }
    }

    /// The keys and stamps that will stand in a title.
    fn title<S: Read>(&self, store: &S, title: &TitleId) -> Result<BTreeMap<Slot, Stamp>, StoreError> {
        let committed = store.title(title)?;
        let mut stamps: BTreeMap<_, _> = committed.into_iter().map(|(slot, it)| (slot, it.stamp)).collect();
        let first = title.key(Slot { kind: 0, id: [0; 16] });
        let last = title.key(Slot { kind: u8::MAX, id: [u8::MAX; 16] });
        for (key, staged) in self.batch.registers.range(first..=last) {
            match staged {
                Some(register) => stamps.insert(key.slot, register.stamp),
                None => stamps.remove(&key.slot),
            };
        }
        Ok(stamps)
    }

    /// Joins a register into what stands under its key, and prunes the title where it gained one.
    ///
    /// It does not log the position: only the caller knows which one is being answered.
    pub(super) fn merge<S: Read>(
        &mut self,
        store: &S,
        retain: Retain,
        key: &Key,
        register: &Register,
    ) -> Result<Merged, StoreError> {
        let standing = self.register(store, key)?;
        self.join(store, retain, key, standing, register)
    }

    /// Merges a write that is made here. Where the same is said already it is a repetition, and what
    /// stands keeps its dot: nobody is told of it again.
    pub(super) fn write<S: Read>(
        &mut self,
        store: &S,
        retain: Retain,
        key: &Key,
        register: &Register,
    ) -> Result<Merged, StoreError> {
        let standing = self.register(store, key)?;
        let is_said = |it: &Register| it.stamp == register.stamp && it.value == register.value;
        if standing.as_ref().is_some_and(is_said) {
            return Ok(Merged::Unchanged);
        }
        self.join(store, retain, key, standing, register)
    }

    fn join<S: Read>(
        &mut self,
        store: &S,
        retain: Retain,
        key: &Key,
        standing: Option<Register>,
        register: &Register,
    ) -> Result<Merged, StoreError> {
        let Some(mut standing) = standing else {
            return self.gain(store, retain, key, register);
        };
        let replaced = standing.dot;
        if planted(Bug::TiesByArrival) && standing.stamp == register.stamp {
            return Ok(Merged::Unchanged);
        }
        if standing.merge(register) == Merged::Unchanged {
            return Ok(Merged::Unchanged);
        }
        self.overwrite(replaced, standing.dot);
        self.batch.registers.insert(key.clone(), Some(standing));
        self.sweep(store, retain, key)?;
        Ok(Merged::Changed)
    }

    /// Merges a register whose slot was empty; it may be pruned at once, and then nothing changes.
    fn gain<S: Read>(
        &mut self,
        store: &S,
        retain: Retain,
        key: &Key,
        register: &Register,
    ) -> Result<Merged, StoreError> {
        let mut stamps = self.title(store, &key.title)?;
        stamps.insert(key.slot, register.stamp);
        let fence = self.profile_fence(store, retain, &key.title)?;
        let leaving = (retain.leaving)(&stamps.into_iter().collect::<Vec<_>>(), fence);
        if leaving.contains(&key.slot) && !planted(Bug::TitleOverfilled) {
            return Ok(Merged::Unchanged);
        }
        self.batch.registers.insert(key.clone(), Some(register.clone()));
        if planted(Bug::TitleOverfilled) {
            return Ok(Merged::Changed);
        }
        self.remove(&key.title, leaving);
        if key.title.is_scope() {
            self.sweep(store, retain, key)?;
        }
        Ok(Merged::Changed)
    }

    /// The fence of the profile that a title belongs to, as it will stand.
    fn profile_fence<S: Read>(
        &self,
        store: &S,
        retain: Retain,
        title: &TitleId,
    ) -> Result<Option<Stamp>, StoreError> {
        if title.is_scope() || planted(Bug::MergedBehindProfileFence) {
            return Ok(None);
        }
        let fence = self.register(store, &title.profile.scope().key(retain.fence))?;
        Ok(fence.map(|fence| fence.stamp))
    }

    /// Takes out what a fence that came or rose has erased: of its title, or of all its profile's titles.
    fn sweep<S: Read>(&mut self, store: &S, retain: Retain, key: &Key) -> Result<(), StoreError> {
        if key.slot != retain.fence || planted(Bug::RisenFenceSweepsNothing) {
            return Ok(());
        }
        if !key.title.is_scope() {
            return self.prune(store, retain, &key.title);
        }
        for title in self.titles(store, &key.title.profile)? {
            self.prune(store, retain, &title)?;
        }
        Ok(())
    }

    /// The titles of a profile in which something stands or is staged.
    fn titles<S: Read>(&self, store: &S, profile: &ProfileId) -> Result<BTreeSet<TitleId>, StoreError> {
        let scope = profile.scope();
        let staged = self.batch.registers.range(scope.key(Slot::FIRST)..).map(|(key, _)| &key.title);
        let staged = staged.take_while(|title| title.profile == *profile).filter(|title| !title.is_scope());
        let mut titles: BTreeSet<_> = staged.cloned().collect();
        let mut after = None;
        loop {
            let page = store.titles(profile, after.as_ref(), TITLES_PAGE)?;
            let Some(last) = page.last() else { return Ok(titles) };
            after = Some(last.content.clone());
            titles.extend(page);
        }
    }

    fn prune<S: Read>(&mut self, store: &S, retain: Retain, title: &TitleId) -> Result<(), StoreError> {
        let stamps: Vec<_> = self.title(store, title)?.into_iter().collect();
        let fence = self.profile_fence(store, retain, title)?;
        self.remove(title, (retain.leaving)(&stamps, fence));
        Ok(())
    }

    fn remove(&mut self, title: &TitleId, leaving: Vec<Slot>) {
        // Their index entries stay: an entry whose register is gone is answered with the title.
        self.batch.registers.extend(leaving.into_iter().map(|slot| (title.key(slot), None)));
    }

    fn overwrite(&mut self, older: Dot, newer: Dot) {
        let foreign = planted(Bug::ForeignEntryDropped);
        if (older.origin == newer.origin && older.version < newer.version) || foreign {
            self.overwritten.push((older, newer.version));
        }
    }

    /// Takes the batch out, completed by the removals that its own vector allows.
    pub(super) fn take(&mut self, committed: &VersionVector) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        let overwritten = std::mem::take(&mut self.overwritten);
        for (older, newer) in overwritten {
            let upto = committed.upto(older.origin).max(batch.vector.upto(older.origin));
            if newer <= upto || planted(Bug::EntryDroppedAboveVector) || planted(Bug::ForeignEntryDropped) {
                batch.changes.insert((older.origin, older.version), None);
            }
        }
        for dot in std::mem::take(&mut self.stale) {
            batch.changes.entry((dot.origin, dot.version)).or_insert(None);
        }
        batch
    }

    /// Commits a batch; the one place where a replica writes to its store.
    pub(super) fn commit<S: Store>(
        store: &mut S,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        if batch.is_empty() && durability == Durability::Process {
            return Ok(());
        }
        store.commit(batch, durability)
    }
}
