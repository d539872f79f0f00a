//! All that is held of a profile, as one stream.

use serde_json::{Value, json};

use crate::serving::{Line, Node, anonymous, ids, problem, report, request};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test]
async fn an_export_holds_every_title_with_everything_that_was_said_of_it() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let mut beat = report(&opened, 7, 99_000, "ended");
    (beat["duration_ms"], beat["rate"], beat["series"]) = (json!(100_000), json!(1.5), json!("fritz lang"));
    node.stored(&beat).await;
    node.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    let mut other = ids("grace", "metropolis");
    (other["position_ms"], other["event"]) = (json!(1_000), json!("playing"));
    node.stored(&other).await;

    let answer = node.get("/v1/profiles/ada/export").await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let found = lines(&answer.text().await.expect("it is text"));
    let [metropolis, nosferatu, end] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*end, json!({"end": true, "titles": 2}));
    assert_eq!((&metropolis["content"], &nosferatu["content"]), (&json!("metropolis"), &json!("nosferatu")));
    assert_eq!((&metropolis["watched"], &nosferatu["watched"]), (&json!(true), &json!(false)));
    assert_eq!(metropolis["resume_point"]["dot"], node.point("metropolis").await["dot"]);
    let slots: Vec<_> =
        metropolis["registers"].as_array().expect("a list").iter().map(|it| &it["slot"]).collect();
    assert_eq!(slots, ["session", "completed"]);
    let session = &metropolis["registers"][0];
    for (member, value) in [
        ("session", opened["session"].clone()),
        ("seq", json!(7)),
        ("position_ms", json!(99_000)),
        ("event", json!("ended")),
        ("rate", json!(1.5)),
        ("played_ms", json!(4_000)),
        ("device", json!("TV")),
        ("series", json!("fritz lang")),
        ("time_quality", json!("anchored")),
    ] {
        assert_eq!(session[member], value, "{member}");
    }
}

#[tokio::test]
async fn a_profile_of_which_nothing_is_held_exports_its_end_alone() {
    let (_home, node) = Node::alone().await;
    let text = node.get("/v1/profiles/ada/export").await.text().await.expect("it is text");
    assert_eq!(lines(&text), [json!({"end": true, "titles": 0})]);
    problem(node.get("/v1/profiles/a%00b/export").await, 422, "invalid", "no id").await;
}

/// Enough for several pieces.
const TITLES: usize = 300;

/// What the node lets a piece grow beyond its bound: one title with few registers.
const TITLE_BYTES: usize = 4 * 1_024;

#[tokio::test]
async fn a_large_export_comes_in_bounded_pieces() {
    let (_home, node) = Node::alone().await;
    for first in (0..TITLES).step_by(100) {
        let title = |number: usize| anonymous(&format!("film/{number:04}"), 5_000, "playing").to_string();
        let body: Vec<_> = (first..first + 100).map(title).collect();
        let answer = node.post("/v1/heartbeats", "application/x-ndjson", body.join("\n")).await;
        assert!(answer.status().is_success());
    }
    let mut line = Line::to(&node).await;
    line.say(request("GET /v1/profiles/ada/export", "", "")).await;
    let heard = line.hear().await;
    let (_, mut rest) = heard.split_once("\r\n\r\n").expect("a head");
    let (mut text, mut pieces) = (String::new(), 0);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        assert!(size <= playmark::http::EXPORT_PIECE_BYTES + TITLE_BYTES, "a piece of {size} bytes");
        text.push_str(&after[..size]);
        rest = &after[size + 2..];
        pieces += usize::from(size > 0);
    }
    assert!(pieces > 1, "{} bytes in one piece", text.len());
    let found = lines(&text);
    assert_eq!(found.last(), Some(&json!({"end": true, "titles": TITLES})));
    for (number, title) in found[..TITLES].iter().enumerate() {
        assert_eq!(title["content"], format!("film/{number:04}"));
    }
}
