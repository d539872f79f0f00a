//! Many who write at once, some of whom wait for the device: nobody's entry is left lying.

use playmark::{
    crdt::{Stamp, TitleId, WallTime},
    node::{self, Assurance, Clock, Handle},
    playback::{SessionId, Write, slot},
    store::RocksOptions,
    transport::NodeName,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::patience::within;

const WRITERS: u8 = 48;
const WRITES: u64 = 150;

/// One write in so many waits for the device.
const SYNCED_ONE_IN: u64 = 25;

fn start(home: &TempDir) -> node::Node {
    let name = NodeName::new("node", "local".parse().expect("a region"), "local").expect("a name");
    let (store, rocks) = (home.path().join("store"), RocksOptions::default());
    let members = store.with_extension("members");
    let options =
        node::Options { name, store, members, erasures: None, reserve_bytes: 0, rocks, replication: None };
    node::Node::start(options, Clock::start()).expect("it starts")
}

/// Writes one after the other, and finds each as soon as it is answered.
async fn write(node: Handle, writer: u8) {
    let title = TitleId::parse(&format!("viewer {writer}"), "film").expect("both are ids");
    let session = SessionId::from_bytes([writer; 16]);
    let key = title.key(slot::session(session));
    for number in 1..=WRITES {
        let time = WallTime::from_ms(1_700_000_000_000 + number);
        let stamp = Stamp { time, counter: 0, writer: [writer; 16] };
        let value = number.to_be_bytes().as_slice().into();
        let waits = (number + u64::from(writer)).is_multiple_of(SYNCED_ONE_IN);
        let assurance = if waits { Assurance::Synced } else { Assurance::Process };
        let written = node.write(vec![Write { key: key.clone(), stamp, value }], assurance).await;
        let written = written.expect("it is answered in its time");
        let found = node.register(&key).expect("it can be read").expect("it stands");
        assert_eq!((found.stamp, Some(found.dot)), (stamp, written.outcomes[0].standing));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_write_is_answered_and_seen_at_once_whoever_commits_it() {
    let home = TempDir::new().expect("a directory can be made");
    let node = start(&home);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(node.handle(), writer));
    }
    within(writers.join_all()).await;
    assert_eq!(node.handle().inbox().len, 0);
    within(node.leave()).await.expect("its store is sound");
}

#[tokio::test]
async fn a_node_whose_handles_are_gone_ends_by_itself() {
    let home = TempDir::new().expect("a directory can be made");
    drop(start(&home));
    let again = async || {
        // The directory is free as soon as the life before has ended.
        let open = playmark::store::RocksStore::open(&home.path().join("store"), RocksOptions::default());
        open.ok().map(drop)
    };
    crate::patience::until_found(again).await;
}
