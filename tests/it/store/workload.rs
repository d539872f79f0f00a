//! Batches that a crash may meet, and how to tell what it left.

use playmark::{
    crdt::{Dot, Key, Origin, Register, Slot, Span, Stamp, Timestamp, TitleId, WallTime},
    store::{Batch, Durability, MemoryStore, Read, RocksOptions, Store},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};

const ORIGIN: Origin = Origin::from_random(0xa11c);
const TITLES: u64 = 40;
const SLOTS: u8 = 5;
/// The note that says which batch came last.
const LAST: &str = "last";
/// The most registers a batch changes, as many as a large group commit.
const REGISTERS_MAX: u64 = 64;

/// Buffers so small that files are written, compacted and removed all the time.
pub(super) fn tight() -> RocksOptions {
    RocksOptions { block_cache_bytes: 1024 * 1024, write_buffer_bytes: 192 * 1024, log_bytes: 256 * 1024 }
}

/// The number of the last batch that stands, zero where none does.
pub(super) fn last(store: &impl Read) -> u64 {
    let note = store.note(LAST).expect("the device is sound");
    note.map_or(0, |note| u64::from_be_bytes(note.try_into().expect("the note is a number")))
}

/// The batch of this number, on top of what `store` holds: a function of both alone.
///
/// It replaces and removes registers, takes the index entries of those from the index, and moves vector
/// and note, so that each part of it would be missed if it did not stand with the others.
pub(super) fn batch(store: &impl Read, number: u64) -> Batch {
    let mut rng = SmallRng::seed_from_u64(number);
    let mut batch = Batch::default();
    for n in 0..rng.random_range(1..=REGISTERS_MAX) {
        let key = key(rng.random_range(0..TITLES), rng.random_range(0..SLOTS));
        if batch.registers.contains_key(&key) {
            continue;
        }
        if let Some(before) = store.register(&key).expect("the device is sound") {
            batch.changes.insert((ORIGIN, before.dot.version), None);
        }
        let version = Timestamp::from_u64(number * REGISTERS_MAX + n);
        batch.vector.advance(ORIGIN, version);
        let goes = rng.random_ratio(1, 8);
        if !goes {
            batch.changes.insert((ORIGIN, version), Some(key.clone()));
        }
        let mut value = vec![0; rng.random_range(0..200)];
        rng.fill(value.as_mut_slice());
        let register = (!goes).then(|| register(&key, version, value));
        batch.registers.insert(key, register);
    }
    batch.notes.insert(LAST.into(), number.to_be_bytes().into());
    batch
}

/// What the first batches leave, in memory.
#[derive(Default)]
pub(super) struct Model {
    store: MemoryStore,
}

impl Model {
    /// Moves on to the state after the batch of this number.
    pub(super) fn advance_to(&mut self, number: u64) {
        for number in last(&self.store) + 1..=number {
            let batch = batch(&self.store, number);
            self.store.commit(&batch, Durability::Synced).expect("memory does not fail");
        }
    }

    /// The number of the last batch.
    pub(super) fn last(&self) -> u64 {
        last(&self.store)
    }

    /// All that a title holds.
    pub(super) fn title(&self, title: &TitleId) -> Vec<(Slot, Register)> {
        read(&self.store, title)
    }

    /// Panics unless registers, index, vector and note are those that the batches left.
    pub(super) fn compare(&self, store: &impl Read) {
        for title in titles() {
            assert_eq!(read(store, &title), self.title(&title), "{title} after {}", self.last());
        }
        let span = Span { origin: ORIGIN, after: Timestamp::ZERO, upto: Timestamp::from_u64(u64::MAX) };
        let entries = |store: &dyn Read| store.changes(span, usize::MAX).expect("the device is sound");
        assert_eq!(entries(store), entries(&self.store), "the index after {}", self.last());
        let vector = |store: &dyn Read| store.vector().expect("the device is sound");
        assert_eq!(vector(store), vector(&self.store));
        assert_eq!(last(store), self.last());
    }
}

/// Every title that the batches touch.
pub(super) fn titles() -> impl Iterator<Item = TitleId> {
    (0..TITLES).map(|n| key(n, 0).title)
}

fn read(store: &impl Read, title: &TitleId) -> Vec<(Slot, Register)> {
    store.title(title).expect("the device is sound")
}

/// One of the keys that the batches touch.
pub(super) fn key(title: u64, slot: u8) -> Key {
    let title = TitleId::parse(&format!("viewer {}", title % 7), &format!("film/{title}"));
    title.expect("both are ids").key(Slot { kind: 1, id: [slot; 16] })
}

/// A sound register.
pub(super) fn register(key: &Key, version: Timestamp, value: Vec<u8>) -> Register {
    let stamp = Stamp { time: WallTime::from_ms(version.as_u64()), counter: 1, writer: [2; 16] };
    Register::seal(key, stamp, Dot { origin: ORIGIN, version }, value.into())
}
