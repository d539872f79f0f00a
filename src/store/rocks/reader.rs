//! Reading beside the writer.

use std::{
    fmt,
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rocksdb::{
    ColumnFamily, DB, DBRawIterator, ErrorKind, IterateBounds, Options, PrefixRange, ReadOptions,
    checkpoint::Checkpoint, properties, statistics::Ticker,
};

use crate::{
    crdt::{ContentId, Key, ProfileId, Register, Slot, Span, Timestamp, TitleId, VersionVector},
    store::{
        Read, StoreError, WholeTitle,
        rocks::{RocksOptions, directory, envelope, keys, options},
    },
};

/// Reads committed state without the writer; cheap to clone, and shared between threads.
///
/// Each call reads one committed state. Two calls may read two, the second never the older one.
#[derive(Clone)]
pub struct RocksReader {
    shared: Arc<Shared>,
}

struct Shared {
    db: DB,
    // RocksDB counts into these for as long as they live.
    options: Options,
    rotten: AtomicU64,
}

/// The column families.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    Registers,
    Changes,
    Vector,
    Notes,
}

impl Family {
    pub(super) const ALL: [Self; 4] = [Self::Registers, Self::Changes, Self::Vector, Self::Notes];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::Changes => "changes",
            Self::Vector => "vector",
            Self::Notes => "notes",
        }
    }
}

impl RocksReader {
    pub(super) fn open(directory: &Path, options: RocksOptions) -> Result<Self, StoreError> {
        let database = options::database(options);
        let db = DB::open_cf_descriptors(&database, directory, options::families(options))
            .map_err(|why| directory::not_opened(directory, &why))?;
        let shared = Shared { db, options: database, rotten: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How often a register was met that fails its check, since the store was opened.
    pub fn rotten(&self) -> u64 {
        self.shared.rotten.load(Ordering::Relaxed)
    }

    /// What all tables and the registers that wait to become one take, in bytes; `None` where RocksDB cannot say.
    pub fn bytes(&self) -> Option<u64> {
        let of =
            |family: Family, what| self.db().property_int_value_cf(self.family(family), what).ok().flatten();
        let mut bytes = 0;
        for family in [Family::Registers, Family::Changes, Family::Vector, Family::Notes] {
            bytes += of(family, properties::TOTAL_SST_FILES_SIZE)?;
            bytes += of(family, properties::CUR_SIZE_ALL_MEM_TABLES)?;
        }
        Some(bytes)
    }

    /// Copies everything committed so far into a directory that is not there yet, while the writer goes on. Files are linked
    /// where both are on one device, and copied otherwise.
    ///
    /// # Errors
    /// The directory cannot be written, or is there.
    pub fn checkpoint(&self, directory: &Path) -> Result<(), StoreError> {
        let checkpoint = Checkpoint::new(self.db()).map_err(failed)?;
        checkpoint.create_checkpoint(directory).map_err(failed)?;
        directory::mark(directory)
    }

    /// How often the write-ahead log was synced to the device, since the store was opened.
    pub fn log_syncs(&self) -> u64 {
        self.shared.options.get_ticker_count(Ticker::WalFileSynced)
    }

    /// Makes everything committed so far survive a power cut, while the writer goes on.
    ///
    /// # Errors
    /// What is on the device is unknown then, and this life must end.
    pub fn sync_log(&self) -> Result<(), StoreError> {
        self.db().flush_wal(true).map_err(failed)
    }

    pub(super) fn db(&self) -> &DB {
        &self.shared.db
    }

    pub(super) fn family(&self, family: Family) -> &ColumnFamily {
        self.db().cf_handle(family.name()).expect("opening names every family")
    }

    fn get<T>(
        &self,
        family: Family,
        key: impl AsRef<[u8]>,
        decode: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let value = self.db().get_pinned_cf(self.family(family), key).map_err(failed)?;
        value.map(|value| decode(&value)).transpose()
    }

    /// Visits what stands within `bounds`, from one committed state, up to the `limit`th.
    fn scan(
        &self,
        family: Family,
        bounds: impl IterateBounds,
        limit: usize,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(bounds);
        let mut iterator = self.db().raw_iterator_cf_opt(self.family(family), options);
        iterator.seek_to_first();
        for _ in 0..limit {
            let Some((key, value)) = iterator.item() else { break };
            visit(key, value)?;
            iterator.next();
        }
        iterator.status().map_err(failed)
    }

    /// Stands at the first register of a profile's contents that follow `after`, and ends with its last.
    fn contents_above(&self, profile: &ProfileId, after: Option<&ContentId>) -> DBRawIterator<'_> {
        let Range { start, end } = keys::contents_above(profile, after);
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(end);
        // It goes from title to title, past the filters that know one title each.
        options.set_total_order_seek(true);
        let mut iterator = self.db().raw_iterator_cf_opt(self.family(Family::Registers), options);
        iterator.seek(start);
        iterator
    }

    fn unless_rotten(&self, key: &Key, register: Register) -> Option<Register> {
        if register.is_sound(key) {
            return Some(register);
        }
        self.shared.rotten.fetch_add(1, Ordering::Relaxed);
        tracing::error!(title = %key.title, slot = ?key.slot, dot = %register.dot, "a register fails its check and is not served");
        None
    }
}

impl Read for RocksReader {
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
        let register = self.get(Family::Registers, keys::of_register(key), envelope::register)?;
        Ok(register.and_then(|register| self.unless_rotten(key, register)))
    }

    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
        let mut standing = Vec::new();
        let of_title = keys::of_title(title);
        self.scan(Family::Registers, PrefixRange(of_title.as_slice()), usize::MAX, |key, value| {
            let slot = keys::slot_in(&of_title, key).map_or_else(|| Ok(keys::register_at(key)?.slot), Ok)?;
            let register = self.unless_rotten(&title.key(slot), envelope::register(value)?);
            standing.extend(register.map(|register| (slot, register)));
            Ok(())
        })?;
        Ok(standing)
    }

    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError> {
        let mut iterator = self.contents_above(profile, after);
        let mut titles = Vec::new();
        while titles.len() < limit
            && let Some(key) = iterator.key()
        {
            let title = keys::register_at(key)?.title;
            iterator.seek(keys::contents_above(profile, Some(&title.content)).start);
            titles.push(title);
        }
        iterator.status().map_err(failed)?;
        Ok(titles)
    }

    /// One walk over registers that lie side by side, in place of two seeks a title.
    fn whole_titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<WholeTitle>, StoreError> {
        let mut iterator = self.contents_above(profile, after);
        let (mut titles, mut part) = (Vec::<WholeTitle>::new(), Vec::new());
        while let Some((bytes, value)) = iterator.item() {
            let slot = match keys::slot_in(&part, bytes) {
                Some(slot) if !part.is_empty() => slot,
                _ if titles.len() == limit => break,
                _ => {
                    let Key { title, slot } = keys::register_at(bytes)?;
                    part = keys::of_title(&title);
                    titles.push(WholeTitle { title, registers: Vec::new() });
                    slot
                }
            };
            let WholeTitle { title, registers } = titles.last_mut().expect("its first key has made it");
            let register = self.unless_rotten(&title.clone().key(slot), envelope::register(value)?);
            registers.extend(register.map(|register| (slot, register)));
            iterator.next();
        }
        iterator.status().map_err(failed)?;
        Ok(titles)
    }

    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
        let mut options = ReadOptions::default();
        let Range { start, end } = keys::of_shards(shards);
        options.set_iterate_range(start..end);
        options.set_total_order_seek(true);
        // It reads everything once, and would put out what is asked for all the time.
        options.fill_cache(false);
        let mut iterator = self.db().raw_iterator_cf_opt(self.family(Family::Registers), options);
        iterator.seek_to_first();
        let mut registers = Vec::new();
        while let Some((bytes, value)) = iterator.item() {
            let key = keys::register_at(bytes)?;
            let register = self.unless_rotten(&key, envelope::register(value)?);
            registers.extend(register.map(|register| (key, register)));
            iterator.next();
        }
        iterator.status().map_err(failed)?;
        Ok(registers)
    }

    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
        let mut entries = Vec::new();
        if span.after < span.upto {
            let [first, end] =
                [span.after, span.upto].map(|version| keys::above_change(span.origin, version));
            self.scan(Family::Changes, first..end, limit, |key, value| {
                entries.push((keys::version_at(key)?, envelope::change(value)?));
                Ok(())
            })?;
        }
        Ok(entries)
    }

    fn vector(&self) -> Result<VersionVector, StoreError> {
        let mut vector = VersionVector::default();
        self.scan(Family::Vector, .., usize::MAX, |key, value| {
            vector.advance(keys::origin_at(key)?, envelope::version(value)?);
            Ok(())
        })?;
        Ok(vector)
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Family::Notes, name, envelope::note)
    }
}

impl fmt::Debug for RocksReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.db().path();
        f.debug_struct("RocksReader").field("path", &path).field("rotten", &self.rotten()).finish()
    }
}

fn failed(why: rocksdb::Error) -> StoreError {
    if why.kind() == ErrorKind::Corruption {
        StoreError::Undecodable { what: "a block of the database".into(), why: why.into_string() }
    } else {
        StoreError::Io(why.into_string())
    }
}
