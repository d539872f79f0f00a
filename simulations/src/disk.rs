//! The disk under a replica: a store in memory that fails, loses its tail, and tells what was done to it.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    ops::Range,
    rc::Rc,
};

use playmark::{
    crdt::{
        ContentId, Key, Origin, ProfileId, Register, Slot, Span, Stamp, Timestamp, TitleId, VersionVector,
    },
    playback::{Scope, Title, slot::FENCE},
    store::{Batch, Durability, FailedCommit, MemoryStore, Read, Store, StoreError},
};
use xxhash_rust::xxh3::Xxh3;

/// A title as a node's readers find it.
pub(crate) fn found<S: Read>(store: &S, title: &TitleId) -> Title {
    let fence = store.register(&title.profile.scope().key(FENCE)).expect("memory can be read");
    Title { registers: store.title(title).expect("memory can be read"), scope: Scope::of(fence.as_ref()) }
}

/// A handle to a machine's disk; the world keeps one beside the replica's, so that a disk outlives a life.
#[derive(Clone, Default, Debug)]
pub(crate) struct Disk(Rc<RefCell<Platter>>);

/// What a disk holds, and what the checks must know of it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Platter {
    store: MemoryStore,
    /// The vector as of the last sync.
    synced: VersionVector,
    /// A sum over all registers, the same whatever the order in which they came.
    sum: u64,
    next_failure: Option<FailedCommit>,
    next_sync_fails: bool,
    commits: Vec<Commit>,
}

/// One commit that stands, as the checks see it.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) vector_before: VersionVector,
    pub(crate) changes: Vec<Change>,
    /// Entries of the change index that came (`Some`) or went.
    pub(crate) entries: BTreeMap<(Origin, Timestamp), Option<Key>>,
}

/// What a commit did to one register.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) before: Option<Register>,
    pub(crate) after: Option<Register>,
}

impl Disk {
    pub(crate) fn platter(&self) -> Ref<'_, Platter> {
        self.0.borrow()
    }

    /// A disk with the same contents.
    pub(crate) fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.platter().clone())))
    }

    /// The commits since the last call.
    pub(crate) fn take_commits(&self) -> Vec<Commit> {
        std::mem::take(&mut self.0.borrow_mut().commits)
    }

    /// Makes the next commit fail.
    pub(crate) fn fail_next_commit(&self, how: FailedCommit) {
        self.0.borrow_mut().next_failure = Some(how);
    }

    /// Makes the next sync fail.
    pub(crate) fn fail_next_sync(&self) {
        self.0.borrow_mut().next_sync_fails = true;
    }

    /// Calls off the failures that were asked for and did not come to pass.
    pub(crate) fn fail_nothing(&self) {
        let platter = &mut *self.0.borrow_mut();
        (platter.next_failure, platter.next_sync_fails) = (None, false);
    }

    /// Cuts the power: of the unsynced batches the first `keep` stay. Returns how many were lost.
    pub(crate) fn cut_power(&self, keep: usize) -> usize {
        let platter = &mut *self.0.borrow_mut();
        let lost = platter.store.lose_unsynced(keep);
        platter.synced = platter.vector();
        platter.sum = platter.store.registers().fold(0, |sum, (key, it)| sum.wrapping_add(hash(key, it)));
        lost
    }
}

impl Platter {
    pub(crate) fn store(&self) -> &MemoryStore {
        &self.store
    }

    pub(crate) fn vector(&self) -> VersionVector {
        self.store.vector().expect("memory can be read")
    }

    pub(crate) fn register(&self, key: &Key) -> Option<Register> {
        self.store.register(key).expect("memory can be read")
    }

    pub(crate) fn title(&self, title: &TitleId) -> Vec<(Slot, Register)> {
        self.store.title(title).expect("memory can be read")
    }

    /// A title as the node's readers find it.
    pub(crate) fn found(&self, title: &TitleId) -> Title {
        found(&self.store, title)
    }

    /// The fence of the profile that a title belongs to.
    pub(crate) fn profile_fence(&self, title: &TitleId) -> Option<Stamp> {
        self.register(&title.profile.scope().key(FENCE)).map(|fence| fence.stamp)
    }

    pub(crate) fn synced(&self) -> &VersionVector {
        &self.synced
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    fn commit(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let failure = self.next_failure.take();
        if let Some(how) = failure {
            self.store.fail_next_commit(how);
        }
        if std::mem::take(&mut self.next_sync_fails) && durability == Durability::Synced {
            self.store.fail_next_sync();
        }
        let vector_before = self.vector();
        let before = |(key, after): (&Key, &Option<Register>)| Change {
            key: key.clone(),
            before: self.register(key),
            after: after.clone(),
        };
        let changes: Vec<_> = batch.registers.iter().map(before).collect();
        let result = self.store.commit(batch, durability);
        if result.is_ok() && durability == Durability::Synced {
            self.synced = self.vector();
        }
        if failure != Some(FailedCommit::Absent) {
            self.add_up(&changes);
            self.commits.push(Commit { vector_before, changes, entries: batch.changes.clone() });
        }
        result
    }

    fn add_up(&mut self, changes: &[Change]) {
        for Change { key, before, after } in changes {
            let sum_of = |register: &Option<Register>| {
                register.as_ref().filter(|it| it.is_sound(key)).map_or(0, |it| hash(key, it))
            };
            self.sum = self.sum.wrapping_sub(sum_of(before)).wrapping_add(sum_of(after));
        }
    }
}

impl Read for Disk {
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
        self.platter().store.register(key)
    }

    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
        self.platter().store.title(title)
    }

    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError> {
        self.platter().store.titles(profile, after, limit)
    }

    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
        self.platter().store.shards(shards)
    }

    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
        self.platter().store.changes(span, limit)
    }

    fn vector(&self) -> Result<VersionVector, StoreError> {
        self.platter().store.vector()
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.platter().store.note(name)
    }
}

impl Store for Disk {
    fn commit(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.0.borrow_mut().commit(batch, durability)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let platter = &mut *self.0.borrow_mut();
        if std::mem::take(&mut platter.next_sync_fails) {
            platter.store.fail_next_sync();
        }
        platter.store.sync()?;
        platter.synced = platter.vector();
        Ok(())
    }
}

fn hash(key: &Key, register: &Register) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&register.check.to_be_bytes());
    hash.update(&key.slot.id);
    hash.update(register.dot.origin.as_bytes());
    hash.update(&register.dot.version.as_u64().to_be_bytes());
    hash.digest()
}
