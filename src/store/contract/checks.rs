//! The named questions.

use crate::{
    crdt::{
        Dot, Key, Origin, ProfileId, Register, SHARDS, Slot, Span, Stamp, Timestamp, TitleId,
        VALUE_BYTES_MAX, VersionVector, WallTime,
    },
    store::{
        Batch, Durability, Read, Store,
        contract::samples::{origins, register, rotten, slots, sure, titles, versions},
    },
};

/// Every question, each to be asked of a fresh store.
pub(super) fn all<S: Store>() -> [fn(&mut S); 18] {
    [
        a_new_store_holds_nothing,
        registers_are_read_back_whole,
        a_register_is_replaced_and_goes,
        titles_that_begin_alike_do_not_mix,
        a_title_comes_in_the_order_of_slots,
        shards_hold_every_sound_register_once,
        a_profiles_titles_come_in_the_order_of_contents,
        titles_follow_the_one_asked_for_whether_it_stands_or_not,
        spans_are_half_open,
        spans_stop_at_their_limit,
        spans_that_end_before_they_start_are_empty,
        origins_do_not_mix,
        an_entry_is_replaced_and_goes,
        the_vector_never_moves_down,
        notes_are_replaced_and_do_not_mix,
        an_empty_batch_changes_nothing,
        rot_is_absent_and_can_be_replaced,
        syncing_changes_nothing_that_is_read,
    ]
}

fn a_new_store_holds_nothing<S: Store>(store: &mut S) {
    for title in titles() {
        assert_eq!(sure(store.title(&title)), []);
        assert_eq!(sure(store.register(&title.key(Slot::FIRST))), None);
    }
    for origin in origins() {
        assert_eq!(entries(store, whole(origin)), []);
    }
    assert_eq!(sure(store.vector()), VersionVector::default());
    assert_eq!(sure(store.note("")), None);
}

fn registers_are_read_back_whole<S: Store>(store: &mut S) {
    let greatest = Stamp { time: WallTime::from_ms(u64::MAX), counter: u32::MAX, writer: [0xff; 16] };
    let dot = Dot { origin: origins()[4], version: Timestamp::from_u64(u64::MAX) };
    let longest = vec![0xff; VALUE_BYTES_MAX];
    for (stamp, dot, value) in
        [(Stamp::default(), Dot::default(), vec![]), (greatest, dot, longest), (greatest, dot, vec![0])]
    {
        for title in titles() {
            let key = title.key(Slot::LAST);
            let register = Register::seal(&key, stamp, dot, value.clone().into());
            put(store, &key, Some(register.clone()));
            assert_eq!(sure(store.register(&key)), Some(register), "{key:?}");
        }
    }
}

fn a_register_is_replaced_and_goes<S: Store>(store: &mut S) {
    let key = titles()[0].key(Slot::FIRST);
    put(store, &key, None);
    assert_eq!(sure(store.register(&key)), None, "what was never there may go");
    for n in [2, 1] {
        put(store, &key, Some(register(&key, n)));
        assert_eq!(sure(store.register(&key)), Some(register(&key, n)), "a store does not arbitrate");
    }
    put(store, &key, None);
    assert_eq!(sure(store.register(&key)), None);
    assert_eq!(sure(store.title(&key.title)), []);
}

fn titles_that_begin_alike_do_not_mix<S: Store>(store: &mut S) {
    let titles = titles();
    let standing = |n: usize| {
        let key = titles[n].key(slots()[n % slots().len()]);
        let register = register(&key, n as u64);
        (key, register)
    };
    let mut batch = Batch::default();
    for n in 0..titles.len() {
        let (key, register) = standing(n);
        batch.registers.insert(key, Some(register));
    }
    commit(store, &batch);
    for (n, title) in titles.iter().enumerate() {
        let (key, register) = standing(n);
        assert_eq!(sure(store.title(title)), [(key.slot, register)], "{title}");
    }
    let (gone, _) = standing(0);
    put(store, &gone, None);
    assert_eq!(sure(store.title(&titles[0])), []);
    for (n, title) in titles.iter().enumerate().skip(1) {
        assert_eq!(sure(store.title(title)).len(), 1, "{n}: {title} went with {}", gone.title);
    }
}

fn a_title_comes_in_the_order_of_slots<S: Store>(store: &mut S) {
    let title = &titles()[3];
    let mut standing = Vec::new();
    for (n, slot) in (0..).zip(slots()) {
        let key = title.key(slot);
        standing.push((slot, register(&key, n)));
    }
    for (slot, register) in standing.iter().rev() {
        put(store, &title.key(*slot), Some(register.clone()));
    }
    assert_eq!(sure(store.title(title)), standing);
    for (slot, register) in standing {
        assert_eq!(sure(store.register(&title.key(slot))), Some(register));
    }
}

fn shards_hold_every_sound_register_once<S: Store>(store: &mut S) {
    let mut standing = Vec::new();
    for title in titles() {
        let [key, rot] = [Slot::FIRST, Slot::LAST].map(|slot| title.key(slot));
        put(store, &rot, Some(rotten(&rot, 1)));
        standing.push((key.clone(), register(&key, 1)));
        put(store, &key, standing.last().map(|(_, register)| register.clone()));
    }
    let sorted = |mut found: Vec<(Key, Register)>| {
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    };
    let standing = sorted(standing);
    assert_eq!(sorted(sure(store.shards(0..SHARDS))), standing);
    let shard = standing[0].0.title.profile.shard();
    for shards in [0..shard, shard..shard + 1, shard + 1..SHARDS, shard..shard] {
        let inside = |(key, _): &&(Key, Register)| shards.contains(&key.title.profile.shard());
        let inside: Vec<_> = standing.iter().filter(inside).cloned().collect();
        assert_eq!(sorted(sure(store.shards(shards.clone()))), inside, "{shards:?}");
    }
}

fn a_profiles_titles_come_in_the_order_of_contents<S: Store>(store: &mut S) {
    for title in titles() {
        assert_eq!(sure(store.titles(&title.profile, None, usize::MAX)), []);
    }
    // Many registers of each title, which are no reason to name it twice.
    for slot in slots() {
        for title in titles().iter().rev() {
            let key = title.key(slot);
            put(store, &key, Some(register(&key, 1)));
        }
    }
    for title in titles() {
        let expected = of_profile(&title.profile);
        assert_eq!(sure(store.titles(&title.profile, None, usize::MAX)), expected);
        for limit in 0..=expected.len() {
            assert_eq!(sure(store.titles(&title.profile, None, limit)), expected[..limit]);
        }
    }
    let gone = &of_profile(&titles()[0].profile)[0];
    for slot in slots() {
        put(store, &gone.key(slot), None);
    }
    assert_eq!(sure(store.titles(&gone.profile, None, usize::MAX)), of_profile(&gone.profile)[1..]);
}

fn titles_follow_the_one_asked_for_whether_it_stands_or_not<S: Store>(store: &mut S) {
    let standing: Vec<_> = titles().into_iter().step_by(3).collect();
    for title in &standing {
        for slot in slots() {
            put(store, &title.key(slot), Some(register(&title.key(slot), 1)));
        }
    }
    for TitleId { profile, content } in titles() {
        let mut expected = of_profile(&profile);
        expected.retain(|title| title.content > content && standing.contains(title));
        assert_eq!(sure(store.titles(&profile, Some(&content), usize::MAX)), expected, "{profile}/{content}");
        expected.truncate(1);
        assert_eq!(sure(store.titles(&profile, Some(&content), 1)), expected, "{profile}/{content}");
    }
}

/// The sample titles of a profile, in the order of contents.
fn of_profile(profile: &ProfileId) -> Vec<TitleId> {
    let mut titles = titles();
    titles.retain(|title| title.profile == *profile);
    titles.sort_unstable();
    titles
}

fn spans_are_half_open<S: Store>(store: &mut S) {
    let origin = origins()[1];
    index(store, origin);
    let mut borders = vec![Timestamp::ZERO];
    borders.extend(versions());
    for &after in &borders {
        for &upto in &borders {
            let inside = |version: &Timestamp| after < *version && *version <= upto;
            let expected: Vec<_> = versions().into_iter().filter(inside).collect();
            let found = entries(store, Span { origin, after, upto });
            assert_eq!(found.iter().map(|(version, _)| *version).collect::<Vec<_>>(), expected);
            assert!(found.iter().all(|(version, key)| *key == key_of(origin, *version)), "{after}..{upto}");
        }
    }
}

fn spans_stop_at_their_limit<S: Store>(store: &mut S) {
    let origin = origins()[1];
    index(store, origin);
    for limit in 0..=versions().len() + 1 {
        let found = sure(store.changes(whole(origin), limit));
        let first: Vec<_> = versions().into_iter().take(limit).collect();
        assert_eq!(found.iter().map(|(version, _)| *version).collect::<Vec<_>>(), first);
    }
    assert_eq!(sure(store.changes(whole(origin), usize::MAX)).len(), versions().len());
}

fn spans_that_end_before_they_start_are_empty<S: Store>(store: &mut S) {
    let origin = origins()[1];
    index(store, origin);
    let [least, .., greatest] = versions();
    for (after, upto) in
        [(greatest, least), (greatest, Timestamp::ZERO), (least, least), (greatest, greatest)]
    {
        assert_eq!(entries(store, Span { origin, after, upto }), [], "({after}, {upto}]");
    }
}

fn origins_do_not_mix<S: Store>(store: &mut S) {
    for origin in origins() {
        index(store, origin);
    }
    for origin in origins() {
        let found = entries(store, whole(origin));
        let expected = versions().map(|version| (version, key_of(origin, version)));
        assert_eq!(found, expected, "{origin}");
    }
}

fn an_entry_is_replaced_and_goes<S: Store>(store: &mut S) {
    let (origin, version) = (origins()[2], versions()[4]);
    let (first, last) = (titles()[0].key(Slot::FIRST), titles()[9].key(Slot::LAST));
    for key in [None, Some(first), Some(last), None] {
        let mut batch = Batch::default();
        batch.changes.insert((origin, version), key.clone());
        commit(store, &batch);
        let expected: Vec<_> = key.into_iter().map(|key| (version, key)).collect();
        assert_eq!(entries(store, whole(origin)), expected);
    }
}

fn the_vector_never_moves_down<S: Store>(store: &mut S) {
    let mut expected = VersionVector::default();
    for (origin, version) in
        [(1, 0x100), (1, 0xff), (2, 1), (0, 5), (1, 0x101), (2, 1), (0, u64::MAX), (0, 6)]
    {
        let (origin, version) = (origins()[origin], Timestamp::from_u64(version));
        let mut batch = Batch::default();
        batch.vector.advance(origin, version);
        commit(store, &batch);
        expected.advance(origin, version);
        assert_eq!(sure(store.vector()), expected);
    }
}

fn notes_are_replaced_and_do_not_mix<S: Store>(store: &mut S) {
    let long = "n".repeat(300);
    let names = ["", "a", "ab", "ä", "a\0", &long];
    for round in 0..2_u8 {
        for (n, name) in (0..).zip(names) {
            let mut batch = Batch::default();
            batch.notes.insert(name.into(), vec![n; usize::from(n) * usize::from(1 - round)]);
            commit(store, &batch);
        }
        for (n, name) in (0..).zip(names) {
            let expected = vec![n; usize::from(n) * usize::from(1 - round)];
            assert_eq!(sure(store.note(name)), Some(expected), "{name:?}");
        }
        assert_eq!(sure(store.note("b")), None);
    }
}

fn an_empty_batch_changes_nothing<S: Store>(store: &mut S) {
    let origin = origins()[0];
    index(store, origin);
    let before = entries(store, whole(origin));
    for durability in [Durability::Process, Durability::Synced] {
        sure(store.commit(&Batch::default(), durability));
        assert_eq!(entries(store, whole(origin)), before);
    }
}

fn rot_is_absent_and_can_be_replaced<S: Store>(store: &mut S) {
    let title = &titles()[5];
    let (first, last) = (title.key(Slot::FIRST), title.key(Slot::LAST));
    put(store, &first, Some(rotten(&first, 1)));
    put(store, &last, Some(register(&last, 2)));
    assert_eq!(sure(store.register(&first)), None);
    assert_eq!(sure(store.title(title)), [(last.slot, register(&last, 2))]);
    put(store, &first, Some(register(&first, 3)));
    assert_eq!(sure(store.register(&first)), Some(register(&first, 3)));
    assert_eq!(sure(store.title(title)).len(), 2);
}

fn syncing_changes_nothing_that_is_read<S: Store>(store: &mut S) {
    let keys: Vec<_> = titles().iter().map(|title| title.key(Slot::FIRST)).collect();
    for (n, key) in (0..).zip(&keys) {
        let mut batch = Batch::default();
        batch.registers.insert(key.clone(), Some(register(key, n)));
        let durability = if n % 2 == 0 { Durability::Process } else { Durability::Synced };
        sure(store.commit(&batch, durability));
        if n % 3 == 0 {
            sure(store.sync());
        }
    }
    for (n, key) in (0..).zip(&keys) {
        assert_eq!(sure(store.register(key)), Some(register(key, n)));
    }
}

fn commit(store: &mut impl Store, batch: &Batch) {
    sure(store.commit(batch, Durability::Process));
}

fn put(store: &mut impl Store, key: &Key, register: Option<Register>) {
    let mut batch = Batch::default();
    batch.registers.insert(key.clone(), register);
    commit(store, &batch);
}

/// Gives each of the sample versions an entry under the origin.
fn index(store: &mut impl Store, origin: Origin) {
    let mut batch = Batch::default();
    for version in versions() {
        batch.changes.insert((origin, version), Some(key_of(origin, version)));
    }
    commit(store, &batch);
}

/// The key that [`index`] writes: another one for each entry.
fn key_of(origin: Origin, version: Timestamp) -> Key {
    let titles = titles();
    let place = versions().iter().filter(|&&earlier| earlier < version).count();
    let title = &titles[(place + usize::from(origin.as_bytes()[15])) % titles.len()];
    title.key(slots()[place % slots().len()])
}

fn whole(origin: Origin) -> Span {
    Span { origin, after: Timestamp::ZERO, upto: Timestamp::from_u64(u64::MAX) }
}

fn entries(store: &impl Read, span: Span) -> Vec<(Timestamp, Key)> {
    sure(store.changes(span, 1_000))
}
