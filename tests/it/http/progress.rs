//! Clients that have neither a clock nor a count, and say how far they are.

use reqwest::Response;
use serde_json::{Value, json};

use crate::serving::{Node, Player, problem, report, route_to};

async fn put(node: &Player, said: Value) -> Response {
    node.put(&route_to("progress", "ada", "metropolis"), &[], &said).await
}

async fn stands(node: &Player, said: Value) -> Value {
    let answer = put(node, said).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("dot") && answer.headers().contains_key("etag"));
    answer.json().await.expect("it is JSON")
}

#[tokio::test]
async fn a_reader_goes_back_from_what_it_has_read_and_forward_from_what_it_has_not() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    node.stored(&report(&opened, 1, 1_000_000, "stopped")).await;
    let answer = put(&node, json!({"position_ms": 400_000, "device": "reader"})).await;
    assert_eq!(answer.headers()["durability"], "synced");
    let blind: Value = answer.json().await.expect("it is JSON");
    assert_eq!(blind["position_ms"], 1_000_000, "it has read nothing, and is no further");
    assert_eq!(
        (&blind["alternatives"][0]["time_quality"], blind["token"].is_string()),
        (&json!("blind"), true)
    );

    let back = json!({"position_ms": 300_000, "device": "reader", "read": blind["token"]});
    let first = stands(&node, back.clone()).await;
    assert_eq!((&first["position_ms"], &first["time_quality"]), (&json!(300_000), &json!("read")));
    let again = stands(&node, back).await;
    assert_eq!(
        (&again["dot"], &again["position_ms"]),
        (&first["dot"], &first["position_ms"]),
        "the same write"
    );

    // Another reader has read neither, and is further along; and then somebody plays on from there.
    let other = stands(&node, json!({"position_ms": 1_500_000, "device": "other"})).await;
    assert_eq!(other["position_ms"], 1_500_000);
    let rewound = node.open("metropolis").await;
    node.stored(&report(&rewound, 1, 200_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(200_000));
    let late = stands(&node, json!({"position_ms": 1_500_000, "device": "other"})).await;
    assert_eq!(late["position_ms"], 200_000, "it is where it was");
}

#[tokio::test]
async fn why_a_readers_place_does_not_stand_is_told() {
    let (_home, node) = Node::alone().await;
    node.stored(&report(&node.open("metropolis").await, 1, 1_000_000, "stopped")).await;
    stands(&node, json!({"position_ms": 400_000})).await;
    let told = node.of_ada("resume-points/metropolis?explain=1").await;
    let verdicts =
        told["explanation"]["sessions"].as_array().expect("a list").iter().map(|it| &it["verdict"]);
    assert_eq!(verdicts.collect::<Vec<_>>(), ["won", "not-further"]);
}

#[tokio::test]
async fn a_readers_token_must_be_of_the_title_and_of_a_time_after_its_erasure() {
    let (_home, node) = Node::alone().await;
    let of_other = node.open("nosferatu").await["token"].clone();
    let said = |read: Value| json!({"position_ms": 1, "read": read});
    let refused = problem(put(&node, said(of_other)).await, 422, "not-the-tokens", "another title's").await;
    assert_eq!(refused["field"], "read");
    problem(put(&node, said(json!("pm1.x"))).await, 401, "bad-token", "no token").await;
    problem(put(&node, json!({"position_ms": -1})).await, 422, "invalid", "a place").await;
    let read = stands(&node, json!({"position_ms": 5_000})).await["token"].clone();
    let erased = node.delete(&route_to("titles", "ada", "metropolis")).await;
    assert!(erased.status().is_success());
    problem(put(&node, said(read)).await, 410, "erased", "what it had read is erased").await;
    assert_eq!(node.position("metropolis").await, None);
}
