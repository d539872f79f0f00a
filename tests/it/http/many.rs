//! The places of many titles at once.

use reqwest::Response;
use serde_json::{Value, json};

use crate::serving::{Node, Player, anonymous, problem, report};

async fn ask(node: &Player, body: &Value) -> Response {
    node.post("/v1/profiles/ada/resume-points:batchGet", "application/json", body.to_string()).await
}

#[tokio::test]
async fn each_place_is_the_one_of_a_single_read_and_what_is_missing_is_listed() {
    let (_home, node) = Node::alone().await;
    for (content, position_ms) in [("metropolis", 61_000), ("films/m", 5_000)] {
        node.stored(&anonymous(content, position_ms, "playing")).await;
    }
    let asked = json!({"contents": ["unseen", "films/m", "metropolis", "films/m", "unseen"]});
    let found: Value = ask(&node, &asked).await.json().await.expect("it is JSON");
    assert_eq!(found["missing"], json!(["unseen"]));
    let points = found["resume_points"].as_array().expect("a list");
    for (point, content) in points.iter().zip(["films/m", "metropolis"]) {
        let mut single = node.point(content).await;
        for member in ["token", "anchor_ms"] {
            single.as_object_mut().expect("an object").remove(member);
        }
        assert_eq!(*point, single);
    }
    assert_eq!(points.len(), 2);
}

#[tokio::test]
async fn tokens_come_where_they_are_asked_for() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let asked = json!({"contents": ["metropolis"], "tokens": true});
    let found: Value = ask(&node, &asked).await.json().await.expect("it is JSON");
    node.stored(&report(&found["resume_points"][0], 1, 99_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(99_000));
}

#[tokio::test]
async fn a_batch_beyond_its_bound_or_of_no_ids_is_refused() {
    let (_home, node) = Node::alone().await;
    let most: Vec<_> = (0..100).map(|number| format!("film/{number}")).collect();
    let found: Value = ask(&node, &json!({"contents": most})).await.json().await.expect("it is JSON");
    assert_eq!(found["missing"], json!(most));
    let more: Vec<_> = (0..101).map(|number| format!("film/{number}")).collect();
    for (asked, field) in [
        (json!({"contents": more}), "contents"),
        (json!({"contents": "metropolis"}), "contents"),
        (json!({"contents": [7]}), "contents"),
        (json!({"contents": [""]}), "contents"),
        (json!({}), "contents"),
        (json!({"contents": [], "tokens": "yes"}), "tokens"),
    ] {
        let of = asked.to_string();
        assert_eq!(problem(ask(&node, &asked).await, 422, "invalid", &of).await["field"], field, "{of}");
    }
    problem(ask(&node, &json!([])).await, 400, "not-json", "a list").await;
    problem(node.get("/v1/profiles/ada/resume-points:batchGet").await, 405, "no-such-method", "a GET").await;
}
