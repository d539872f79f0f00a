//! What machines and operators ask of a node.

use playmark::http::StatusView;
use reqwest::StatusCode;
use tokio::process::Command;

use crate::{
    patience::within,
    serving::{Node, anonymous},
};

#[tokio::test]
async fn a_node_that_runs_is_alive_and_ready_and_tells_how_it_stands() {
    let (_home, node) = Node::alone().await;
    for (path, said) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = node.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.text().await.expect("it is text"), said);
    }
    let before = status(&node).await;
    assert_eq!(
        (before.name.as_str(), before.region.as_str(), before.cluster.as_str()),
        ("node", "local", "local")
    );
    assert_eq!((before.vector.len(), before.peers.len(), before.heartbeats_total), (0, 0, 0));
    assert_eq!((before.inbox.len, before.inbox.max), (0, playmark::node::INBOX_WRITES_MAX));

    let dot = node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let after = status(&node).await;
    assert_eq!(after.heartbeats_total, 1);
    assert_ne!(after.digest, before.digest);
    let [held] = after.vector.as_slice() else { panic!("one origin has written: {after:?}") };
    assert!(held.own && held.origin == after.origin && held.lag_ms == 0, "{held:?}");
    assert_eq!(format!("{}:{}", held.origin, held.version), dot, "what it holds is what it acknowledged");
}

#[tokio::test]
async fn the_command_tells_the_same_to_people() {
    let (home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let published = std::fs::read_to_string(home.path().join("data/http.addr")).expect("it is published");
    assert_eq!(published, format!("{}\n", node.address));
    let ask = async || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
        let output = command.args(["status", "--http", published.trim()]).output();
        within(output).await.expect("it can be started")
    };
    let output = ask().await;
    let said = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    for word in ["node.local.local", "heartbeats 1 ", &status(&node).await.digest] {
        assert!(said.contains(word), "{said}");
    }
    node.kill().await;
    let output = ask().await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("it is text");
    assert!(said.starts_with("playmark: --http 127.0.0.1:") && said.lines().count() == 1, "{said}");
}

async fn status(node: &Node) -> StatusView {
    serde_json::from_value(node.status().await).expect("it is a status")
}
