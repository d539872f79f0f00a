//! What a disk has lost comes back, and operators hear of it.

use std::path::Path;

use playmark::{
    crdt::TitleId,
    store::{Batch, Durability, Read, RocksOptions, RocksStore, Store},
};

use super::trio::{Trio, status};
use crate::{patience::until_found, serving::anonymous};

/// Takes a title's rows out of the store of a node that has ended; its index and its vector say nothing of it.
pub(super) fn forget(store: &Path, content: &str) {
    let mut store = RocksStore::open(store, RocksOptions::default()).expect("it has ended");
    let title = TitleId::parse("ada", content).expect("both are ids");
    let standing = store.title(&title).expect("the disk can be read");
    assert!(!standing.is_empty(), "it was there");
    let registers = standing.into_iter().map(|(slot, _)| (title.key(slot), None)).collect();
    let batch = Batch { registers, ..Batch::default() };
    store.commit(&batch, Durability::Synced).expect("the disk can be written");
}

/// A title's rows vanish while the node is down: its index and its vector say nothing of it.
#[tokio::test]
async fn rows_that_vanished_while_a_node_was_down_are_found_missing_and_come_back() {
    let trio = Trio::start().await;
    for number in 0..20_u64 {
        trio.eu.stored(&anonymous(&format!("film {number}"), 61_000 + number, "playing")).await;
    }
    trio.until_alike().await;
    let Trio { authority: _authority, eu, us, ap, serve_ap, .. } = trio;
    ap.signal("TERM").await;
    assert_eq!(ap.ended().await.0, Some(0));
    forget(&serve_ap.store(), "film 7");

    let ap = serve_ap.start().await;
    ap.until_ready().await;
    until_found(async || (ap.position("film 7").await == Some(61_007)).then_some(())).await;
    let told = async || {
        let mut found = 0;
        for node in [&eu, &us, &ap] {
            found += status(node).await.differing_total;
        }
        (found > 0).then_some(())
    };
    until_found(told).await;
}
