//! What viewers order for a whole profile: settings, and that all of it be forgotten.

use playmark::{node::Clock, playback::Claims};
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::serving::{Mint, Node, anonymous, claims, problem, report, route_to};

const SETTINGS: &str = "/v1/profiles/ada/settings";

async fn settings(node: &Node) -> Value {
    node.get(SETTINGS).await.json().await.expect("it is JSON")
}

async fn settle(node: &Node, body: Value) -> Response {
    let answer = node.put(SETTINGS, &[], &body).await;
    assert_eq!(answer.status(), StatusCode::OK, "{body}");
    assert_eq!(answer.headers()["durability"], "synced");
    assert!(answer.headers().contains_key("dot"));
    answer
}

async fn erase(node: &Node) -> String {
    let answer = node.delete("/v1/profiles/ada").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["durability"], "synced");
    let erased: Value = answer.json().await.expect("it is JSON");
    erased["erasure"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn settings_are_the_nodes_until_the_profile_has_its_own() {
    let (_home, node) = Node::alone().await;
    let nodes = json!({
        "profile": "ada", "recording": "on", "completed_percent": 95, "engaged_ms": 3_000, "settled": [],
    });
    assert_eq!(settings(&node).await, nodes);
    let answer = settle(&node, json!({ "completed_percent": 80, "engaged_ms": 10_000 })).await;
    let tag = answer.headers()[header::ETAG].clone();
    let own = json!({
        "profile": "ada", "recording": "on", "completed_percent": 80, "engaged_ms": 10_000,
        "settled": ["completed_percent", "engaged_ms"],
    });
    assert_eq!(answer.json::<Value>().await.expect("it is JSON"), own);
    let read = node.get(SETTINGS).await;
    assert_eq!(read.headers()[header::ETAG], tag);
    assert_eq!(read.json::<Value>().await.expect("it is JSON"), own);
    settle(&node, json!({})).await;
    assert_eq!(settings(&node).await, nodes, "what is left out is the node's again");

    let stale = tag.to_str().expect("it is ASCII");
    let refused = node.put(SETTINGS, &[(header::IF_MATCH, stale)], &json!({ "recording": "paused" })).await;
    problem(refused, 412, "precondition-failed", "settled since").await;
    assert_eq!(settings(&node).await, nodes);
}

#[tokio::test]
async fn a_settled_threshold_applies_backwards() {
    let (_home, node) = Node::alone().await;
    let mut beat = anonymous("metropolis", 85_000, "playing");
    beat["duration_ms"] = json!(100_000);
    node.stored(&beat).await;
    let completed = async || node.point("metropolis").await["completed"].as_bool();
    let in_row = async || {
        let row: Value =
            node.get("/v1/profiles/ada/continue-watching").await.json().await.expect("it is JSON");
        row["titles"].as_array().map(Vec::len)
    };
    assert_eq!((completed().await, in_row().await), (Some(false), Some(1)));
    settle(&node, json!({ "completed_percent": 80 })).await;
    assert_eq!((completed().await, in_row().await), (Some(true), Some(0)));
    settle(&node, json!({ "completed_percent": 90 })).await;
    assert_eq!((completed().await, in_row().await), (Some(false), Some(1)));
    let plays = node.point("metropolis").await["plays"].clone();
    assert_eq!(plays, 0, "nothing was played while the threshold was low");
}

#[tokio::test]
async fn a_profile_that_has_paused_is_acknowledged_and_nothing_of_it_is_kept() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    settle(&node, json!({ "recording": "paused" })).await;
    for (seq, event) in [(2, "playing"), (3, "ended")] {
        let answer = node.beat(&report(&opened, seq, 3_600_000, event)).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{event}");
        assert!(!answer.headers().contains_key("dot"), "{event}: there is no write to name");
    }
    assert_eq!(node.beat(&anonymous("metropolis", 90_000, "playing")).await.status(), StatusCode::NO_CONTENT);
    let point = node.point("metropolis").await;
    assert_eq!((&point["position_ms"], &point["plays"]), (&json!(61_000), &json!(0)));
    // What is ordered by hand is no record of what was played.
    let marked = node.put(&route_to("watched", "ada", "metropolis"), &[], &json!({ "watched": true })).await;
    assert_eq!(marked.status(), StatusCode::NO_CONTENT);
    assert_eq!(node.point("metropolis").await["watched"], true);
    settle(&node, json!({ "recording": "on" })).await;
    node.stored(&report(&opened, 4, 62_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(62_000));
}

#[tokio::test]
async fn settings_beyond_their_bounds_are_refused() {
    let (_home, node) = Node::alone().await;
    let cases = [
        (json!({ "recording": "off" }), "recording"),
        (json!({ "completed_percent": 0 }), "completed_percent"),
        (json!({ "completed_percent": 101 }), "completed_percent"),
        (json!({ "engaged_ms": 2_999 }), "engaged_ms"),
    ];
    for (body, field) in cases {
        let refused = node.put(SETTINGS, &[], &body).await;
        assert_eq!(problem(refused, 422, "invalid", &body.to_string()).await["field"], field);
    }
    node.assert_untouched("all of them").await;
}

#[tokio::test]
async fn an_erased_profile_is_as_one_that_never_was_but_for_its_settings() {
    let (home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    node.put(&route_to("watched", "ada", "nosferatu"), &[], &json!({ "watched": true })).await;
    settle(&node, json!({ "completed_percent": 80 })).await;
    // A place an hour ahead of the node's clock, above the profile's fence.
    let hour_ms = 3_600_000;
    let line = claims("the golem", Clock::wall());
    let ahead =
        Claims { anchor: line.anchor.plus_ms(hour_ms), expires: line.expires.plus_ms(hour_ms), ..line };
    let ahead = json!({ "token": Mint::of(home.path()).sign(&ahead) });
    node.stored(&report(&ahead, 1, 61_000, "playing")).await;
    let mut eves = anonymous("metropolis", 77_000, "playing");
    eves["profile"] = json!("eve");
    node.stored(&eves).await;

    let erasure = erase(&node).await;
    for content in ["metropolis", "nosferatu", "the golem"] {
        let gone = problem(node.place(content).await, 404, "no-resume-point", content).await;
        assert_eq!((&gone["watched"], &gone["plays"]), (&json!(false), &json!(0)), "{content}");
    }
    let history: Value = node.get("/v1/profiles/ada/history").await.json().await.expect("it is JSON");
    assert_eq!(history["titles"], json!([]));
    assert_eq!(settings(&node).await["completed_percent"], 80);
    for (token, seq) in [(&opened, 2), (&ahead, 2)] {
        problem(node.beat(&report(token, seq, 62_000, "playing")).await, 410, "erased", "from before").await;
    }
    let others: Value =
        node.get(&route_to("resume-points", "eve", "metropolis")).await.json().await.expect("JSON");
    assert_eq!(others["position_ms"], 77_000);
    let found: Value = node.get(&format!("/v1/erasures/{erasure}")).await.json().await.expect("it is JSON");
    assert_eq!(found["complete"], true, "{found}");

    node.stored(&report(&node.open("metropolis").await, 1, 5_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(5_000));
    assert_ne!(erase(&node).await, erasure);
    problem(node.place("metropolis").await, 404, "no-resume-point", "erased again").await;
}
