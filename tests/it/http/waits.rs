//! Answers that wait until there is something new.

use std::time::Duration;

use reqwest::{StatusCode, header};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    patience::within,
    serving::{Node, Player, anonymous, problem, report, route_of},
};

async fn tag(node: &Player, content: &str) -> String {
    node.place(content).await.headers()[header::ETAG].to_str().expect("it is ASCII").to_owned()
}

#[tokio::test]
async fn a_waiting_answer_comes_with_the_change_of_its_title_and_with_no_other() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    let (tag, path) = (tag(&node, "metropolis").await, route_of("ada", "metropolis"));
    let began = Instant::now();
    let wait = node.news(&path, &tag, "wait=30");
    let act = async {
        for number in 1..=20 {
            node.stored(&anonymous("nosferatu", number * 5_000, "playing")).await;
        }
        node.stored(&report(&opened, 2, 99_000, "playing")).await;
    };
    let (news, ()) = tokio::join!(wait, act);
    assert_eq!(news.status(), StatusCode::OK);
    assert_ne!(news.headers()[header::ETAG], tag.as_str());
    assert_eq!(news.json::<Value>().await.expect("it is JSON")["position_ms"], 99_000);
    assert!(began.elapsed() < Duration::from_secs(30), "it did not wait until its time was over");
}

#[tokio::test]
async fn a_wait_ends_unchanged_when_its_time_is_over() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let (tag, path) = (tag(&node, "metropolis").await, route_of("ada", "metropolis"));
    let began = Instant::now();
    let same = node.news(&path, &tag, "respond-async, wait=1").await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(same.headers()["preference-applied"], "wait=1");
    assert!(same.headers().contains_key("token"));
}

#[tokio::test]
async fn who_knows_less_than_the_node_or_does_not_ask_to_wait_is_answered_at_once() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let (tag, path) = (tag(&node, "metropolis").await, route_of("ada", "metropolis"));
    let began = Instant::now();
    assert_eq!(node.news(&path, "\"other\"", "wait=30").await.status(), StatusCode::OK);
    for prefer in ["wait=0", "wait=soon", "return=minimal"] {
        let same = node.news(&path, &tag, prefer).await;
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{prefer}");
        assert!(!same.headers().contains_key("preference-applied"), "{prefer}");
    }
    let unknown = node.news(&route_of("ada", "nosferatu"), &tag, "wait=30").await;
    problem(unknown, 404, "no-resume-point", "a title without a place").await;
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_node_that_leaves_does_not_wait_for_who_waits() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let (tag, path) = (tag(&node, "metropolis").await, route_of("ada", "metropolis"));
    let player = Player::clone(&node);
    let waits = tokio::spawn(async move { player.news(&path, &tag, "wait=30").await.status() });
    // It is sure to wait once the node has heard a request that came after.
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let began = Instant::now();
    node.signal("TERM").await;
    let (code, log) = node.ended().await;
    assert_eq!(code, Some(0), "{log:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
    let status = within(waits).await.expect("it does not panic");
    assert!([StatusCode::NOT_MODIFIED, StatusCode::OK].contains(&status), "{status}");
    assert!(!log.iter().any(|line| line.contains("were not answered")), "{log:?}");
}
