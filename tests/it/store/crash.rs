//! Processes that end in the middle of it.
//!
//! A child commits batch after batch and says which ones were acknowledged; then its end comes.
#![expect(clippy::disallowed_methods, reason = "the rounds are bounded by time")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use playmark::store::{Durability, RocksOptions, RocksStore, Store, StoreError};
use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::store::{
    child::{self, Running, acknowledge},
    workload::{self, Model},
};

/// How often one store's process is killed.
const ROUNDS: usize = 48;
/// Rounds that a slow machine must manage.
const ROUNDS_MIN: usize = 12;
/// Time after which a slow machine may stop.
const ROUNDS_TIME: Duration = Duration::from_secs(30);
/// The most acknowledgements that a round waits for.
const ACKNOWLEDGED_MAX: u64 = 300;
/// One commit in so many asks for a synced one, and one in so many is followed by a sync.
const SYNCED_ONE_IN: u64 = 16;

/// More batches than a log of a megabyte takes.
const REFUSED_BEFORE: u64 = 2_000;

#[test]
fn what_was_acknowledged_survives_the_kill_of_the_process() {
    if let Some(directory) = child::directory() {
        return commit_until_killed(&directory);
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    // No seed to repeat: the moment of a kill is the scheduler's anyway.
    let mut rng = SmallRng::from_os_rng();
    let mut model = Model::default();
    let began = Instant::now();
    for round in 0..ROUNDS {
        if round >= ROUNDS_MIN && began.elapsed() > ROUNDS_TIME {
            break;
        }
        let mut child = Running::start(
            "store::crash::what_was_acknowledged_survives_the_kill_of_the_process",
            directory.path(),
        );
        let wanted = model.last() + rng.random_range(0..=ACKNOWLEDGED_MAX);
        let acknowledged = child.kill_once(|acknowledged| acknowledged >= wanted);
        compare_after_crash(directory.path(), &mut model, acknowledged);
    }
    let files = std::fs::read_dir(directory.path()).expect("the store is there");
    let tables = files
        .filter(|file| file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|e| e == "sst")));
    assert!(tables.count() > 0, "the rounds were to meet files being written, and there is none");
}

#[test]
fn a_process_killed_while_it_makes_the_store_leaves_one_that_opens() {
    if let Some(directory) = child::directory() {
        return commit_until_killed(&directory);
    }
    for made in ["", "FORMAT.new", "FORMAT", "LOCK", "IDENTITY", "MANIFEST-000001", "CURRENT", "000008.log"] {
        let parent = tempfile::tempdir().expect("a temporary directory can be made");
        let directory = parent.path().join("store");
        let mut child = Running::start(
            "store::crash::a_process_killed_while_it_makes_the_store_leaves_one_that_opens",
            &directory,
        );
        // What is made and removed again may be missed: then the first batch in a log ends the wait.
        let acknowledged = child.kill_when(|| directory.join(made).exists() || is_written_to(&directory));
        compare_after_crash(&directory, &mut Model::default(), acknowledged);
    }
}

/// Whether a batch has been written to a log.
fn is_written_to(store: &Path) -> bool {
    let files = std::fs::read_dir(store).into_iter().flatten().flatten();
    let mut logs = files.filter(|file| file.path().extension().is_some_and(|it| it == "log"));
    logs.any(|log| log.metadata().is_ok_and(|it| it.len() > 0))
}

#[test]
fn a_log_that_cannot_grow_ends_all_writing_and_loses_nothing_acknowledged() {
    if let Some(directory) = child::directory() {
        return commit_until_refused(&directory);
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    // A bound on the size of files, in half kilobytes, with the signal off so that it is an error.
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"];
    let test = "store::crash::a_log_that_cannot_grow_ends_all_writing_and_loses_nothing_acknowledged";
    let mut child = Running::start_under(&limited, test, directory.path());
    let acknowledged = child.read_until(|_| false);
    assert!(child.wait().success(), "what the child found is above");
    let mut model = Model::default();
    compare_after_crash(directory.path(), &mut model, acknowledged);
    assert!(model.last() > 10, "the bound was to leave room for some batches");
}

pub(super) fn commit_until_killed(directory: &Path) {
    let mut store =
        RocksStore::open(directory, workload::tight()).expect("a crash leaves a store that opens");
    for number in workload::last(&store) + 1.. {
        commit(&mut store, number).expect("the device is sound");
        acknowledge(number);
        if number % SYNCED_ONE_IN == SYNCED_ONE_IN / 2 {
            store.sync().expect("the device is sound");
        }
    }
}

fn commit_until_refused(directory: &Path) {
    // Buffers so large that nothing but the log grows.
    let mut store = RocksStore::open(directory, RocksOptions::default()).expect("the directory is new");
    let mut number = 1;
    let why = loop {
        match commit(&mut store, number) {
            Ok(()) => acknowledge(number),
            Err(why) => break why,
        }
        number += 1;
        assert!(number < REFUSED_BEFORE, "the log has a bound, and nothing met it");
    };
    assert!(matches!(why, StoreError::Io(_)), "{why:?}");
    for refused in [commit(&mut store, number), commit(&mut store, number + 1), store.sync()] {
        let why = refused.expect_err("nothing is written after a failure").to_string();
        assert!(why.contains("an earlier write failed"), "{why}");
    }
    let mut model = Model::default();
    model.advance_to(workload::last(&store));
    model.compare(&store);
}

fn commit(store: &mut RocksStore, number: u64) -> Result<(), StoreError> {
    let durability =
        if number.is_multiple_of(SYNCED_ONE_IN) { Durability::Synced } else { Durability::Process };
    let batch = workload::batch(store, number);
    store.commit(&batch, durability)
}

/// Opens what a crash left, as any start does, and compares it with what was acknowledged.
fn compare_after_crash(directory: &Path, model: &mut Model, acknowledged: Option<u64>) {
    let store = RocksStore::open(directory, workload::tight()).expect("a crash leaves a store that opens");
    let acknowledged = acknowledged.unwrap_or(model.last());
    let standing = workload::last(&store);
    let one_more = acknowledged + 1;
    assert!(
        standing >= acknowledged,
        "{acknowledged} was acknowledged, and {standing} is the last that stands"
    );
    assert!(standing <= one_more, "{standing} stands, and only {one_more} can have been under way");
    model.advance_to(standing);
    model.compare(&store);
    assert_eq!(store.reader().rotten(), 0);
}
