//! Members of a heartbeat and of a question that cannot be right, one by one.

use playmark::playback::{DEVICE_CHARS_MAX, TOKEN_CHARS_MAX};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::serving::{Node, anonymous, ids, problem, report};

#[tokio::test]
async fn a_member_that_cannot_be_right_is_named_and_nothing_is_stored() {
    let (_home, node) = Node::alone().await;
    let numbers = [json!(-1), json!(0.5), json!("5"), json!([5]), json!(true), json!({}), json!(u64::MAX)];
    let mut cases = Vec::new();
    for field in ["position_ms", "elapsed_ms", "sent_elapsed_ms", "duration_ms", "credits_ms", "played_ms"] {
        cases.extend(numbers.iter().map(|wrong| (field, wrong.clone())));
        cases.push((field, json!(31_536_000_001_u64)));
    }
    for field in ["profile", "content", "session", "device", "token", "event"] {
        cases.extend([json!(7), json!([]), json!(false), json!({})].map(|wrong| (field, wrong)));
    }
    for field in ["profile", "content", "session", "device", "event"] {
        cases.extend(["", "a\nb", "\u{7f}"].map(|wrong| (field, json!(wrong))));
    }
    cases.extend([
        ("profile", json!("p".repeat(129))),
        ("content", json!("c".repeat(257))),
        ("content", json!("é".repeat(129))),
        ("device", json!("d".repeat(DEVICE_CHARS_MAX + 1))),
        ("session", json!("s".repeat(65))),
        ("token", json!("t".repeat(TOKEN_CHARS_MAX + 1))),
        ("seq", json!(-1)),
        ("seq", json!(4_294_967_296_u64)),
        ("rate", json!(1_001)),
        ("rate", json!("1")),
        ("deliberate", json!(1)),
        ("event", json!("dancing")),
    ]);
    for (field, wrong) in cases {
        let mut beat = anonymous("metropolis", 61_000, "playing");
        beat[field] = wrong;
        refuse(&node, &beat, field).await;
    }
    node.assert_untouched("all of them").await;
}

#[tokio::test]
async fn a_member_that_must_be_there_is_named_where_it_is_missing_or_null() {
    let (_home, node) = Node::alone().await;
    for field in ["profile", "content", "position_ms", "event"] {
        let mut beat = anonymous("metropolis", 61_000, "playing");
        beat[field] = Value::Null;
        refuse(&node, &beat, field).await;
        beat.as_object_mut().expect("an object").remove(field);
        refuse(&node, &beat, field).await;
    }
    let mut uncounted = report(&node.open("metropolis").await, 1, 61_000, "playing");
    uncounted["seq"] = Value::Null;
    refuse(&node, &uncounted, "seq").await;
    node.assert_untouched("all of them").await;
}

#[tokio::test]
async fn a_session_for_what_is_no_title_or_no_device_is_refused() {
    let (_home, node) = Node::alone().await;
    let cases = [
        ("profile", json!("")),
        ("profile", json!("p".repeat(129))),
        ("profile", Value::Null),
        ("content", json!("c".repeat(257))),
        ("content", json!(7)),
        ("content", json!("a\u{0}b")),
        ("device", json!("d".repeat(65))),
        ("device", json!("")),
    ];
    for (field, wrong) in cases {
        let mut asked = ids("ada", "metropolis");
        asked[field] = wrong;
        let answer = node.post("/v1/sessions", "application/json", asked.to_string()).await;
        let problem = problem(answer, 422, "invalid", &asked.to_string()).await;
        assert_eq!(problem["field"], field, "{asked}");
    }
}

#[tokio::test]
async fn what_is_unknown_or_at_its_bound_is_taken() {
    let (_home, node) = Node::alone().await;
    let (profile, content) = ("p".repeat(128), "é".repeat(128));
    let mut beat = ids(&profile, &content);
    let rest = json!({
        "event": "playing", "position_ms": 31_536_000_000_u64, "rate": -1_000, "seq": u32::MAX,
        "played_ms": 4_000.0, "duration_ms": null, "device": "d".repeat(DEVICE_CHARS_MAX),
        "colour": "blue", "position_s": -1, "nested": { "token": [1, { "deep": null }] }, "": 0,
    });
    beat.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    assert_eq!(node.beat(&beat).await.status(), StatusCode::NO_CONTENT);
    let answer = node.get(&crate::serving::route_of(&profile, &content)).await;
    let point: Value = answer.json().await.expect("it is JSON");
    assert_eq!(point["position_ms"], 31_536_000_000_u64);
    assert_eq!(point["content"], content);
}

#[tokio::test]
async fn a_query_that_is_none_is_refused_before_anything_is_stored() {
    let (_home, node) = Node::alone().await;
    let beat = anonymous("metropolis", 61_000, "playing").to_string();
    for query in ["durability=", "durability=forever", "durability=Synced"] {
        let answer = node.post(&format!("/v1/heartbeats?{query}"), "text/plain", beat.clone()).await;
        assert_eq!(problem(answer, 422, "invalid", query).await["field"], "durability", "{query}");
    }
    node.assert_untouched("a durability that is none").await;
    let zeros = "0".repeat(32);
    for dot in ["", "7", "nonsense:7", &zeros, &format!("{zeros}:"), &format!("{zeros}:-1")] {
        let answer = node.get(&format!("/v1/profiles/ada/resume-points/metropolis?after={dot}")).await;
        assert_eq!(problem(answer, 422, "invalid", dot).await["field"], "after", "{dot}");
    }
}

async fn refuse(node: &Node, beat: &Value, field: &str) {
    let problem = problem(node.beat(beat).await, 422, "invalid", &beat.to_string()).await;
    assert_eq!(problem["field"], field, "{beat}: {problem}");
}
