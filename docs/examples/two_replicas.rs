//! Two replicas in one thread: each takes a write, they talk, and both end with the same answer.
//!
//! `cargo run --no-default-features --example two_replicas`

use playmark::{
    crdt::{Now, Origin, ReplicaId, Slot, Stamp, TitleId, WallTime},
    replica::{ALONE_AFTER, Beginning, Linger, Options, Replica, Retain},
    store::{Durability, MemoryStore, Read},
};

fn main() {
    let now = Now::at_ms(1_000);
    let retain = Retain { leaving: |_, _| Vec::new(), fence: Slot::LAST };
    let mut replicas: Vec<_> = [1, 2]
        .map(|bits| Options {
            id: ReplicaId::from_random(bits),
            origin: Origin::from_random(bits),
            retain,
            region: "eu".parse().expect("a region"),
            linger: Linger::NONE,
            beginning: Beginning::Alone,
            alone_after: ALONE_AFTER,
        })
        .map(|options| Replica::open(options, MemoryStore::default(), now).expect("memory can be read"))
        .into();
    let (eu, us) = (replicas[0].id(), replicas[1].id());
    replicas[0].handle_peer_up(us, Origin::from_random(2), "eu".parse().expect("a region"), now);
    replicas[1].handle_peer_up(eu, Origin::from_random(1), "eu".parse().expect("a region"), now);

    let title = TitleId::parse("ada", "metropolis").expect("both are ids");
    let key = title.key(Slot { kind: 2, id: [7; 16] });
    for (replica, (time, place)) in replicas.iter_mut().zip([(500, "1:02:03"), (900, "1:10:00")]) {
        let stamp = Stamp { time: WallTime::from_ms(time), counter: 1, writer: [7; 16] };
        replica.write(&key, stamp, place.as_bytes().into(), now).expect("the value is short");
    }

    // A turn: commit, then send what was committed; until nobody has anything to say.
    let mut talking = true;
    while std::mem::take(&mut talking) {
        for from in 0..2 {
            replicas[from].commit(Durability::Process, now).expect("memory can be written");
            while let Some(transmit) = replicas[from].poll_transmit(now).expect("memory can be read") {
                talking = true;
                let sender = replicas[from].id();
                replicas[1 - from].handle_message(sender, transmit.message, now).expect("both are correct");
                replicas[1 - from].commit(Durability::Process, now).expect("memory can be written");
            }
        }
    }

    for replica in &replicas {
        let register = replica.store().register(&key).expect("memory can be read").expect("it was written");
        println!("{}: {}", replica.id(), String::from_utf8_lossy(&register.value));
        assert_eq!(&*register.value, b"1:10:00");
    }
    assert_eq!(replicas[0].vector(), replicas[1].vector());
}
