//! The store on a disk: RocksDB, one write batch a commit, its write-ahead log always on.
//!
//! The problem: registers, change index and vector must change together, survive the end of the process
//! and, where asked for, a power cut, on machines with little memory and two slow cores. The mechanism is
//! RocksDB's own: a write batch over several column families is one record of the write-ahead log, so
//! that it stands whole or not at all, and opening replays the log up to the first record that is not
//! whole. What was refused: a repair step at start, and a second log of our own.
//!
//! ```text
//! column family  key                                            value, behind a format byte
//! registers      shard │ profile │ 00 │ content │ 00 │ slot     the register
//! changes        origin │ version                               a key of `registers`
//! vector         origin                                         a version
//! notes          name                                           the note
//! ```
//!
//! One owner writes ([`RocksStore`]); any number of [`RocksReader`]s read committed state beside it. A
//! register that fails its check is counted and logged, and is absent to whoever reads.

mod directory;
mod envelope;
mod keys;
mod options;
mod reader;

pub use options::RocksOptions;
pub use reader::RocksReader;

use std::{ops::Range, path::Path};

use rocksdb::{WriteBatch, WriteOptions};

use crate::{
    crdt::{ContentId, Key, ProfileId, Register, Slot, Span, Timestamp, TitleId, VersionVector},
    store::{Batch, Durability, Read, Store, StoreError, WholeTitle},
};
use reader::Family;

/// The store on a disk; its one owner writes through it.
///
/// The directory is free again when the store and all its readers are dropped.
#[derive(Debug)]
pub struct RocksStore {
    reader: RocksReader,
    // Invariant: what the column family `vector` holds; kept here because commits only move it up.
    vector: VersionVector,
    /// What the first failed write met. Whether it stands is unknown, so nothing is written after it.
    failed: Option<String>,
}

impl RocksStore {
    /// Opens the store in `directory`, and makes both where there are none.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where another process has it open, where it holds something else, and
    /// where its format is not the one of this build. Nothing is repaired and nothing set aside.
    pub fn open(directory: &Path, options: RocksOptions) -> Result<Self, StoreError> {
        directory::prepare(directory)?;
        let reader = RocksReader::open(directory, options)?;
        let vector = reader.vector()?;
        Ok(Self { reader, vector, failed: None })
    }

    /// Makes a reader that sees each commit from the moment it returns.
    pub fn reader(&self) -> RocksReader {
        self.reader.clone()
    }

    fn encode(&self, batch: &Batch) -> WriteBatch {
        let mut written = WriteBatch::default();
        for (key, register) in &batch.registers {
            let (place, family) = (keys::of_register(key), self.reader.family(Family::Registers));
            match register {
                Some(register) => written.put_cf(family, place, envelope::of_register(register)),
                None => written.delete_cf(family, place),
            }
        }
        for (&(origin, version), key) in &batch.changes {
            let (place, family) = (keys::of_change(origin, version), self.reader.family(Family::Changes));
            match key {
                Some(key) => written.put_cf(family, place, envelope::of_change(key)),
                None => written.delete_cf(family, place),
            }
        }
        for (&origin, &version) in batch.vector.iter().filter(|&(&o, &v)| v > self.vector.upto(o)) {
            let family = self.reader.family(Family::Vector);
            written.put_cf(family, origin.as_bytes(), envelope::of_version(version));
        }
        for (name, note) in &batch.notes {
            written.put_cf(self.reader.family(Family::Notes), name, envelope::of_note(note));
        }
        written
    }

    fn write(&mut self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        let written = self.reader.db().write_opt(batch, &options);
        self.unless_failed(written)
    }

    /// Keeps the first failure, after which it is unknown what stands.
    fn unless_failed(&mut self, written: Result<(), rocksdb::Error>) -> Result<(), StoreError> {
        written.map_err(|why| {
            self.failed = Some(why.to_string());
            StoreError::Io(why.into_string())
        })
    }

    fn refuse_after_failure(&self) -> Result<(), StoreError> {
        match &self.failed {
            Some(why) => Err(StoreError::Io(format!("an earlier write failed, and may stand: {why}"))),
            None => Ok(()),
        }
    }
}

impl Read for RocksStore {
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
        self.reader.register(key)
    }

    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
        self.reader.title(title)
    }

    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError> {
        self.reader.titles(profile, after, limit)
    }

    fn whole_titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<WholeTitle>, StoreError> {
        self.reader.whole_titles(profile, after, limit)
    }

    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
        self.reader.shards(shards)
    }

    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
        self.reader.changes(span, limit)
    }

    fn vector(&self) -> Result<VersionVector, StoreError> {
        Ok(self.vector.clone())
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.note(name)
    }
}

impl Store for RocksStore {
    fn commit(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.refuse_after_failure()?;
        if batch.is_empty() {
            return if durability == Durability::Synced { self.sync() } else { Ok(()) };
        }
        self.write(self.encode(batch), durability)?;
        self.vector.merge(&batch.vector);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.refuse_after_failure()?;
        let synced = self.reader.db().flush_wal(true);
        self.unless_failed(synced)
    }
}
