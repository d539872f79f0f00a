//! The store on a disk: what a commit, and a row of titles, cost beside RocksDB with nothing of ours in it.
//!
//! `cargo bench --bench store`. The ceiling writes the same number of values of the same size to one column
//! family, in one batch with the same log, and keeps no index. A heartbeat of the store's replaces a
//! register, takes the old entry out of the index and puts a new one in; a batch moves the vector.
//!
//! A row's ceiling walks once over the profile's registers as they are stored, and looks at each byte's
//! length; a row walks as far, reads each title, finds its resume point, and orders what it found.

use std::cell::Cell;

use divan::{Bencher, counter::ItemsCount};
use playmark::{
    crdt::{Dot, Key, Origin, Register, Slot, Stamp, Timestamp, TitleId, WallTime},
    playback::{
        Grouping, Heartbeat, Known, Outcome, Policy, Sample, Sender, SessionId, Started, accept, resume, row,
        slot,
    },
    store::{Batch, Durability, Read, RocksOptions, RocksStore, Store},
};
use tempfile::TempDir;

/// Heartbeats in a batch: one alone, a busy turn, and the most that a request may carry.
const BATCHES: [u64; 3] = [1, 64, 512];

/// Viewers who watch, each with one register that its heartbeats replace.
const VIEWERS: u64 = 100_000;

/// Titles in a row, and sessions of each: a household's.
const ROW_TITLES: u64 = 50;
const ROW_SESSIONS: u8 = 4;

/// About what a heartbeat takes.
const VALUE_BYTES: usize = 80;

const ORIGIN: Origin = Origin::from_random(1);

fn main() {
    divan::main();
}

#[divan::bench(args = BATCHES)]
fn ceiling_put(bencher: Bencher, heartbeats: u64) {
    let directory = directory();
    let db = rocksdb::DB::open_default(directory.path()).expect("it is new");
    let next = Cell::new(0);
    let values: Vec<_> = (0..heartbeats).map(|_| [7_u8; 2 * VALUE_BYTES]).collect();
    bencher.counter(ItemsCount::new(heartbeats)).bench_local(|| {
        let mut batch = rocksdb::WriteBatch::default();
        for value in &values {
            batch.put(title(next.get()).to_string(), value);
            next.set(next.get() + 1);
        }
        db.write(batch).expect("the device is sound");
    });
}

#[divan::bench(args = BATCHES)]
fn commit(bencher: Bencher, heartbeats: u64) {
    bench_commit(bencher, heartbeats, Durability::Process);
}

#[divan::bench(args = BATCHES, sample_count = 20)]
fn commit_synced(bencher: Bencher, heartbeats: u64) {
    bench_commit(bencher, heartbeats, Durability::Synced);
}

#[divan::bench]
fn title_read(bencher: Bencher) {
    let directory = directory();
    let store = filled(&directory);
    let next = Cell::new(0);
    bencher.bench_local(|| {
        // A step that has no part in common with their number visits all of them, far apart.
        next.set((next.get() + 7_919) % VIEWERS);
        store.title(&title(next.get())).expect("the device is sound")
    });
}

/// What the row is made from, walked over and not looked at.
#[divan::bench]
fn row_ceiling_scan(bencher: Bencher) {
    let directory = directory();
    drop(with_row(&directory));
    let options = rocksdb::Options::default();
    let db = rocksdb::DB::open_cf_for_read_only(&options, directory.path(), ["registers"], false);
    let db = db.expect("the store has closed");
    let registers = db.cf_handle("registers").expect("the store has made it");
    let prefix = row_prefix(&db, registers);
    bencher.bench_local(|| {
        let mut options = rocksdb::ReadOptions::default();
        options.set_iterate_range(rocksdb::PrefixRange(prefix.as_slice()));
        options.set_total_order_seek(true);
        let mut iterator = db.raw_iterator_cf_opt(registers, options);
        iterator.seek_to_first();
        let (mut count, mut bytes) = (0, 0);
        while let Some((key, value)) = iterator.item() {
            (count, bytes) = (count + 1, bytes + key.len() + value.len());
            iterator.next();
        }
        assert_eq!(count, ROW_TITLES * u64::from(ROW_SESSIONS));
        bytes
    });
}

#[divan::bench]
fn row_of_50(bencher: Bencher) {
    let directory = directory();
    drop(with_row(&directory));
    let store = RocksStore::open(directory.path(), RocksOptions::default()).expect("it was just closed");
    let policy = Policy::default();
    let profile = row_title(0).profile;
    bencher.bench_local(|| {
        let mut started = Vec::new();
        for whole in store.whole_titles(&profile, None, usize::MAX).expect("the device is sound") {
            let point = resume(&whole.registers, None, &policy);
            started.extend(point.and_then(|point| Started::of(whole.title.content, point, &policy)));
        }
        let page = row(started, Grouping::Series, None, 20);
        assert_eq!(page.items.len(), 20);
        page
    });
}

#[divan::bench]
fn row_names(bencher: Bencher) {
    let directory = directory();
    let store = with_row(&directory);
    let profile = row_title(0).profile;
    bencher.bench_local(|| store.titles(&profile, None, usize::MAX).expect("the device is sound"));
}

/// A store in which every viewer has a register, and one has a row.
fn with_row(directory: &TempDir) -> RocksStore {
    let mut store = filled(directory);
    let mut batch = Batch::default();
    for title in (0..ROW_TITLES).map(row_title) {
        for session in 0..ROW_SESSIONS {
            let id = SessionId::from_bytes([session; 16]);
            let key = title.key(slot::session(id));
            let number = ROW_TITLES * u64::from(session);
            let stamp = Stamp { time: WallTime::from_ms(number), counter: 1, writer: key.slot.id };
            let dot = Dot { origin: ORIGIN, version: Timestamp::from_u64(number + 1) };
            batch.registers.insert(key.clone(), Some(Register::seal(&key, stamp, dot, sample().encode())));
        }
    }
    store.commit(&batch, Durability::Synced).expect("the device is sound");
    store
}

fn row_title(number: u64) -> TitleId {
    TitleId::parse("a viewer with a row", &format!("shows/{}/{number}", number % 5)).expect("both are ids")
}

/// What the keys of the viewer's registers begin with: two bytes that are a hash, and the viewer.
fn row_prefix(db: &rocksdb::DB, registers: &rocksdb::ColumnFamily) -> Vec<u8> {
    let viewer = row_title(0).profile.to_string() + "\0";
    let mut iterator = db.raw_iterator_cf(registers);
    iterator.seek_to_first();
    while let Some(key) = iterator.key() {
        if key[2..].starts_with(viewer.as_bytes()) {
            return key[..2 + viewer.len()].to_vec();
        }
        iterator.next();
    }
    panic!("the viewer has registers");
}

fn sample() -> Sample {
    let heartbeat = r#"{"profile":"p","content":"c","seq":9,"position_ms":1200000,"duration_ms":7200000,
        "event":"playing","played_ms":60000,"device":"TV"}"#;
    let heartbeat = Heartbeat::from_json(heartbeat.as_bytes()).expect("a heartbeat");
    let (title, session) = heartbeat.unsigned().expect("it names both");
    let (sender, now) = (Sender::Unsigned { title: &title, session }, WallTime::from_ms(1_700_000_000_000));
    let accepted = accept(&heartbeat, sender, Known::default(), now, &Policy::default()).expect("let in");
    match accepted.outcome {
        Outcome::Write { place, .. } => Sample::decode(&place.value).expect("it was just encoded"),
        Outcome::Acknowledge(why) => panic!("it says something: {why:?}"),
    }
}

fn bench_commit(bencher: Bencher, heartbeats: u64, durability: Durability) {
    let directory = directory();
    let mut store = filled(&directory);
    let next = Cell::new(VIEWERS);
    let batches = || {
        let first = next.replace(next.get() + heartbeats);
        batch(first, heartbeats)
    };
    let bencher = bencher.counter(ItemsCount::new(heartbeats)).with_inputs(batches);
    bencher.bench_local_refs(|batch| store.commit(batch, durability).expect("the device is sound"));
}

/// A store in which every viewer has a register.
fn filled(directory: &TempDir) -> RocksStore {
    let mut store = RocksStore::open(directory.path(), RocksOptions::default()).expect("it is new");
    for first in (0..VIEWERS).step_by(500) {
        store.commit(&batch(first, 500), Durability::Process).expect("the device is sound");
    }
    store
}

/// The heartbeats from number `first` on, each of another viewer, in a round that starts again.
fn batch(first: u64, heartbeats: u64) -> Batch {
    let mut batch = Batch::default();
    for number in first..first + heartbeats {
        let key = key(number % VIEWERS);
        let version = |number: u64| Timestamp::from_u64(number + 1);
        if let Some(before) = number.checked_sub(VIEWERS) {
            batch.changes.insert((ORIGIN, version(before)), None);
        }
        let stamp = Stamp { time: WallTime::from_ms(number), counter: 1, writer: key.slot.id };
        let dot = Dot { origin: ORIGIN, version: version(number) };
        let register = Register::seal(&key, stamp, dot, [7; VALUE_BYTES].as_slice().into());
        batch.changes.insert((ORIGIN, version(number)), Some(key.clone()));
        batch.vector.advance(ORIGIN, version(number));
        batch.registers.insert(key, Some(register));
    }
    batch
}

fn key(viewer: u64) -> Key {
    title(viewer).key(Slot { kind: 1, id: u128::from(viewer).to_be_bytes() })
}

fn title(viewer: u64) -> TitleId {
    let viewer = viewer % VIEWERS;
    TitleId::parse(&format!("viewer {viewer}"), &format!("film/{}", viewer % 1_000)).expect("both are ids")
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}
