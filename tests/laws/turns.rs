//! A turn that makes the greatest of each place's writes alone ends as one that makes them all (R14).

use std::sync::Arc;

use playmark::{
    crdt::{Key, Merged, Now, Origin, ReplicaId, Slot, Stamp, WallTime},
    playback::{SessionId, Write, coalesce, retain_title, slot, slot::FENCE},
    replica::{ALONE_AFTER, Beginning, Linger, Options, Replica, Retain},
    store::{Durability, MemoryStore, Read},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::worlds::{crowded_slot, title};

const NOW: Now = Now::at_ms(1_000);

fn replica() -> Replica<MemoryStore> {
    let options = Options {
        id: ReplicaId::from_random(1),
        origin: Origin::from_random(1),
        retain: Retain { leaving: retain_title, fence: FENCE },
        region: "eu".parse().expect("a region"),
        linger: Linger::NONE,
        beginning: Beginning::Alone,
        alone_after: ALONE_AFTER,
    };
    Replica::open(options, MemoryStore::default(), NOW).expect("memory can be read")
}

/// A write, among so few that many are for one place and some are equal.
fn any_write(slot: impl Strategy<Value = Slot>) -> impl Strategy<Value = Write> {
    (slot, 0..20_u64, 0..2_u32, vec(0..2_u8, 0..2)).prop_map(|(slot, ms, counter, value)| {
        // Fences are rarer above than below, or nothing would ever stand.
        let ms = if slot == FENCE { ms / 4 } else { ms };
        let stamp = Stamp { time: WallTime::from_ms(ms), counter, writer: slot.id };
        Write { key: title().key(slot), stamp, value: Arc::from(value) }
    })
}

/// A slot of a title that is not full, and of which nothing is erased.
fn few_slots() -> impl Strategy<Value = Slot> {
    let id = (0..2_u8).prop_map(|n| SessionId::from_bytes([n; 16]));
    (id, select(vec![slot::glimpse as fn(_) -> _, slot::session, slot::completed]))
        .prop_map(|(id, of)| of(id))
}

fn make(replica: &mut Replica<MemoryStore>, write: &Write) -> Merged {
    replica.write(&write.key, write.stamp, write.value.clone(), NOW).expect("the value is short")
}

/// Ends a turn in which each write was made, or the greatest of each place.
fn turns(before: &[Write], turn: &[Write]) -> [(Replica<MemoryStore>, Vec<Merged>); 2] {
    [false, true].map(|coalesces| {
        let mut replica = replica();
        for write in before {
            make(&mut replica, write);
        }
        replica.commit(Durability::Process, NOW).expect("memory can be written");
        let merged = if coalesces {
            let all: Vec<_> = turn.iter().collect();
            coalesce(&all, |write| Ok::<_, ()>(make(&mut replica, write))).expect("nothing fails")
        } else {
            turn.iter().map(|write| make(&mut replica, write)).collect()
        };
        replica.commit(Durability::Process, NOW).expect("memory can be written");
        (replica, merged)
    })
}

fn said(replica: &Replica<MemoryStore>) -> Vec<(Slot, Stamp, Arc<[u8]>)> {
    let registers = replica.store().title(&title()).expect("memory can be read");
    registers.into_iter().map(|(slot, register)| (slot, register.stamp, register.value)).collect()
}

fn stands(replica: &Replica<MemoryStore>, key: &Key) -> Option<(Stamp, Arc<[u8]>)> {
    let register = replica.store().register(key).expect("memory can be read");
    register.map(|register| (register.stamp, register.value))
}

proptest! {
    #[test]
    fn the_same_registers_stand_whatever_is_pruned_or_erased_in_the_turn(
        before in vec(any_write(crowded_slot()), 0..30),
        turn in vec(any_write(crowded_slot()), 0..60),
    ) {
        let [(one_by_one, _), (coalesced, _)] = turns(&before, &turn);
        prop_assert_eq!(said(&coalesced), said(&one_by_one));
        let own = |replica: &Replica<_>| replica.vector().upto(replica.origin());
        prop_assert!(own(&coalesced) <= own(&one_by_one), "it takes no more dots");
    }

    #[test]
    fn every_writer_is_told_the_same(
        before in vec(any_write(few_slots()), 0..6),
        turn in vec(any_write(few_slots()), 0..20),
    ) {
        let [(one_by_one, alone), (coalesced, together)] = turns(&before, &turn);
        for (write, (alone, together)) in turn.iter().zip(alone.into_iter().zip(together)) {
            let standing = coalesced.standing(&write.key).expect("memory can be read");
            prop_assert!(standing.is_some(), "there is a dot to be told of");
            prop_assert_eq!(stands(&coalesced, &write.key), stands(&one_by_one, &write.key));
            let greater = turn.iter().any(|other| {
                other.key == write.key && (other.stamp, &other.value) > (write.stamp, &write.value)
            });
            // Where what stood before lay between the two, the lesser is told what became of the greater.
            prop_assert!(alone == together || together == Merged::Changed && greater, "{write:?}");
        }
    }
}
