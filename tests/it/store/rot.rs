//! Bytes that are not what was written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use playmark::{
    crdt::{Register, Timestamp, VersionVector},
    store::{Batch, Durability, Read, RocksOptions, RocksStore, Store, StoreError},
};

use crate::store::workload::{self, Model, key, register};

/// How many bits of a table are flipped, one after the other.
const FLIPS: usize = 16;

#[test]
fn a_register_that_fails_its_check_is_counted_and_not_served() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut store = open(directory.path());
    let (rotten, sound) = (key(0, 0), key(0, 1));
    let mut batch = Batch::default();
    let version = Timestamp::from_u64(1);
    let rot = Register { value: b"rot".as_slice().into(), ..register(&rotten, version, vec![]) };
    batch.registers.insert(rotten.clone(), Some(rot));
    batch.registers.insert(sound.clone(), Some(register(&sound, version, vec![])));
    store.commit(&batch, Durability::Process).expect("the device is sound");

    let reader = store.reader();
    assert_eq!(reader.rotten(), 0);
    assert_eq!(store.register(&rotten).expect("rot is no error"), None);
    assert_eq!(reader.rotten(), 1);
    let title = reader.title(&rotten.title).expect("rot is no error");
    assert_eq!(title.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [sound.slot]);
    assert_eq!(store.reader().rotten(), 2, "all readers count together");
}

#[test]
fn values_of_an_unknown_format_are_undecodable() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut store = open(directory.path());
    let batch = workload::batch(&store, 1);
    store.commit(&batch, Durability::Process).expect("the device is sound");
    drop(store);
    for family in ["registers", "changes", "vector", "notes"] {
        give_unknown_format(directory.path(), family);
    }
    // The vector is read at the start: what cannot be read there is met before anything is served.
    assert_undecodable(&RocksStore::open(directory.path(), RocksOptions::default()));
    give_known_format(directory.path(), "vector");
    let store = open(directory.path());
    let key = batch.registers.iter().find_map(|(key, register)| register.as_ref().map(|_| key));
    let key = key.expect("the batch puts a register");
    assert_undecodable(&store.register(key));
    assert_undecodable(&store.title(&key.title));
    let spans = store.vector().expect("its format is known").beyond(&VersionVector::default());
    assert_undecodable(&store.changes(spans[0], 1));
    assert_undecodable(&store.note("last"));
}

/// Peers are the witness of what went: their vectors are ahead of this store's for its own origins.
#[test]
fn a_flipped_bit_in_the_log_takes_the_batches_after_it_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    commit_some(directory.path(), 100);
    let log = largest(directory.path(), "log");
    let bytes = log.metadata().expect("it is there").len();
    flip(&log, usize::try_from(bytes / 2).expect("the log is small"));
    let store = open(directory.path());
    let standing = workload::last(&store);
    assert!((1..100).contains(&standing), "{standing} of 100 batches stand");
    let mut model = Model::default();
    model.advance_to(standing);
    model.compare(&store);
}

#[test]
fn a_flipped_bit_in_a_table_is_an_error_and_never_another_answer() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    commit_some(directory.path(), 100);
    // Opening writes what the log holds to tables.
    drop(open(directory.path()));
    let mut model = Model::default();
    model.advance_to(100);
    let table = largest(directory.path(), "sst");
    let sound = fs::read(&table).expect("it is there");
    let refused = (0..FLIPS).map(|part| {
        flip(&table, sound.len() * part / FLIPS);
        let refused = answers_refused(directory.path(), &model);
        fs::write(&table, &sound).expect("it can be written");
        refused
    });
    // Where the two differ, the bit was one that nobody reads.
    let met = refused.filter(|&refused| refused > 0).count();
    assert!(met > FLIPS / 2, "{met} of {FLIPS} flipped bits were met");
}

/// How many titles cannot be read; all others are the model's.
fn answers_refused(directory: &Path, model: &Model) -> usize {
    let store = match RocksStore::open(directory, RocksOptions::default()) {
        Ok(store) => store,
        Err(StoreError::Unusable(_)) => return workload::titles().count(),
        Err(why) => panic!("{why:?}"),
    };
    let refused = workload::titles().filter(|title| match store.title(title) {
        Ok(registers) => {
            assert_eq!(registers, model.title(title));
            false
        }
        Err(why) => {
            assert!(matches!(why, StoreError::Undecodable { .. }), "{why:?}");
            true
        }
    });
    refused.count()
}

fn open(directory: &Path) -> RocksStore {
    RocksStore::open(directory, RocksOptions::default()).expect("the directory is ours alone")
}

fn commit_some(directory: &Path, batches: u64) {
    let mut store = open(directory);
    for number in 1..=batches {
        let batch = workload::batch(&store, number);
        store.commit(&batch, Durability::Process).expect("the device is sound");
    }
}

fn assert_undecodable<T: std::fmt::Debug>(read: &Result<T, StoreError>) {
    assert!(matches!(read, Err(StoreError::Undecodable { .. })), "{read:?}");
}

fn give_unknown_format(directory: &Path, family: &str) {
    change_formats(directory, family, 9);
}

fn give_known_format(directory: &Path, family: &str) {
    change_formats(directory, family, 1);
}

/// Replaces the first byte of every value in a column family, behind the store's back.
fn change_formats(directory: &Path, family: &str, format: u8) {
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), directory).expect("it is a database");
    let db =
        rocksdb::DB::open_cf(&rocksdb::Options::default(), directory, families).expect("nobody holds it");
    let handle = db.cf_handle(family).expect("the family is there");
    for entry in db.iterator_cf(handle, rocksdb::IteratorMode::Start) {
        let (key, mut value) = entry.expect("the device is sound");
        value[0] = format;
        db.put_cf(handle, key, value).expect("the device is sound");
    }
}

/// The largest file whose name ends so.
fn largest(directory: &Path, extension: &str) -> PathBuf {
    let entries = fs::read_dir(directory).expect("the store is there");
    let files = entries.map(|entry| entry.expect("it can be listed").path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    files.max_by_key(|path| path.metadata().expect("it is there").len()).expect("there is one")
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("it can be written");
}
