//! The pure core: what a heartbeat costs on its way in, and a resume point on its way out.
//!
//! `cargo bench --no-default-features --bench core`. Each group names its ceiling first: the same work with
//! nothing of ours in it.

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use playmark::{
    crdt::{Now, Origin, Register, ReplicaId, TitleId, WallTime},
    playback::{
        Claims, Heartbeat, Known, Outcome, Policy, Rights, Sender, SessionId, Shown, Write, accept, resume,
    },
    replica::{ALONE_AFTER, Beginning, Linger, Options, Replica, Retain},
    store::{Batch, Durability, MemoryStore, Read, Store},
};

const HEARTBEAT: &[u8] =
    br#"{"token":"-","seq":7,"elapsed_ms":7000,"sent_elapsed_ms":7010,"position_ms":2467000,
    "duration_ms":7200000,"event":"playing","rate":1.0,"played_ms":6900}"#;

/// How many heartbeats share a commit where a node is busy.
const TURN: u32 = 64;

fn main() {
    divan::main();
}

mod door {
    use super::{Bencher, HEARTBEAT, Heartbeat, black_box, claims, writes};

    #[divan::bench]
    fn ceiling_parse_json(bencher: Bencher) {
        bencher.bench(|| serde_json::from_slice::<serde_json::Value>(black_box(HEARTBEAT)));
    }

    #[divan::bench]
    fn parse_and_accept(bencher: Bencher) {
        let claims = claims(1);
        bencher.bench(|| writes(&claims, &Heartbeat::from_json(black_box(HEARTBEAT)).expect("it is one")));
    }
}

mod turn {
    use super::{
        Batch, Bencher, Durability, ItemsCount, MemoryStore, NOW, Register, Store, TURN, Write, replica, turn,
    };

    #[divan::bench]
    fn ceiling_put_into_maps(bencher: Bencher) {
        let writes = turn();
        bencher.counter(ItemsCount::new(TURN)).with_inputs(MemoryStore::default).bench_values(|mut store| {
            let mut batch = Batch::default();
            for write in &writes {
                let dot = playmark::crdt::Dot::default();
                let register = Register::seal(&write.key, write.stamp, dot, write.value.clone());
                batch.registers.insert(write.key.clone(), Some(register));
            }
            store.commit(&batch, Durability::Synced).expect("memory can be written");
            store
        });
    }

    #[divan::bench]
    fn write_and_commit(bencher: Bencher) {
        let writes = turn();
        bencher.counter(ItemsCount::new(TURN)).with_inputs(replica).bench_values(|mut replica| {
            for Write { key, stamp, value } in &writes {
                replica.write(key, *stamp, value.clone(), NOW).expect("the life goes on");
            }
            replica.commit(Durability::Synced, NOW).expect("memory can be written");
            replica
        });
    }
}

mod read {
    use super::{Bencher, Policy, Read, black_box, resume, title, title_of_eight};

    #[divan::bench]
    fn ceiling_read_the_title(bencher: Bencher) {
        let replica = title_of_eight();
        bencher.bench_local(|| replica.store().title(black_box(&title())));
    }

    #[divan::bench]
    fn read_and_resume(bencher: Bencher) {
        let replica = title_of_eight();
        let policy = Policy::default();
        bencher.bench_local(|| {
            let registers = replica.store().title(black_box(&title())).expect("memory can be read");
            resume(&registers, None, &policy)
        });
    }
}

const NOW: Now = Now::at_ms(1_700_000_010_000);

fn title() -> TitleId {
    TitleId::parse("ada", "metropolis").expect("both are ids")
}

fn claims(session: u8) -> Claims {
    let opened = WallTime::from_ms(1_700_000_000_000 + u64::from(session));
    let session = SessionId::from_bytes([session; 16]);
    Claims::open(title(), session, None, Rights::ALL, &Shown::default(), opened, &Policy::default())
}

fn writes(claims: &Claims, heartbeat: &Heartbeat) -> Vec<Write> {
    let accepted = accept(heartbeat, Sender::Signed(claims), Known::default(), NOW.wall, &Policy::default());
    match accepted.expect("it is in order").outcome {
        Outcome::Write { place, completion } => std::iter::once(place).chain(completion).collect(),
        Outcome::Acknowledge(why) => unreachable!("a moving place is written, not {why:?}"),
    }
}

/// A turn's worth of heartbeats, each of another viewer.
fn turn() -> Vec<Write> {
    let heartbeat = Heartbeat::from_json(HEARTBEAT).expect("it is one");
    let viewer = |number| {
        let mut claims = claims(1);
        claims.title = TitleId::parse(&format!("viewer {number}"), "metropolis").expect("both are ids");
        writes(&claims, &heartbeat)
    };
    (0..TURN).flat_map(viewer).collect()
}

fn replica() -> Replica<MemoryStore> {
    let retain = Retain { leaving: playmark::playback::retain_title, fence: playmark::playback::slot::FENCE };
    let (id, origin) = (ReplicaId::from_random(1), Origin::from_random(1));
    let (beginning, alone_after) = (Beginning::Alone, ALONE_AFTER);
    let (region, linger) = ("eu".parse().expect("a region"), Linger::NONE);
    let options = Options { id, region, origin, retain, linger, beginning, alone_after };
    Replica::open(options, MemoryStore::default(), NOW).expect("memory can be read")
}

fn title_of_eight() -> Replica<MemoryStore> {
    let mut replica = replica();
    let heartbeat = Heartbeat::from_json(HEARTBEAT).expect("it is one");
    for Write { key, stamp, value } in (0..8).flat_map(|session| writes(&claims(session), &heartbeat)) {
        replica.write(&key, stamp, value, NOW).expect("the life goes on");
    }
    replica.commit(Durability::Process, NOW).expect("memory can be written");
    replica
}
