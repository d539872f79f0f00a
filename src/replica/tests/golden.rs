//! The bytes of every message, as nodes that are out there say them.
//!
//! `wire-1.txt` has a line for each: what it is, and its frame. A change that makes a line go otherwise is a new wire
//! version, with a file of its own beside this one; what is in a file once it is out is never changed.

use std::fmt::Write;

use super::*;
use crate::{
    crdt::{Dot, Timestamp, VersionVector},
    replica::{Ack, Compare, Delta, Item, Leaf, Shards, Status, Step, Subscribe, Sum},
};

const VERSION_1: &str = include_str!("wire-1.txt");

fn register() -> Register {
    let dot = Dot { origin: origin(7), version: Timestamp::from_u64(0x0199_0000_0000_0001) };
    Register::seal(&key(1), stamp(1_700_000_000_000), dot, b"value".as_slice().into())
}

fn vector() -> VersionVector {
    let mut vector = VersionVector::default();
    vector.advance(origin(7), Timestamp::from_u64(0x0199_0000_0000_0001));
    vector.advance(origin(8), Timestamp::from_u64(5));
    vector
}

fn part(items: Vec<Item>, upto: Option<Timestamp>) -> Message {
    let delta = Delta { origin: origin(7), after: Timestamp::from_u64(3), upto, items };
    Message::Part(Part { subscription: 9, number: 2, delta })
}

/// Every kind of message, each in every shape that it has, under a name.
fn every_message() -> Vec<(&'static str, Message)> {
    let wall = WallTime::from_ms(1_700_000_000_123);
    let across = [].into();
    let status = Status { origin: origin(7), vector: vector(), wall, catching_up: false, across };
    let after = [(origin(7), Timestamp::from_u64(3))];
    let subscribe = Subscribe { subscription: 9, after: after.into(), answered: [].into() };
    let answered = [(origin(7), Timestamp::from_u64(4))].into();
    let position = Timestamp::from_u64(4);
    let item = Item { position, key: key(1), stands: vec![(slot(1), register())] };
    let pruned = Item { position, key: key(1), stands: Vec::new() };
    let many = vec![item.clone(); 40];
    let ack = Ack { subscription: 9, parts: 3, synced: vector() };
    let mut all = vec![
        ("status", Message::Status(status.clone())),
        ("status, catching up", Message::Status(Status { catching_up: true, ..status.clone() })),
        ("status, across", Message::Status(Status { across: [(origin(8), region())].into(), ..status })),
        ("subscribe", Message::Subscribe(subscribe.clone())),
        ("subscribe, answered", Message::Subscribe(Subscribe { answered, ..subscribe })),
        ("part", part(vec![item], None)),
        ("part, the last", part(vec![pruned], Some(Timestamp::from_u64(6)))),
        ("part, compressed", part(many, None)),
        ("ack", Message::Ack(ack)),
    ];
    let compare = |step| Message::Compare(Compare { round: 4, began: true, step });
    all.extend(every_step().into_iter().map(|(name, step)| (name, compare(step))));
    all
}

fn every_step() -> Vec<(&'static str, Step)> {
    let sum = Sum::of_all([&register()]);
    let leaf = Leaf { shard: 3, leaf: 4, after: None, upto: Some(key(2)), items: Vec::new() };
    let items = vec![(key(1), stamp(5), 77)];
    vec![
        ("compare, begin", Step::Begin { hash: 5, total: Some(sum), vector: None }),
        ("compare, begin with a vector", Step::Begin { hash: 5, total: None, vector: Some(vector()) }),
        ("compare, equal", Step::Equal),
        ("compare, vector", Step::Vector),
        ("compare, touched", Step::Touched { vector: vector(), shards: Shards::default() }),
        ("compare, total", Step::Total { shards: Shards::default(), total: sum }),
        ("compare, groups", Step::Groups(vec![sum, Sum::default()])),
        ("compare, shards", Step::Shards(vec![(3, vec![sum])])),
        ("compare, leaves", Step::Leaves(vec![(3, vec![sum])])),
        (
            "compare, items",
            Step::Items(vec![leaf.clone(), Leaf { after: Some(key(1)), upto: None, items, ..leaf }]),
        ),
        ("compare, wanted", Step::Wanted(vec![key(1)])),
        ("compare, busy", Step::Busy),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text takes text");
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn every_message_has_the_bytes_that_it_had() {
    for (line, (name, message)) in VERSION_1.lines().zip(every_message()) {
        let now = format!("{name}: {}", hex(&wire::encode(&message)));
        // What a compressor makes of a body may be shorter one day; that it is understood is tried below.
        if wire::encode(&message)[2] == 0 {
            assert_eq!(now, line, "a change of this is a new version of the wire");
        }
    }
}

#[test]
fn what_an_earlier_build_says_is_understood() {
    let messages = every_message();
    assert_eq!(VERSION_1.lines().count(), messages.len());
    for (line, (name, expected)) in VERSION_1.lines().zip(messages) {
        let (told, frame) = line.split_once(": ").expect("a name and a frame");
        assert_eq!(told, name);
        assert_eq!(wire::decode(&bytes(frame)), Ok(Some(expected)), "{name}");
    }
}

#[test]
fn a_field_and_a_kind_that_a_later_build_adds_are_skipped() {
    let (_, message) = every_message().remove(0);
    let mut frame = wire::encode(&message);
    assert_eq!(frame[3], 0x83, "a map of three");
    frame[3] += 1;
    frame.extend(b"\xa19\xc3");
    assert_eq!(wire::decode(&frame), Ok(Some(message)), "one member more");
    frame[1] = 99;
    assert_eq!(wire::decode(&frame), Ok(None));
}
