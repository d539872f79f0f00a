//! What RocksDB is told, and why.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode,
    LogLevel, Options, SliceTransform, statistics::StatsLevel,
};

use crate::store::rocks::{keys, reader::Family};

/// How much of the machine the store takes. Every field bounds one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RocksOptions {
    /// Bytes of blocks, indexes and filters kept in memory.
    ///
    /// More spares reads from the device; less leaves memory to the system's own cache, which holds the
    /// same blocks compressed. Rule of thumb: no less than 16 MiB.
    pub block_cache_bytes: usize,
    /// Bytes of writes, over all column families, at which the oldest go to a file.
    ///
    /// More writes a register that changes every second to fewer files; less bounds memory. A device that
    /// cannot keep up stalls the writer before four times as much is held.
    pub write_buffer_bytes: usize,
    /// Bytes of the write-ahead log at which what holds the oldest of it is written to a file.
    ///
    /// It bounds what opening replays, and matters for families that change too little to fill a buffer.
    /// Rule of thumb: as much as the write buffer, or a little more.
    pub log_bytes: u64,
}

impl Default for RocksOptions {
    /// Fits a machine of two cores and half a gigabyte.
    fn default() -> Self {
        Self {
            block_cache_bytes: 64 * 1024 * 1024,
            write_buffer_bytes: 48 * 1024 * 1024,
            log_bytes: 64 * 1024 * 1024,
        }
    }
}

/// One job flushes while another compacts: less would make a flush wait for a compaction and stall the
/// writer, more would take both cores of a small machine from it.
const BACKGROUND_JOBS: i32 = 2;

/// Open files: half of the 1,024 that a process may have where nobody has changed it.
const OPEN_FILES: i32 = 512;

/// Write buffers of one family: one fills, one is written to a file, and one is spare so that a slow
/// device does not stall the writer at once.
const WRITE_BUFFERS: i32 = 3;

/// A family's buffer is this part of all buffers' bytes, so that one family alone never reaches the total.
const WRITE_BUFFER_PARTS: usize = 3;

/// RocksDB's own log of events: four files of a megabyte, for whoever looks into an incident.
const EVENT_LOG_FILES: usize = 4;
const EVENT_LOG_BYTES: usize = 1024 * 1024;

/// A piece of a file's index or filter: as long as a block of data, and as cheap to read.
const METADATA_BLOCK_BYTES: usize = 4 * 1024;

/// Bits of filter for a key: about one look into a file in a hundred is in vain.
const FILTER_BITS: f64 = 10.0;

/// What is told to the database.
pub(super) fn database(options: RocksOptions) -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    // Replays the log up to the first record that is not whole, which is what a power cut leaves. The two
    // stricter and laxer modes refuse to open after some power cuts.
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_db_write_buffer_size(options.write_buffer_bytes);
    database.set_max_total_wal_size(options.log_bytes);
    database.set_max_background_jobs(BACKGROUND_JOBS);
    database.set_max_open_files(OPEN_FILES);
    database.set_keep_log_file_num(EVENT_LOG_FILES);
    database.set_max_log_file_size(EVENT_LOG_BYTES);
    database.set_log_level(LogLevel::Warn);
    database.enable_statistics();
    database.set_statistics_level(StatsLevel::ExceptHistogramOrTimers);
    database
}

/// What is told to each column family.
pub(super) fn families(options: RocksOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    let describe =
        |family| ColumnFamilyDescriptor::new(Family::name(family), self::family(family, options, &cache));
    let mut families: Vec<_> = Family::ALL.map(describe).into();
    // RocksDB insists on this one; nothing is kept in it.
    families.push(ColumnFamilyDescriptor::new(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, Options::default()));
    families
}

fn family(family: Family, options: RocksOptions, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    // Indexes and filters grow with the data; in the cache they are bounded with it.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In one piece they are as long as a megabyte for each file: longer than a part of the cache, so that each look
    // would read them again. In pieces of a block only what is looked at is kept; the tops stay.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(METADATA_BLOCK_BYTES);
    blocks.set_pin_top_level_index_and_filter(true);
    let mut told = Options::default();
    told.set_compression_type(DBCompressionType::Lz4);
    told.set_write_buffer_size(options.write_buffer_bytes / WRITE_BUFFER_PARTS);
    told.set_max_write_buffer_number(WRITE_BUFFERS);
    match family {
        Family::Registers => {
            // Both ways of reading ask the filter first: one register by its key, a title by its part.
            blocks.set_bloom_filter(FILTER_BITS, false);
            let title = SliceTransform::create("title", keys::title_part, Some(keys::has_title_part));
            told.set_prefix_extractor(title);
        }
        // Only ever scanned, or too few to matter.
        Family::Changes | Family::Vector | Family::Notes => {}
    }
    told.set_block_based_table_factory(&blocks);
    told
}
