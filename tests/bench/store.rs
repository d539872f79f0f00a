//! The store on a disk: what a commit costs beside RocksDB with nothing of ours in it.
//!
//! `cargo bench --bench store`. The ceiling writes the same number of values of the same size to one column
//! family, in one batch with the same log, and keeps no index. A heartbeat of the store's replaces a
//! register, takes the old entry out of the index and puts a new one in; a batch moves the vector.

use std::cell::Cell;

use divan::{Bencher, counter::ItemsCount};
use playmark::{
    crdt::{Dot, Key, Origin, Register, Slot, Stamp, Timestamp, TitleId, WallTime},
    store::{Batch, Durability, Read, RocksOptions, RocksStore, Store},
};
use tempfile::TempDir;

/// Heartbeats in a batch: one alone, a busy turn, and the most that a request may carry.
const BATCHES: [u64; 3] = [1, 64, 512];

/// Viewers who watch, each with one register that its heartbeats replace.
const VIEWERS: u64 = 100_000;

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
