//! Merging is a join, and pruning does not disturb it.

use std::collections::BTreeMap;

use playmark::{
    crdt::{Merged, Register, Slot, Stamp, VersionVector, WallTime},
    playback::{retain, slot::session},
};
use proptest::{collection::vec, option, prelude::*};

use crate::worlds::{crowded_write, near_register, near_stamp, near_vector, title};

type Title = BTreeMap<Slot, Register>;

fn joined(mut one: Register, other: &Register) -> Register {
    one.merge(other);
    one
}

fn both(mut one: VersionVector, other: &VersionVector) -> VersionVector {
    one.merge(other);
    one
}

fn any_of_one_key() -> impl Strategy<Value = Register> {
    near_register(title().key(session(playmark::playback::SessionId::from_bytes([1; 16]))))
}

/// What is pruned by: both are the same at every replica that compares.
#[derive(Clone, Copy, Debug)]
struct Pruning {
    profile_fence: Option<Stamp>,
    horizon: WallTime,
}

fn any_pruning() -> impl Strategy<Value = Pruning> {
    (option::of(near_stamp()), 0..4_u64)
        .prop_map(|(profile_fence, ms)| Pruning { profile_fence, horizon: WallTime::from_ms(ms) })
}

impl Pruning {
    fn prune(self, title: &mut Title) {
        let stamps: Vec<_> = title.iter().map(|(slot, register)| (*slot, register.stamp)).collect();
        for slot in retain(&stamps, self.profile_fence, self.horizon) {
            title.remove(&slot).expect("only what stands can go");
        }
    }
}

fn put(title: &mut Title, slot: Slot, register: &Register) {
    title.entry(slot).or_insert_with(|| register.clone()).merge(register);
}

proptest! {
    #[test]
    fn merging_registers_is_commutative(a in any_of_one_key(), b in any_of_one_key()) {
        prop_assert_eq!(joined(a.clone(), &b), joined(b, &a));
    }

    #[test]
    fn merging_registers_is_associative(
        a in any_of_one_key(), b in any_of_one_key(), c in any_of_one_key(),
    ) {
        let left = joined(joined(a.clone(), &b), &c);
        prop_assert_eq!(left, joined(a, &joined(b, &c)));
    }

    #[test]
    fn merging_a_register_again_changes_nothing_and_says_so(a in any_of_one_key(), b in any_of_one_key()) {
        let mut once = joined(a, &b);
        let before = once.clone();
        prop_assert_eq!(once.merge(&b), Merged::Unchanged);
        prop_assert_eq!(once, before);
    }

    #[test]
    fn a_merge_says_whether_it_changed_and_never_lowers_a_stamp(
        a in any_of_one_key(), b in any_of_one_key(),
    ) {
        let mut merged = a.clone();
        let said = merged.merge(&b);
        prop_assert_eq!(said == Merged::Changed, merged != a);
        prop_assert!(merged.stamp >= a.stamp && merged.stamp >= b.stamp);
        prop_assert!(merged == a || merged == b);
    }

    #[test]
    fn merging_vectors_is_a_join(a in near_vector(), b in near_vector(), c in near_vector()) {
        prop_assert_eq!(both(a.clone(), &b), both(b.clone(), &a));
        prop_assert_eq!(both(both(a.clone(), &b), &c), both(a.clone(), &both(b.clone(), &c)));
        prop_assert_eq!(both(a.clone(), &a), a.clone());
        let joined = both(a.clone(), &b);
        prop_assert!(joined.covers_all(&a) && joined.covers_all(&b));
        prop_assert_eq!(joined.beyond(&a).is_empty(), a.covers_all(&b));
    }

    #[test]
    fn pruning_twice_is_pruning_once(writes in vec(crowded_write(), 0..60), pruning in any_pruning()) {
        let mut title = Title::new();
        for (slot, register) in &writes {
            put(&mut title, *slot, register);
        }
        pruning.prune(&mut title);
        let once = title.clone();
        pruning.prune(&mut title);
        prop_assert_eq!(title, once);
    }

    // Three replicas take the writes as they come, exchange at random, and meet at the end.
    #[test]
    fn it_does_not_matter_in_which_order_merging_and_pruning_happen(
        writes in vec((crowded_write(), 0..3_usize, any::<bool>()), 0..80),
        exchanges in vec((0..3_usize, 0..3_usize, any::<bool>()), 0..6),
        pruning in any_pruning(),
    ) {
        let mut expected = Title::new();
        for ((slot, register), _, _) in &writes {
            put(&mut expected, *slot, register);
        }
        pruning.prune(&mut expected);

        let mut replicas = [Title::new(), Title::new(), Title::new()];
        for ((slot, register), at, prune) in &writes {
            put(&mut replicas[*at], *slot, register);
            if *prune {
                pruning.prune(&mut replicas[*at]);
            }
        }
        let finally = [(0, 1, false), (0, 2, true), (1, 0, true), (2, 0, true)];
        for (to, from, prune) in exchanges.into_iter().chain(finally) {
            for (slot, register) in replicas[from].clone() {
                put(&mut replicas[to], slot, &register);
            }
            if prune {
                pruning.prune(&mut replicas[to]);
            }
        }
        for replica in replicas {
            prop_assert_eq!(&replica, &expected);
        }
    }
}
