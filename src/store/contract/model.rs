//! Random batches against plain maps.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::{
    crdt::{ContentId, Key, Origin, ProfileId, Register, Slot, Span, Timestamp, TitleId, VersionVector},
    store::{
        Batch, Durability, Read, Store, WholeTitle,
        contract::samples::{origins, register, rotten, slots, sure, titles, versions},
    },
};

/// How many batches one seed commits: enough that most places have been written, replaced and removed.
pub const STEPS: usize = 200;

/// The greatest number of changes of each kind in one batch.
const CHANGES_MAX: usize = 12;

/// One batch in so many is followed by reopening.
const REOPENED_ONE_IN: u32 = 20;

/// What a store must answer, in maps too plain to be wrong.
#[derive(Default)]
struct Model {
    registers: BTreeMap<Key, Register>,
    changes: BTreeMap<(Origin, Timestamp), Key>,
    vector: VersionVector,
    notes: BTreeMap<String, Vec<u8>>,
}

/// Commits random batches, reopens now and then, and compares everything that can be read with a model.
///
/// `reopen` closes a store and opens it again; where that means nothing, it gives back what it was given.
///
/// # Panics
/// Where a store breaks the contract; the message names the seed.
pub fn check_model<S: Store>(mut store: S, seed: u64, mut reopen: impl FnMut(S) -> S) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let titles = titles();
    let mut model = Model::default();
    for step in 0..STEPS {
        let batch = batch(&mut rng, &titles);
        let durability = if rng.random_ratio(1, 8) { Durability::Synced } else { Durability::Process };
        sure(store.commit(&batch, durability));
        model.apply(batch);
        if rng.random_ratio(1, REOPENED_ONE_IN) {
            store = reopen(store);
        }
        model.compare(&store, &mut rng, &titles, &format!("seed {seed}, step {step}"));
    }
}

fn batch(rng: &mut SmallRng, titles: &[TitleId]) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..rng.random_range(0..=CHANGES_MAX) {
        let key = key(rng, titles);
        let register = match rng.random_range(0..10) {
            0 => Some(rotten(&key, rng.random())),
            1..7 => Some(register(&key, rng.random())),
            _ => None,
        };
        batch.registers.insert(key, register);
    }
    for _ in 0..rng.random_range(0..=CHANGES_MAX) {
        let key = rng.random_ratio(2, 3).then(|| key(rng, titles));
        batch.changes.insert((pick(rng, &origins()), pick(rng, &versions())), key);
    }
    for _ in 0..rng.random_range(0..3) {
        // Small ones too, so that most moves would be downwards.
        let version = Timestamp::from_u64(rng.random::<u64>() >> rng.random_range(0..64));
        batch.vector.advance(pick(rng, &origins()), version);
    }
    if rng.random_ratio(1, 4) {
        let note = vec![rng.random(); rng.random_range(0..100)];
        batch.notes.insert(pick(rng, &["", "a", "ab"]).into(), note);
    }
    batch
}

fn key(rng: &mut SmallRng, titles: &[TitleId]) -> Key {
    pick(rng, titles).key(pick(rng, &slots()))
}

fn pick<T: Clone>(rng: &mut SmallRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())].clone()
}

impl Model {
    fn apply(&mut self, batch: Batch) {
        for (key, register) in batch.registers {
            self.registers.remove(&key);
            self.registers.extend(register.map(|register| (key, register)));
        }
        for (place, key) in batch.changes {
            self.changes.remove(&place);
            self.changes.extend(key.map(|key| (place, key)));
        }
        self.vector.merge(&batch.vector);
        self.notes.extend(batch.notes);
    }

    fn compare(&self, store: &impl Read, rng: &mut SmallRng, titles: &[TitleId], when: &str) {
        for title in titles {
            assert_eq!(sure(store.title(title)), self.title(title), "{title}, {when}");
        }
        let TitleId { profile, content } = pick(rng, titles);
        let limit = rng.random_range(0..10);
        for after in [None, Some(&content)] {
            let found = sure(store.titles(&profile, after, limit));
            let expected = self.titles(&profile, after, limit);
            assert_eq!(found, expected, "{limit} of {profile} after {after:?}, {when}");
            let whole = sure(store.whole_titles(&profile, after, limit));
            let expected: Vec<_> = expected.into_iter().map(|title| self.whole(title)).collect();
            assert_eq!(whole, expected, "{limit} whole of {profile} after {after:?}, {when}");
        }
        let key = key(rng, titles);
        let standing = self.registers.get(&key).filter(|register| register.is_sound(&key));
        assert_eq!(sure(store.register(&key)).as_ref(), standing, "{key:?}, {when}");
        for origin in origins() {
            let span = Span { origin, after: pick(rng, &versions()), upto: pick(rng, &versions()) };
            for span in [span, Span { origin, after: Timestamp::ZERO, upto: Timestamp::from_u64(u64::MAX) }] {
                let limit = rng.random_range(0..2 * versions().len());
                let found = sure(store.changes(span, limit));
                assert_eq!(found, self.changes(span, limit), "{span:?} to {limit}, {when}");
            }
        }
        assert_eq!(sure(store.vector()), self.vector, "{when}");
        for name in ["", "a", "ab", "b"] {
            assert_eq!(sure(store.note(name)).as_ref(), self.notes.get(name), "{name:?}, {when}");
        }
    }

    fn title(&self, title: &TitleId) -> Vec<(Slot, Register)> {
        let of_title =
            self.registers.iter().filter(|(key, register)| key.title == *title && register.is_sound(key));
        of_title.map(|(key, register)| (key.slot, register.clone())).collect()
    }

    fn whole(&self, title: TitleId) -> WholeTitle {
        WholeTitle { registers: self.title(&title), title }
    }

    fn titles(&self, profile: &ProfileId, after: Option<&ContentId>, limit: usize) -> Vec<TitleId> {
        let of_profile =
            self.registers.keys().map(|key| &key.title).filter(|title| title.profile == *profile);
        let mut titles: Vec<_> = of_profile.filter(|title| Some(&title.content) > after).cloned().collect();
        titles.dedup();
        titles.truncate(limit);
        titles
    }

    fn changes(&self, span: Span, limit: usize) -> Vec<(Timestamp, Key)> {
        let inside = self.changes.iter().filter(|((origin, version), _)| {
            *origin == span.origin && span.after < *version && *version <= span.upto
        });
        inside.map(|(&(_, version), key)| (version, key.clone())).take(limit).collect()
    }
}
