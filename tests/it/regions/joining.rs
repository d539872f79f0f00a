//! A node that does not know says so, until it has caught up.

use std::{net::SocketAddr, time::Duration};

use playmark::{
    node::{self, Clock, Readiness, Replication},
    store::RocksOptions,
    transport::{Advertise, NodeName, PeerAddress, TlsPaths},
};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::trio::{status, up};
use crate::{
    patience::{until_found, within},
    serving::{Authority, Node, anonymous, problem, route_of},
};

/// An address at which nobody answers, as long as the socket is held.
async fn nowhere() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// Fails unless players are turned away and operators are not.
async fn assert_says_so(node: &Node, readiness: &str) {
    let told = |document: Value| assert_eq!(document["readiness"], readiness, "{document}");
    told(problem(node.get("/readyz").await, 503, "catching-up", "readiness").await);
    told(problem(node.get(&route_of("ada", "metropolis")).await, 503, "catching-up", "a place").await);
    told(problem(node.get("/v1/profiles/ada/events").await, 503, "catching-up", "a stream").await);
    let beat = anonymous("metropolis", 61_000, "playing").to_string();
    told(
        problem(node.post("/v1/heartbeats", "text/plain", beat).await, 503, "catching-up", "a report").await,
    );
    let sync = json!({"profile": "ada"}).to_string();
    told(problem(node.post("/v1/sync", "application/json", sync).await, 503, "catching-up", "a sync").await);
    assert!(node.get("/healthz").await.status().is_success());
    assert_eq!(status(node).await.readiness, readiness);
}

#[tokio::test]
async fn a_fresh_node_says_that_it_does_not_know_until_it_has_what_the_others_have() {
    let authority = Authority::make().await;
    let serve_eu = authority.node("eu", &[]).await;
    let eu = serve_eu.start().await;
    for number in 0..300_u64 {
        eu.stored(&anonymous(&format!("film {number}"), 61_000 + number, "playing")).await;
    }
    eu.signal("STOP").await;
    let us = authority.node("us", &[("eu", serve_eu.replication_address())]).await.start().await;
    assert_says_so(&us, "unfounded").await;
    eu.signal("CONT").await;
    us.until_ready().await;
    for number in 0..300_u64 {
        assert_eq!(us.position(&format!("film {number}")).await, Some(61_000 + number));
    }
    assert_eq!(status(&us).await.readiness, "caught-up");
}

#[tokio::test]
async fn fresh_nodes_of_which_none_founds_say_what_to_do_and_serve_when_it_is_done() {
    let authority = Authority::make().await;
    let (_held, dead) = nowhere().await;
    let serve_eu = authority.node("eu", &[("ap", dead)]).await;
    let eu = serve_eu.start().await;
    let serve_us = authority.node("us", &[("eu", serve_eu.replication_address())]).await;
    let us = serve_us.start().await;
    until_found(async || (up(&status(&us).await) == 1).then_some(())).await;
    for node in [&eu, &us] {
        assert_says_so(node, "unfounded").await;
        let told = problem(node.get("/readyz").await, 503, "catching-up", "readiness").await;
        assert!(told["detail"].as_str().expect("a text").contains("--found"), "{told}");
    }
    us.kill().await;
    let us = serve_us.flagged("--found").start().await;
    assert!(us.get("/readyz").await.status().is_success(), "who founds serves at once");
    eu.until_ready().await;
}

#[tokio::test]
async fn a_known_node_that_meets_nobody_serves_what_it_has_after_a_while() {
    let authority = Authority::make().await;
    let serve = authority.node("eu", &[]).await;
    let (_held, dead) = nowhere().await;
    let file = |name: &str| authority.certificates().join(name);
    let name = |region: &str| {
        NodeName::new(&format!("{region}-1"), region.parse().expect("a region"), "demo").expect("a name")
    };
    let home = tempfile::TempDir::new().expect("a directory can be made");
    let start = |found, alone_after| {
        let identity = TlsPaths { ca: file("ca.crt"), certificate: file("eu-1.crt"), key: file("eu-1.key") };
        let peers = vec![PeerAddress { name: name("us"), address: dead.to_string() }];
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let (advertise, join) = (Advertise::Listen, Vec::new());
        let replication = Some(Replication { listen, identity, advertise, peers, join, found, alone_after });
        let store = home.path().join("store");
        let (members, rocks) = (store.with_extension("members"), RocksOptions::default());
        let options = node::Options {
            name: name("eu"),
            store,
            members,
            erasures: None,
            reserve_bytes: 0,
            rocks,
            replication,
        };
        node::Node::start(options, Clock::start()).expect("the directory is ours")
    };
    drop(serve);
    for (found, alone_after, begins_as, ends_as) in [
        (false, Duration::ZERO, Readiness::Unfounded, Readiness::Unfounded),
        (true, Duration::MAX, Readiness::CaughtUp, Readiness::CaughtUp),
        (true, Duration::MAX, Readiness::Searching, Readiness::Searching),
        (false, Duration::from_millis(50), Readiness::Searching, Readiness::CaughtUp),
    ] {
        let node = start(found, alone_after);
        let handle = node.handle();
        assert_eq!(handle.readiness(), begins_as, "found {found}, alone after {alone_after:?}");
        until_found(async || (handle.readiness() == ends_as).then_some(())).await;
        within(node.leave()).await.expect("the store is sound");
    }
}
