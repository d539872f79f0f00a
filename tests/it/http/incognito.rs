//! Sessions of which nothing is kept.

use playmark::{
    node::Clock,
    playback::{BEHIND_MS, Claims},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::serving::{Mint, Node, claims, problem, report};

async fn open(node: &Node, incognito: &Value) -> Response {
    let body = json!({ "profile": "ada", "content": "metropolis", "incognito": incognito });
    node.post("/v1/sessions", "application/json", body.to_string()).await
}

#[tokio::test]
async fn an_incognito_session_is_acknowledged_and_leaves_nothing() {
    let (_home, node) = Node::alone().await;
    let opened: Value = open(&node, &json!(true)).await.json().await.expect("it is JSON");
    let events = ["playing", "paused", "seeked", "restarted", "ended", "stopped"];
    let beats: Vec<_> =
        (1..).zip(events).map(|(seq, event)| report(&opened, seq, 3_600_000, event)).collect();
    for beat in &beats {
        let answer = node.beat(beat).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{beat}");
        assert!(!answer.headers().contains_key("dot"), "there is no write to name");
    }
    let told: Value = node.beat(&json!(beats)).await.json().await.expect("it is JSON");
    let acknowledged = vec![json!({ "result": "acknowledged" }); beats.len()];
    assert_eq!(told["results"], json!(acknowledged));
    let unseen = problem(node.place("metropolis").await, 404, "no-resume-point", "incognito").await;
    assert_eq!((&unseen["watched"], &unseen["plays"]), (&json!(false), &json!(0)));
    assert_eq!(node.status().await["vector"], json!([]), "nothing was ever written");
}

#[tokio::test]
async fn an_incognito_session_begins_where_the_viewer_is_and_moves_nothing() {
    let (_home, node) = Node::alone().await;
    node.stored(&report(&node.open("metropolis").await, 1, 61_000, "playing")).await;
    let tag = node.place("metropolis").await.headers()["etag"].clone();
    let opened: Value = open(&node, &json!(true)).await.json().await.expect("it is JSON");
    assert_eq!(opened["resume"]["position_ms"], 61_000);
    let later = node.open("metropolis").await;
    node.stored(&report(&later, 1, 62_000, "playing")).await;
    let answer = node.beat(&report(&opened, 1, 99_000, "playing")).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "it does not compete, so it has lost to nobody");
    assert_eq!(node.position("metropolis").await, Some(62_000));
    assert_ne!(node.place("metropolis").await.headers()["etag"], tag);
}

#[tokio::test]
async fn a_renewed_token_is_as_incognito_as_the_one_before_it() {
    let (home, node) = Node::alone().await;
    let asleep = claims("metropolis", Clock::wall().minus_ms(BEHIND_MS + 60_000));
    let asleep = Claims { incognito: true, ..asleep };
    let token = json!({ "token": Mint::of(home.path()).sign(&asleep) });
    let told: Value = node.beat(&report(&token, 1, 1_000, "playing")).await.json().await.expect("it is JSON");
    assert_eq!(told["result"], "acknowledged");
    let answer = node.beat(&report(&told, 2, 3_600_000, "ended")).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(node.status().await["vector"], json!([]));
}

#[tokio::test]
async fn incognito_is_yes_or_no() {
    let (_home, node) = Node::alone().await;
    for bad in [json!("yes"), json!(1)] {
        let refused = problem(open(&node, &bad).await, 422, "invalid", &bad.to_string()).await;
        assert_eq!(refused["field"], "incognito");
    }
    for kept in [json!(false), json!(null)] {
        let opened: Value = open(&node, &kept).await.json().await.expect("it is JSON");
        node.stored(&report(&opened, 1, 61_000, "playing")).await;
        assert_eq!(node.position("metropolis").await, Some(61_000));
    }
}
