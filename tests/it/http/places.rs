//! Where a viewer has been in a title, and back there.

use reqwest::Response;
use serde_json::{Value, json};

use crate::serving::{Node, Player, problem, report};

const PATH: &str = "/v1/profiles/ada/places/metropolis";

async fn restore(node: &Player, session: &Value) -> Response {
    node.post(PATH, "application/json", json!({ "restore": session }).to_string()).await
}

/// Two sessions that have been somewhere, the earlier first.
async fn watched_twice(node: &Player) -> [Value; 2] {
    let first = node.open("metropolis").await;
    node.stored(&report(&first, 1, 61_000, "playing")).await;
    let second = node.open("metropolis").await;
    node.stored(&report(&second, 1, 5_000, "stopped")).await;
    [first, second].map(|opened| opened["session"].clone())
}

fn column(places: &Value, member: &str) -> Vec<Value> {
    places["places"].as_array().expect("a list").iter().map(|place| place[member].clone()).collect()
}

#[tokio::test]
async fn all_places_of_a_title_are_told_the_latest_first() {
    let (_home, node) = Node::alone().await;
    assert_eq!(node.of_ada("places/metropolis").await["places"], json!([]));
    let [first, second] = watched_twice(&node).await;
    let places = node.of_ada("places/metropolis").await;
    assert_eq!((&places["profile"], &places["content"]), (&json!("ada"), &json!("metropolis")));
    assert_eq!(column(&places, "session"), [second, first]);
    assert_eq!(column(&places, "position_ms"), [5_000, 61_000]);
    assert_eq!(column(&places, "resume_point"), [true, false]);
    assert_eq!(column(&places, "engaged"), [true, true]);
    assert_eq!(column(&places, "concurrent"), [false, false]);
    assert_eq!(places["places"][0]["dot"], node.point("metropolis").await["dot"]);
}

#[tokio::test]
async fn an_earlier_place_is_the_resume_point_again_and_what_is_played_next_beats_it() {
    let (_home, node) = Node::alone().await;
    let [first, second] = watched_twice(&node).await;
    let answer = restore(&node, &first).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["durability"], "synced");
    let (dot, tag) = (answer.headers()["dot"].clone(), answer.headers()["etag"].clone());
    let restored: Value = answer.json().await.expect("it is JSON");
    assert_eq!(
        (&restored["position_ms"], &restored["dot"]),
        (&json!(61_000), &json!(dot.to_str().expect("ASCII")))
    );
    assert_eq!(node.place("metropolis").await.headers()["etag"], tag);
    let places = node.of_ada("places/metropolis").await;
    assert_eq!(column(&places, "position_ms"), [61_000, 5_000, 61_000]);
    assert_eq!(column(&places, "session")[1..], [second, first.clone()]);

    // Said again, it is the same bookmark.
    let again = restore(&node, &first).await;
    assert_eq!(again.headers()["dot"], dot);
    let on = node.open("metropolis").await;
    node.stored(&report(&on, 1, 70_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(70_000));
}

#[tokio::test]
async fn what_is_no_place_of_the_title_cannot_be_restored() {
    let (_home, node) = Node::alone().await;
    problem(restore(&node, &json!("a session")).await, 404, "no-such-place", "no places").await;
    let [_, second] = watched_twice(&node).await;
    problem(restore(&node, &json!("a session")).await, 404, "no-such-place", "no such session").await;
    for body in [json!({}), json!({"restore": 7}), json!({"restore": ""})] {
        let answer = node.post(PATH, "application/json", body.to_string()).await;
        assert_eq!(problem(answer, 422, "invalid", "no session").await["field"], "restore", "{body}");
    }
    let before = node.point("metropolis").await;
    let answer = restore(&node, &second).await;
    assert_eq!(answer.status(), 200, "it is the resume point already");
    assert_eq!(node.point("metropolis").await["dot"], before["dot"]);
    assert_eq!(column(&node.of_ada("places/metropolis").await, "session").len(), 2);
}
