//! The suite that every store passes, on RocksDB.

use std::path::Path;

use playmark::store::{Batch, Durability, RocksOptions, RocksStore, Store, contract};

use crate::store::workload;

#[test]
fn it_keeps_the_contract() {
    let mut directories = Vec::new();
    contract::check(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = open(directory.path(), RocksOptions::default());
        directories.push(directory);
        store
    });
}

#[test]
fn it_answers_like_plain_maps_across_reopening() {
    for (seed, options) in [(1, RocksOptions::default()), (2, workload::tight()), (3, workload::tight())] {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        contract::check_model(open(directory.path(), options), seed, |store| {
            drop(store);
            open(directory.path(), options)
        });
    }
}

#[test]
fn the_log_is_synced_where_asked_for_and_only_there() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut store = open(directory.path(), RocksOptions::default());
    let reader = store.reader();
    let mut batch = Batch::default();
    batch.notes.insert("note".into(), vec![1]);

    let before = reader.log_syncs();
    for _ in 0..10 {
        store.commit(&batch, Durability::Process).expect("the device is sound");
    }
    assert_eq!(reader.log_syncs(), before);
    store.commit(&batch, Durability::Synced).expect("the device is sound");
    assert_eq!(reader.log_syncs(), before + 1);
    store.commit(&batch, Durability::Process).expect("the device is sound");
    store.sync().expect("the device is sound");
    assert_eq!(reader.log_syncs(), before + 2);
    store.commit(&batch, Durability::Process).expect("the device is sound");
    store.commit(&Batch::default(), Durability::Synced).expect("the device is sound");
    assert_eq!(reader.log_syncs(), before + 3, "an empty batch syncs what came before it");
}

fn open(directory: &Path, options: RocksOptions) -> RocksStore {
    RocksStore::open(directory, options).expect("the directory is ours alone")
}
