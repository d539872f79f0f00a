//! Whose directory it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use playmark::store::{RocksOptions, RocksStore, StoreError};

use crate::store::{
    child::{self, Running},
    crash,
};

#[test]
fn a_directory_is_made_with_those_above_it() {
    let parent = tempfile::tempdir().expect("a temporary directory can be made");
    let directory = parent.path().join("a/b/store");
    drop(open(&directory).expect("it can be made"));
    open(&directory).expect("it is there");
}

#[test]
fn a_directory_has_one_owner_until_store_and_readers_are_gone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = open(directory.path()).expect("it is new");
    let reader = store.reader();
    for holder in [Box::new(store) as Box<dyn std::fmt::Debug>, Box::new(reader)] {
        let why = refusal(directory.path());
        assert!(why.contains("another process has it open"), "{why}");
        assert!(why.contains(&directory.path().display().to_string()), "{why}");
        drop(holder);
    }
    open(directory.path()).expect("nobody holds it");
}

#[test]
fn a_directory_that_another_process_has_open_is_refused_until_that_ends() {
    if let Some(directory) = child::directory() {
        return crash::commit_until_killed(&directory);
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let test = "store::directory::a_directory_that_another_process_has_open_is_refused_until_that_ends";
    let mut child = Running::start(test, directory.path());
    child.read_until(|_| true).expect("the child opened it");
    let why = refusal(directory.path());
    assert!(why.contains("another process has it open"), "{why}");
    child.kill();
    open(directory.path()).expect("nobody holds it");
}

#[test]
fn another_format_is_refused_and_left_as_it_was() {
    for found in ["playmark store 2\n", "", "playmark store 1"] {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        drop(open(directory.path()).expect("it is new"));
        fs::write(directory.path().join("FORMAT"), found).expect("the file can be written");
        let before = files(directory.path());
        let why = refusal(directory.path());
        assert!(why.contains("its format is") && why.contains("playmark store 1"), "{why}");
        assert_eq!(files(directory.path()), before);
    }
}

#[test]
fn a_strange_database_is_refused_and_left_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    drop(rocksdb::DB::open_default(directory.path()).expect("it is new"));
    let before = files(directory.path());
    let why = refusal(directory.path());
    assert!(why.contains("no playmark store"), "{why}");
    assert_eq!(files(directory.path()), before);
}

#[test]
fn a_file_in_the_place_of_a_directory_is_refused() {
    let parent = tempfile::tempdir().expect("a temporary directory can be made");
    let file = parent.path().join("store");
    fs::write(&file, "text").expect("the file can be written");
    refusal(&file);
    assert_eq!(fs::read(&file).expect("it is still there"), b"text");
}

fn open(directory: &Path) -> Result<RocksStore, StoreError> {
    RocksStore::open(directory, RocksOptions::default())
}

fn refusal(directory: &Path) -> String {
    match open(directory) {
        Err(StoreError::Unusable(why)) => why,
        opened => panic!("it was to be refused as unusable: {opened:?}"),
    }
}

/// Names and contents of the files in a directory.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<_> =
        paths.map(|path| (path.clone(), fs::read(path).expect("it can be read"))).collect();
    files.sort();
    files
}
