//! Titles that are erased for ever, and who says so.

use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::serving::{Node, problem, report, route_to};

const FILM: &str = "metropolis";

async fn erased(node: &Node) -> String {
    let answer = node.delete(&route_to("titles", "ada", FILM)).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["durability"], "synced");
    let (dot, location) = (answer.headers()["dot"].clone(), answer.headers()[header::LOCATION].clone());
    let erasure = answer.json::<Value>().await.expect("it is JSON")["erasure"].as_str().map(str::to_owned);
    let erasure = erasure.expect("a text");
    assert_eq!((dot.to_str().ok(), location.to_str().ok()), (Some(&*erasure), Some(&*path_of(&erasure))));
    erasure
}

fn path_of(erasure: &str) -> String {
    format!("/v1/erasures/{erasure}")
}

#[tokio::test]
async fn an_erased_title_is_as_one_that_was_never_played_and_stays_so() {
    let (_home, node) = Node::alone().await;
    let opened = node.open(FILM).await;
    node.stored(&report(&opened, 1, 3_600_000, "ended")).await;
    node.put(&route_to("watched", "ada", FILM), &[], &json!({ "watched": true })).await;
    erased(&node).await;
    let gone = problem(node.place(FILM).await, 404, "no-resume-point", "erased").await;
    assert_eq!((&gone["watched"], &gone["plays"]), (&json!(false), &json!(0)));
    for seq in [1, 2] {
        let late = node.beat(&report(&opened, seq, 3_600_000, "ended")).await;
        problem(late, 410, "erased", "a session from before").await;
    }
    problem(node.place(FILM).await, 404, "no-resume-point", "erased").await;

    let again = node.open(FILM).await;
    assert_eq!(again["resume"], Value::Null);
    node.stored(&report(&again, 1, 30_000, "playing")).await;
    let point = node.point(FILM).await;
    assert_eq!((&point["position_ms"], &point["alternatives"]), (&json!(30_000), &json!([])));
}

#[tokio::test]
async fn erasing_again_erases_what_was_played_since_unless_the_caller_says_what_it_has_seen() {
    let (_home, node) = Node::alone().await;
    let first = erased(&node).await;
    let second = erased(&node).await;
    assert_ne!(first, second, "each is a fence of its own");
    node.stored(&report(&node.open(FILM).await, 1, 30_000, "playing")).await;
    erased(&node).await;
    problem(node.place(FILM).await, 404, "no-resume-point", "erased again").await;
    for erasure in [first, second] {
        let found: Value = node.get(&path_of(&erasure)).await.json().await.expect("it is JSON");
        assert_eq!(found["complete"], true, "a greater fence confirms the lesser: {found}");
    }
}

#[tokio::test]
async fn a_node_on_its_own_confirms_what_it_has_synced() {
    let (_home, node) = Node::alone().await;
    let erasure = erased(&node).await;
    let answer = node.get(&path_of(&erasure)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let found: Value = answer.json().await.expect("it is JSON");
    let replica = node.status().await["replica"].clone();
    let own = json!({
        "name": "node", "region": "local", "replica": replica, "own": true, "confirmed": true,
    });
    assert_eq!(found, json!({ "erasure": erasure, "complete": true, "replicas": [own] }));
}

#[tokio::test]
async fn an_erasure_that_nobody_has_heard_of_is_not_found() {
    let (_home, node) = Node::alone().await;
    let (origin, version) = {
        let erasure = erased(&node).await;
        let (origin, version) = erasure.split_once(':').expect("a dot");
        (origin.to_owned(), version.parse::<u64>().expect("a number"))
    };
    for unknown in [format!("{}:1", "5".repeat(32)), format!("{origin}:{}", version + 1)] {
        problem(node.get(&path_of(&unknown)).await, 404, "unknown-dot", &unknown).await;
    }
    for bad in ["metropolis", "5:1", &origin, &format!("{origin}:x")] {
        let refused = problem(node.get(&path_of(bad)).await, 422, "invalid", bad).await;
        assert_eq!(refused["field"], "erasure");
    }
}
