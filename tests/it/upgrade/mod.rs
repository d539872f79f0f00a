//! Nodes of the build before this one, and nodes of this one, in one cluster: as it is while it is upgraded.
//!
//! `PLAYMARK_PREVIOUS` names the binary of that build; `tests/run upgrade` makes it.

use std::path::PathBuf;

use crate::{
    patience::until_found,
    regions::{point_after, status, up},
    serving::{Authority, Node, report},
};

/// The build before this one.
#[expect(clippy::disallowed_methods, reason = "only whoever runs the test knows where it is")]
fn previous() -> PathBuf {
    std::env::var_os("PLAYMARK_PREVIOUS")
        .expect("`tests/run upgrade` makes the build before, and says where it is")
        .into()
}

async fn until_linked_and_ready(nodes: &[&Node]) {
    for node in nodes {
        until_found(async || (up(&status(node).await) == nodes.len() - 1).then_some(())).await;
        node.until_ready().await;
    }
}

async fn until_alike(nodes: &[&Node]) {
    for other in &nodes[1..] {
        until_found(async || (status(nodes[0]).await.digest == status(other).await.digest).then_some(()))
            .await;
    }
}

/// Each node takes a report for a title of its own, and all of them answer it.
async fn assert_all_tell_each_other(nodes: &[&Node], round: &str) {
    for (number, node) in nodes.iter().enumerate() {
        let content = format!("{round}-{number}");
        let dot = node.stored(&report(&node.open(&content).await, 1, 61_000, "playing")).await;
        for reader in nodes {
            assert_eq!(point_after(reader, &content, &dot).await["position_ms"], 61_000, "{content}");
        }
    }
    until_alike(nodes).await;
}

#[tokio::test]
async fn a_cluster_is_upgraded_node_by_node_and_stays_one() {
    let authority = Authority::make().await;
    let serve_eu = authority.node("eu", &[]).await;
    let eu = serve_eu.running(previous()).start().await;
    let eu_address = serve_eu.replication_address();
    let serve_us = authority.node("us", &[("eu", eu_address)]).await;
    let us = serve_us.running(previous()).start().await;
    let us_address = serve_us.replication_address();
    let serve_ap = authority.node("ap", &[("eu", eu_address), ("us", us_address)]).await;
    let ap = serve_ap.running(previous()).start().await;
    until_linked_and_ready(&[&eu, &us, &ap]).await;
    assert_all_tell_each_other(&[&eu, &us, &ap], "before").await;

    // The last one first, for it dials the others; what it held is what it goes on with.
    ap.kill().await;
    let ap = serve_ap.start().await;
    until_linked_and_ready(&[&eu, &us, &ap]).await;
    assert_eq!(ap.position("before-0").await, Some(61_000));
    assert!(status(&ap).await.members.is_empty(), "whoever knows of no membership is not taken for down");
    assert_all_tell_each_other(&[&eu, &us, &ap], "one").await;

    us.kill().await;
    let us = serve_us.at_replication(us_address).start().await;
    until_linked_and_ready(&[&eu, &us, &ap]).await;
    assert_all_tell_each_other(&[&eu, &us, &ap], "two").await;

    eu.kill().await;
    let eu = serve_eu.at_replication(eu_address).start().await;
    until_linked_and_ready(&[&eu, &us, &ap]).await;
    assert_all_tell_each_other(&[&eu, &us, &ap], "all").await;
}
