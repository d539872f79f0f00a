//! Nodes that are told of one other, or of none that is left, and know all of them soon.

use std::{collections::BTreeSet, fs, path::Path};

use super::trio::{status, up};
use crate::{
    patience::until_found,
    serving::{Authority, Node, Player, Serve},
};

/// Three nodes, of which two were told where the first is.
struct Met {
    authority: Authority,
    serve_eu: Serve,
    eu: Node,
    serve_us: Serve,
    us: Node,
    ap: Node,
}

impl Met {
    async fn start() -> Self {
        let authority = Authority::make().await;
        let serve_eu = authority.node("eu", &[]).await.flagged("--found");
        let eu = serve_eu.start().await;
        // By name, of which one address is one that eu does not listen on.
        let of_eu = format!("localhost:{}", serve_eu.replication_address().port());
        let serve_us = authority.joining("us", &of_eu).await;
        let us = serve_us.start().await;
        let ap = authority.joining("ap", &of_eu).await.start().await;
        let met = Self { authority, serve_eu, eu, serve_us, us, ap };
        for node in [&met.eu, &met.us, &met.ap] {
            until_linked_to(node, 2).await;
            node.until_ready().await;
        }
        met
    }
}

async fn until_linked_to(node: &Player, others: usize) {
    until_found(async || (up(&status(node).await) == others).then_some(())).await;
}

/// Waits until a node takes another for what it is.
async fn until_seen(node: &Player, name: &str, reach: &str) {
    until_found(async || (reach_of(node, name).await.as_deref() == Some(reach)).then_some(())).await;
}

async fn reach_of(node: &Player, name: &str) -> Option<String> {
    let members = status(node).await.members;
    members.into_iter().find(|it| it.name == name).map(|it| it.reach)
}

#[tokio::test]
async fn nodes_that_are_told_of_one_meet_all_and_write_down_whom_they_met() {
    let met = Met::start().await;
    for node in [&met.eu, &met.us, &met.ap] {
        let members = status(node).await.members;
        assert_eq!(members.len(), 2, "{members:?}");
        assert!(members.iter().all(|it| it.reach == "alive" && it.address.is_some()), "{members:?}");
    }
    // The one of whom all were told is gone, and another comes back on another port.
    met.eu.kill().await;
    met.us.kill().await;
    let us = met.serve_us.start().await;
    until_linked_to(&us, 1).await;
    let own = status(&us).await;
    let seen = until_found(async || {
        let members = status(&met.ap).await.members;
        members.into_iter().find(|it| it.name == "us-1" && it.origin == own.origin && it.reach == "alive")
    })
    .await;
    assert_eq!(seen.replica, own.replica, "the same replica in another life");
    until_seen(&met.ap, "eu-1", "down").await;
}

#[tokio::test]
async fn one_that_leaves_is_down_for_the_others() {
    let met = Met::start().await;
    met.us.signal("TERM").await;
    assert_eq!(met.us.ended().await.0, Some(0));
    for node in [&met.eu, &met.ap] {
        let mut seen = BTreeSet::new();
        until_found(async || {
            let reach = reach_of(node, "us-1").await.expect("it was met");
            seen.insert(reach.clone());
            (reach == "down").then_some(())
        })
        .await;
        assert!(!seen.contains("suspect"), "it has told them, and nobody had to ask: {seen:?}");
    }
}

#[tokio::test]
async fn of_two_nodes_on_copies_of_one_directory_the_first_is_told_to_stop() {
    let met = Met::start().await;
    met.us.kill().await;
    let (data, copy) = (met.authority.home_of("us").join("data"), met.authority.home_of("us").join("copy"));
    copy_all(&data, &copy);
    let first = met.serve_us.start().await;
    until_linked_to(&first, 2).await;
    let second = met.serve_us.clone().instead("--data", &copy).start().await;
    until_linked_to(&second, 2).await;
    until_found(async || {
        let told = status(&first).await.peers.into_iter().filter_map(|peer| peer.last_error);
        told.filter(|why| why.contains("stop one of two nodes")).nth(1)
    })
    .await;
    until_linked_to(&second, 2).await;
}

#[tokio::test]
async fn of_two_nodes_under_one_name_the_second_is_told_why_it_gets_no_link() {
    let met = Met::start().await;
    let empty = met.authority.home_of("us").join("another");
    let second = met.serve_us.clone().instead("--data", &empty).start().await;
    until_found(async || {
        let told = status(&second).await.peers.into_iter().filter_map(|peer| peer.last_error);
        told.into_iter().find(|why| why.contains("two nodes with one name"))
    })
    .await;
    assert_eq!((up(&status(&second).await), up(&status(&met.us).await)), (0, 2));
    drop(met.serve_eu);
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).expect("it is new");
    for entry in fs::read_dir(from).expect("it is a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
