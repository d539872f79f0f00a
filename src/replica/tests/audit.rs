//! Comparing what is held, and mending what differs with no reason for it.

use std::cell::Cell;

use super::*;
use crate::{
    crdt::Dot,
    replica::{COMPARE_EVERY_MAX, Compare, Findings, Step},
    store::{Batch, Store},
};

/// Long enough for the slowest comparison and the count of all registers.
const LONG: Duration = Duration::from_secs(2 * COMPARE_EVERY_MAX.as_secs());

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
    static EQUAL: Cell<usize> = const { Cell::new(0) };
}

/// Loses nothing, and adds up what comparisons say.
fn weigh(_: usize, _: usize, message: &Message) -> bool {
    if let Message::Compare(Compare { step, .. }) = message {
        BYTES.set(BYTES.get() + wire::encode(message).len());
        EQUAL.set(EQUAL.get() + usize::from(*step == Step::Equal));
    }
    false
}

fn viewer(number: usize) -> Key {
    TitleId::parse(&format!("viewer {number}"), "metropolis").expect("both are ids").key(slot(1))
}

/// Changes a store as no replica does.
fn tamper(net: &mut Net, at: usize, batch: &Batch) {
    net.replicas[at].store_mut().commit(batch, Durability::Synced).expect("memory can be written");
}

fn register(net: &Net, at: usize, key: &Key) -> Option<Register> {
    net.replicas[at].store().register(key).expect("memory can be read")
}

fn differing(net: &Net) -> u64 {
    net.replicas.iter().map(|replica| replica.findings().differing).sum()
}

/// Three replicas that hold the same of so many viewers and have been compared.
fn three_alike(viewers: usize) -> Net {
    let mut net = Net::of(3);
    for number in 0..viewers {
        net.stage(number % 3, &viewer(number), 10, b"a place in a film");
    }
    (0..3).for_each(|at| net.commit(at));
    net.pass(LONG);
    for replica in &net.replicas {
        let Findings { compared, equal, differing, miscounted } = replica.findings();
        assert_eq!((differing, miscounted), (0, 0), "there is no false alarm");
        assert!(replica.id() == id(2) || compared > 0 && equal > 0, "the lesser of each pair is told");
    }
    net
}

#[test]
fn a_row_that_was_lost_is_found_and_comes_back() {
    let mut net = three_alike(50);
    let (key, before) = (viewer(7), register(&three_alike(50), 1, &viewer(7)));
    tamper(&mut net, 1, &Batch { registers: [(key.clone(), None)].into(), ..Batch::default() });
    net.pass(LONG);
    assert_eq!(register(&net, 1, &key).map(|it| it.value), before.map(|it| it.value));
    assert!(net.replicas[1].findings().miscounted > 0, "it was done behind its back");
    assert!(differing(&net) > 0);
    let found = differing(&net);
    net.pass(LONG);
    assert_eq!(differing(&net), found, "it is mended");
}

#[test]
fn a_value_that_has_rotted_is_found_and_replaced() {
    let mut net = three_alike(50);
    let key = viewer(8);
    let sound = register(&net, 2, &key).expect("it stands");
    let rotten = Register { value: b"an other place".as_slice().into(), ..sound.clone() };
    tamper(&mut net, 2, &Batch { registers: [(key.clone(), Some(rotten))].into(), ..Batch::default() });
    assert_eq!(register(&net, 2, &key), None, "rot is served to nobody");
    net.pass(LONG);
    assert_eq!(register(&net, 2, &key).map(|it| it.value), Some(sound.value));
    assert!(differing(&net) > 0);
}

#[test]
fn a_write_whose_entry_was_lost_before_anybody_heard_of_it_is_found_and_told() {
    let mut net = three_alike(50);
    net.lose = |_, _, _| true;
    let dot = net.write(0, &viewer(9), 20, b"later");
    let entry = ((dot.origin, dot.version), None);
    tamper(&mut net, 0, &Batch { changes: [entry].into(), ..Batch::default() });
    net.lose = |_, _, _| false;
    net.pass(LONG);
    assert_eq!(net.value(2, &viewer(9)).as_deref(), Some(&b"later"[..]));
    assert_eq!(net.value(1, &viewer(9)).as_deref(), Some(&b"later"[..]));
    assert!(differing(&net) > 0);
}

#[test]
fn an_older_value_that_was_put_back_is_found_under_writes_that_never_pause() {
    let mut net = three_alike(50);
    let key = viewer(11);
    let older = Register::seal(&key, stamp(5), Dot::default(), b"older".as_slice().into());
    tamper(&mut net, 0, &Batch { registers: [(key.clone(), Some(older))].into(), ..Batch::default() });
    for second in 0..60 {
        for number in (0..50).filter(|&number| viewer(number) != key) {
            net.stage(number % 3, &viewer(number), 1_000 + second, b"on");
        }
        (0..3).for_each(|at| net.commit(at));
        net.pass(Duration::from_secs(1));
    }
    assert_eq!(net.value(0, &key).as_deref(), Some(&b"a place in a film"[..]));
    assert!(differing(&net) > 0);
}

#[test]
fn one_difference_among_many_costs_little_and_equality_next_to_nothing() {
    let mut net = three_alike(20_000);
    net.lose = weigh;
    BYTES.set(0);
    EQUAL.set(0);
    net.pass(LONG);
    let (bytes, equal) = (BYTES.get(), EQUAL.get());
    assert!(equal > 0 && bytes / equal <= 100, "{bytes} bytes for {equal} comparisons of equals");
    BYTES.set(0);
    EQUAL.set(0);
    tamper(&mut net, 1, &Batch { registers: [(viewer(7), None)].into(), ..Batch::default() });
    net.pass(LONG);
    assert!(net.value(1, &viewer(7)).is_some() && differing(&net) > 0);
    // Both others find it, each in a comparison of its own.
    assert!(BYTES.get() <= 2 * 8_192, "{} bytes", BYTES.get());
}

#[test]
fn whoever_says_what_nobody_says_changes_nothing() {
    let mut net = three_alike(10);
    let now = net.now;
    let sums = vec![crate::replica::Sum::default(); 3];
    let leaf = crate::replica::Leaf { shard: u16::MAX, leaf: 255, after: None, upto: None, items: vec![] };
    for step in [
        Step::Groups(sums.clone()),
        Step::Shards(vec![(u16::MAX, sums.clone()), (1, sums.clone())]),
        Step::Leaves(vec![(u16::MAX, sums), (7, vec![])]),
        Step::Items(vec![leaf]),
        Step::Vector,
        Step::Equal,
        Step::Busy,
    ] {
        for (began, from) in [(true, 0), (false, 2)] {
            let begin = Step::Begin { hash: 0, total: None, vector: Some(net.replicas[1].vector().clone()) };
            for step in [begin, step.clone()] {
                let compare = Compare { round: 5, began, step };
                net.replicas[1]
                    .handle_message(id(from), Message::Compare(compare), now)
                    .expect("it is passed over");
                net.replicas[1].commit(Durability::Process, now).expect("memory can be written");
            }
        }
        net.settle();
    }
    net.assert_alike();
    assert_eq!(differing(&net), 0);
}
