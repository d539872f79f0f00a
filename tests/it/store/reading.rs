//! Reading beside the writer.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use playmark::{
    crdt::{Span, Timestamp, VersionVector},
    store::{Batch, Durability, Read, RocksReader, RocksStore, Store},
};

use crate::store::workload::{key, register, tight};

const SLOTS: u8 = 8;
const ROUNDS: u64 = 3_000;

#[test]
fn a_title_and_a_span_are_each_read_from_one_committed_state() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut store = RocksStore::open(directory.path(), tight()).expect("it is new");
    commit_round(&mut store, 1);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = &done;
        let readers = [store.reader(), store.reader()];
        let readers = readers.map(|reader| scope.spawn(move || read_rounds(&reader, done)));
        for round in 2..=ROUNDS {
            commit_round(&mut store, round);
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().expect("a reader's assertion held") > 0);
        }
    });
}

#[test]
fn a_reader_sees_what_was_committed_before_it_asked() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut store = RocksStore::open(directory.path(), tight()).expect("it is new");
    let reader = store.reader();
    for round in 1..100 {
        commit_round(&mut store, round);
        assert_eq!(title(&reader), [round; SLOTS as usize]);
        assert_eq!(vector(&reader), vector(&store));
    }
}

/// Gives all slots of one title, and as many entries of the index, the number of the round.
fn commit_round(store: &mut RocksStore, round: u64) {
    let mut batch = Batch::default();
    for slot in 0..SLOTS {
        let key = key(0, slot);
        let version = |round: u64| Timestamp::from_u64(round * u64::from(SLOTS) + u64::from(slot));
        let register = register(&key, version(round), round.to_be_bytes().into());
        let origin = register.dot.origin;
        batch.changes.insert((origin, version(round - 1)), None);
        batch.changes.insert((origin, version(round)), Some(key.clone()));
        batch.vector.advance(origin, version(round));
        batch.registers.insert(key, Some(register));
    }
    store.commit(&batch, Durability::Process).expect("the device is sound");
}

/// Reads until the writer is done, and returns how often.
fn read_rounds(reader: &RocksReader, done: &AtomicBool) -> u64 {
    let (mut times, mut seen) = (0, 0);
    while !done.load(Ordering::Acquire) {
        let rounds = title(reader);
        assert_eq!(rounds, [rounds[0]; SLOTS as usize], "one state");
        assert!(rounds[0] >= seen, "round {} after {seen}", rounds[0]);
        seen = rounds[0];
        let entries = entries(reader);
        assert_eq!(entries, [entries[0]; SLOTS as usize], "one state");
        assert!(entries[0] >= seen, "round {} after {seen}", entries[0]);
        times += 1;
    }
    times
}

fn title(reader: &RocksReader) -> Vec<u64> {
    let title = reader.title(&key(0, 0).title).expect("the device is sound");
    let round = |value: &[u8]| u64::from_be_bytes(value.try_into().expect("the value is a number"));
    title.iter().map(|(_, register)| round(&register.value)).collect()
}

fn entries(reader: &RocksReader) -> Vec<u64> {
    let origin = register(&key(0, 0), Timestamp::ZERO, vec![]).dot.origin;
    let span = Span { origin, after: Timestamp::ZERO, upto: Timestamp::from_u64(u64::MAX) };
    let entries = reader.changes(span, usize::MAX).expect("the device is sound");
    entries.iter().map(|(version, _)| version.as_u64() / u64::from(SLOTS)).collect()
}

fn vector(store: &impl Read) -> VersionVector {
    store.vector().expect("the device is sound")
}
