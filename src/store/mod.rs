//! Where it lives: registers, the change index and the vector, changed together or not at all.
//!
//! The problem: a replica that has said "up to here I hold everything" must still hold it after a crash
//! at any moment. The mechanism: one [`Batch`] a turn carries registers, index entries and vector, and a
//! store applies the whole of it atomically. What was refused: marking a write as seen before it is
//! durable, which is how others lost data, and a repair step at start, which is one more thing to go wrong.
//!
//! The change index maps (origin, version) → key. It is what feeds read, and is no journal: an entry
//! names a place, never a value, so that an overwritten write costs nothing to a slow reader.
//!
//! Every store passes the same suite, [`contract`].

pub mod contract;
mod memory;
#[cfg(feature = "node")]
mod rocks;
#[cfg(feature = "node")]
mod warm;

pub use memory::{FailedCommit, MemoryStore, UNSYNCED_BATCHES_MAX};
#[cfg(feature = "node")]
pub use rocks::{RocksOptions, RocksReader, RocksStore};
#[cfg(feature = "node")]
pub use warm::{WARM_BYTES_MAX, Warm};

use std::{collections::BTreeMap, ops::Range};

use crate::crdt::{
    ContentId, Key, Origin, ProfileId, Register, Slot, Span, Timestamp, TitleId, VersionVector,
};

/// A title with all of its registers, in the order of slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeTitle {
    /// Which.
    pub title: TitleId,
    /// What stands there, and is sound.
    pub registers: Vec<(Slot, Register)>,
}

/// What is read from a store's committed state.
///
/// A register that fails its check is rot: to every reader it is absent, so that it is never merged,
/// served or fed, and what a peer holds in its place can come in.
pub trait Read {
    /// The register that stands under `key`.
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError>;

    /// All registers of a title, in the order of slots, from one committed state.
    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError>;

    /// The first `limit` titles of a profile, in the order of contents, from the one that follows `after`.
    ///
    /// What belongs to the profile itself and to no content is no title. Only keys are looked at, so a
    /// title is named even where all of its registers are rotten.
    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError>;

    /// The same titles, each with its registers in the order of slots.
    ///
    /// Each title is from one committed state, and the whole may be from several.
    fn whole_titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<WholeTitle>, StoreError> {
        let titles = self.titles(profile, after, limit)?.into_iter();
        titles.map(|title| Ok(WholeTitle { registers: self.title(&title)?, title })).collect()
    }

    /// Every register of the profiles that fall into these shards, from one committed state, in no order.
    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError>;

    /// The first `limit` entries of the change index inside `span`, in the order of versions.
    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError>;

    /// The vector.
    fn vector(&self) -> Result<VersionVector, StoreError>;

    /// A note: a small named value that its writer understands.
    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

impl<R: Read + ?Sized> Read for &R {
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
        (**self).register(key)
    }

    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
        (**self).title(title)
    }

    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError> {
        (**self).titles(profile, after, limit)
    }

    fn whole_titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<WholeTitle>, StoreError> {
        (**self).whole_titles(profile, after, limit)
    }

    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
        (**self).shards(shards)
    }

    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
        (**self).changes(span, limit)
    }

    fn vector(&self) -> Result<VersionVector, StoreError> {
        (**self).vector()
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).note(name)
    }
}

/// What a replica writes to; it has one owner.
pub trait Store: Read {
    /// Applies a batch whole, or not at all.
    ///
    /// # Errors
    /// After an error it is *unknown* whether the batch stands. Nothing more may be written through this
    /// store under the same origin.
    fn commit(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError>;

    /// Makes everything committed so far survive a power cut.
    ///
    /// # Errors
    /// As for [`Store::commit`].
    fn sync(&mut self) -> Result<(), StoreError>;
}

/// What a commit survives once it has returned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Durability {
    /// The end of the process, however sudden.
    #[default]
    Process,
    /// A power cut.
    Synced,
}

/// Everything that one turn changes; later changes of the same place replace earlier ones.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Registers to stand, or (`None`) to go.
    pub registers: BTreeMap<Key, Option<Register>>,
    /// Entries of the change index to stand, or (`None`) to go.
    pub changes: BTreeMap<(Origin, Timestamp), Option<Key>>,
    /// Positions of the vector that move up.
    pub vector: VersionVector,
    /// Notes to stand.
    pub notes: BTreeMap<String, Vec<u8>>,
}

impl Batch {
    /// Says whether the batch changes nothing.
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty()
            && self.changes.is_empty()
            && self.vector.is_empty()
            && self.notes.is_empty()
    }
}

/// Says why a store could not do it; the machine's fault or rot, and it stops the node.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The device or file system failed; a commit that met it is unknown.
    #[error("the store failed: {0}")]
    Io(String),
    /// Bytes that this build did not write, or that have rotted.
    #[error("{what} cannot be decoded: {why}")]
    Undecodable {
        /// Which bytes.
        what: String,
        /// What is wrong with them.
        why: String,
    },
    /// The directory belongs to another process or another format.
    #[error("the store cannot be opened: {0}")]
    Unusable(String),
}
