//! An inbox that fills: writes that wait for a peer hold their places, and where no peer is they wait in vain.

use playmark::{http::HEARTBEATS_MAX, node::INBOX_WRITES_MAX};
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    patience::{until_found, within},
    serving::{Authority, Node, Player, anonymous, problem},
};

/// Each heartbeat of a batch is a place and a completion.
const BATCH_WRITES: usize = 2 * HEARTBEATS_MAX;
const BATCHES_HELD: usize = INBOX_WRITES_MAX / BATCH_WRITES;

/// A node that replicates with nobody, so that whoever waits for a peer waits as long as there is patience.
async fn lonely() -> (Authority, Node) {
    let authority = Authority::make().await;
    let node = authority.node("eu", &[]).await.start().await;
    (authority, node)
}

/// As many writes as one request can bring, for a title of their own.
fn batch(content: &str) -> String {
    let beat = |number| {
        json!({
            "profile": "ada", "content": content, "event": "ended", "position_ms": number * 5_000,
        })
    };
    let beats: Vec<_> = (1..=HEARTBEATS_MAX).map(beat).collect();
    json!(beats).to_string()
}

async fn send(node: Player, content: String) -> (String, reqwest::Response) {
    let path = "/v1/heartbeats?durability=replicated";
    let answer = node.post(path, "text/plain", batch(&content)).await;
    (content, answer)
}

#[tokio::test]
async fn what_finds_the_inbox_full_is_refused_whole_and_taken_when_it_comes_again() {
    let (_authority, node) = lonely().await;
    let mut sent = JoinSet::new();
    for number in 0..BATCHES_HELD * 5 / 2 {
        sent.spawn(send(Player::clone(&node), format!("film {number}")));
    }
    let mut refused = Vec::new();
    while let Some(answered) = within(sent.join_next()).await {
        let (content, answer) = answered.expect("it does not panic");
        if answer.status() == StatusCode::OK {
            assert_eq!(answer.headers()["durability"], "synced", "nobody else has it");
            assert_eq!(node.position(&content).await, Some(5_000 * 512), "{content}");
        } else {
            problem(answer, 503, "full", &content).await;
            assert_eq!(node.position(&content).await, None, "{content} stands in part");
            refused.push(content);
        }
    }
    assert!(!refused.is_empty(), "more was sent than the inbox holds");
    let turned_away = node.status().await["turned_away_total"].as_u64();
    assert_eq!(turned_away, u64::try_from(refused.len() * BATCH_WRITES).ok());
    for content in refused {
        let answer = node.post("/v1/heartbeats", "text/plain", batch(&content)).await;
        assert_eq!(answer.status(), StatusCode::OK, "there is room again");
        assert_eq!(node.position(&content).await, Some(5_000 * 512), "{content}");
    }
    assert_eq!(node.status().await["inbox"]["len"], 0);
}

#[tokio::test]
async fn the_fuller_the_inbox_is_the_less_often_players_are_asked_to_report() {
    let (_authority, node) = lonely().await;
    let mut sent = JoinSet::new();
    for number in 0..BATCHES_HELD / 2 {
        sent.spawn(send(Player::clone(&node), format!("film {number}")));
    }
    until_found(async || {
        let len = node.status().await["inbox"]["len"].as_u64();
        len.filter(|&len| len >= (INBOX_WRITES_MAX / 2) as u64)
    })
    .await;
    let answer = node.beat(&anonymous("metropolis", 61_000, "playing")).await;
    assert_eq!(answer.headers()["heartbeat-interval-ms"], "8000");
    assert!(within(sent.join_all()).await.iter().all(|(_, answer)| answer.status() == StatusCode::OK));
    let answer = node.beat(&anonymous("metropolis", 99_000, "playing")).await;
    assert_eq!(answer.headers()["heartbeat-interval-ms"], "1000");
}

#[tokio::test]
async fn who_waits_for_a_peer_when_the_node_leaves_is_answered_first() {
    let (_authority, node) = lonely().await;
    let waiting = tokio::spawn({
        let (node, beat) = (Player::clone(&node), anonymous("metropolis", 61_000, "playing").to_string());
        async move { node.try_post("/v1/heartbeats?durability=replicated", "text/plain", beat).await }
    });
    until_found(async || node.status().await["inbox"]["len"].as_u64().filter(|&len| len > 0)).await;
    node.signal("TERM").await;
    let answer = within(waiting).await.expect("it does not panic").expect("it is answered");
    assert_eq!(
        (answer.status(), &answer.headers()["durability"]),
        (StatusCode::NO_CONTENT, &"synced".parse().expect("a value"))
    );
    let (code, said) = node.ended().await;
    assert_eq!(code, Some(0), "{said:?}");
}
