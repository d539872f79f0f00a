//! Answers that wait until there is something new.

use std::time::Duration;

use playmark::http::WAITS_MAX;
use reqwest::{Response, StatusCode, header};
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    patience::within,
    serving::{Node, Player, anonymous, problem, report, route_of},
};

/// How many more wait in a test than may.
const TOO_MANY: usize = 3;

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

/// Lets as many wait as may; those beyond are answered at once, by which the rest are known to wait.
async fn all_wait(node: &Player, content: &str) -> JoinSet<Response> {
    let (tag, path) = (tag(node, content).await, route_of("ada", content));
    let mut waits = JoinSet::new();
    for _ in 0..WAITS_MAX + TOO_MANY {
        let (player, path, tag) = (Player::clone(node), path.clone(), tag.clone());
        waits.spawn(async move { player.news(&path, &tag, "wait=30").await });
    }
    for _ in 0..TOO_MANY {
        let first = within(waits.join_next()).await.expect("some are left").expect("it does not panic");
        assert_eq!(first.status(), StatusCode::NOT_MODIFIED);
        assert!(!first.headers().contains_key("preference-applied"), "it did not wait");
    }
    waits
}

#[tokio::test]
async fn where_as_many_wait_as_may_more_are_answered_at_once_and_all_of_them_by_the_change() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    let waits = all_wait(&node, "metropolis").await;
    node.stored(&report(&opened, 2, 99_000, "playing")).await;
    let woken: Vec<_> = within(waits.join_all()).await.iter().map(Response::status).collect();
    assert_eq!(woken, [StatusCode::OK; WAITS_MAX]);
}

#[tokio::test]
async fn a_node_that_leaves_answers_all_who_wait() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let waits = all_wait(&node, "metropolis").await;
    let began = Instant::now();
    node.signal("TERM").await;
    let (code, log) = node.ended().await;
    assert_eq!(code, Some(0), "{log:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "it did not wait until their time was over");
    let answered: Vec<_> = within(waits.join_all()).await.iter().map(Response::status).collect();
    assert_eq!(answered, [StatusCode::NOT_MODIFIED; WAITS_MAX]);
    assert!(!log.iter().any(|line| line.contains("were not answered")), "{log:?}");
}
