//! All that is held of a profile, as one stream.

use serde_json::{Value, json};

use crate::serving::{Line, Node, Player, anonymous, ids, problem, report, request};

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
    let [profile, metropolis, nosferatu, end] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&profile["profile"], &profile["registers"]), (&json!("ada"), &json!([])));
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
        ("bystander", json!(false)),
        ("seen", json!(null)),
    ] {
        assert_eq!(session[member], value, "{member}");
    }
}

async fn exported(node: &Player) -> Vec<Value> {
    lines(&node.get("/v1/profiles/ada/export").await.text().await.expect("it is text"))
}

#[tokio::test]
async fn an_export_holds_what_was_settled_and_what_was_erased() {
    let (_home, node) = Node::alone().await;
    let settings = json!({"recording": "on", "completed_percent": 80});
    node.put("/v1/profiles/ada/settings", &[], &settings).await;
    node.stored(&anonymous("metropolis", 5_000, "playing")).await;
    node.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    node.delete("/v1/profiles/ada/titles/metropolis").await;
    let found = exported(&node).await;
    let [profile, metropolis, nosferatu, end] = &found[..] else { panic!("{found:?}") };
    let counting = json!({
        "recording": "on", "completed_percent": 80, "engaged_ms": 3_000, "settled": ["completed_percent"],
    });
    assert_eq!((&profile["settings"], &profile["erased"]), (&counting, &json!(null)));
    assert!(profile["exported_ms"].as_u64().is_some_and(|at| at > 0));
    let [settled] = &profile["registers"].as_array().expect("a list")[..] else { panic!("{profile}") };
    for (member, value) in [
        ("slot", json!("settings")),
        ("recording", json!("on")),
        ("completed_percent", json!(80)),
        ("engaged_ms", json!(null)),
    ] {
        assert_eq!(settled[member], value, "{member}");
    }
    let fence = &metropolis["registers"][0];
    assert_eq!((&fence["slot"], &fence["stamp"]), (&json!("fence"), &metropolis["erased"]));
    assert!(metropolis["erased"]["time_ms"].is_u64() && metropolis.get("resume_point").is_none());
    assert!(nosferatu["resume_point"].is_object() && nosferatu.get("erased").is_none());
    assert_eq!(*end, json!({"end": true, "titles": 2}));

    // Of what is erased as a whole nothing is left but that it was, and what was settled.
    node.delete("/v1/profiles/ada").await;
    let found = exported(&node).await;
    let [profile, end] = &found[..] else { panic!("{found:?}") };
    let slots: Vec<_> =
        profile["registers"].as_array().expect("a list").iter().map(|it| it["slot"].as_str()).collect();
    assert_eq!(slots.len(), 2, "{profile}");
    assert!(slots.contains(&Some("fence")) && slots.contains(&Some("settings")), "{profile}");
    assert!(profile["erased"]["time_ms"].is_u64());
    assert_eq!((&profile["settings"], end), (&counting, &json!({"end": true, "titles": 0})));
}

#[tokio::test]
async fn a_profile_of_which_nothing_is_held_exports_that_and_its_end() {
    let (_home, node) = Node::alone().await;
    let found = exported(&node).await;
    let [profile, end] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&profile["profile"], &profile["settings"]["settled"]), (&json!("ada"), &json!([])));
    assert_eq!((&profile["registers"], end), (&json!([]), &json!({"end": true, "titles": 0})));
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
    for (number, title) in found[1..=TITLES].iter().enumerate() {
        assert_eq!(title["content"], format!("film/{number:04}"));
    }
}
