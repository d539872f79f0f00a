//! What comes with an answer: tags, dots, durability, and what a node has heard of.

use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::serving::{Node, anonymous, problem, report, route_of};

#[tokio::test]
async fn a_place_is_answered_with_a_tag_that_changes_with_it_and_a_token() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    let first = node.place("metropolis").await;
    let tag = first.headers()[header::ETAG].to_str().expect("it is ASCII").to_owned();
    assert_eq!(first.headers()[header::CACHE_CONTROL], "private, no-cache");
    let point: Value = first.json().await.expect("it is JSON");
    assert_eq!(point["position_ms"], 61_000);
    assert!(point["token"].is_string() && point["anchor_ms"].is_u64());

    for tags in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let same = node.place_unless("metropolis", &tags).await;
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{tags}");
        assert_eq!(same.headers()[header::ETAG], tag.as_str(), "{tags}");
        assert!(same.headers()["token"].to_str().is_ok_and(|token| token.starts_with("pm1.")), "{tags}");
        assert_eq!(same.bytes().await.expect("nothing").len(), 0, "{tags}");
    }
    assert_eq!(node.place_unless("metropolis", "\"other\"").await.status(), StatusCode::OK);
    node.stored(&report(&opened, 2, 62_000, "playing")).await;
    let changed = node.place_unless("metropolis", &tag).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(changed.headers()[header::ETAG], tag.as_str());
}

#[tokio::test]
async fn the_token_of_a_place_is_one_to_report_under() {
    let (_home, node) = Node::alone().await;
    let nothing = problem(node.place("metropolis").await, 404, "no-resume-point", "a new title").await;
    node.stored(&report(&nothing, 1, 61_000, "playing")).await;
    let tag = node.place("metropolis").await.headers()[header::ETAG].to_str().expect("ASCII").to_owned();
    let same = node.place_unless("metropolis", &tag).await;
    let token = same.headers()["token"].to_str().expect("it is ASCII");
    // Whoever has been shown a place goes on above it.
    node.stored(&report(&json!({ "token": token }), 1, 99_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(99_000));
}

#[tokio::test]
async fn late_and_repeated_reports_change_nothing() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let mut dots = Vec::new();
    for seq in [11, 10, 11, 3, 11] {
        dots.push(node.stored(&report(&opened, seq, u64::from(seq) * 10_000, "playing")).await);
    }
    assert!(dots.iter().all(|dot| *dot == dots[0]), "what stands is the first of them: {dots:?}");
    assert_eq!(node.position("metropolis").await, Some(110_000));
}

#[tokio::test]
async fn an_acknowledgement_says_what_it_survives_and_how_often_to_report() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let cases = [
        ("playing", "", "process"),
        ("restarted", "", "process"),
        ("paused", "", "synced"),
        ("seeked", "", "synced"),
        ("stopped", "", "synced"),
        ("ended", "", "synced"),
        ("paused", "?durability=process", "synced"),
        ("playing", "?durability=process", "process"),
        ("playing", "?durability=synced", "synced"),
        // Nobody else is there to keep it.
        ("playing", "?durability=replicated", "synced"),
    ];
    for (seq, (event, query, survives)) in (1..).zip(cases) {
        let beat = report(&opened, seq, 61_000, event);
        for body in [beat.to_string(), format!("[{beat}]")] {
            let answer = node.post(&format!("/v1/heartbeats{query}"), "text/plain", body).await;
            assert!(answer.status().is_success(), "{event} {query}");
            assert_eq!(answer.headers()["durability"], survives, "{event} {query}");
            assert_eq!(answer.headers()["heartbeat-interval-ms"], "1000", "{event} {query}");
        }
    }
    let both = [report(&opened, 20, 1, "paused"), report(&opened, 21, 2, "playing")];
    let answer = node.beat(&json!(both)).await;
    assert_eq!(answer.headers()["durability"], "synced", "a request is as safe as its safest heartbeat");
}

#[tokio::test]
async fn an_answer_waits_for_a_write_that_is_asked_for_and_says_where_it_could_not() {
    let (_home, node) = Node::alone().await;
    let dot = node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let after = async |content: &str, dot: &str| {
        let answer = node.get(&format!("{}?after={dot}", route_of("ada", content))).await;
        (answer.status().as_u16(), answer.json::<Value>().await.expect("it is JSON"))
    };
    let (status, known) = after("metropolis", &dot).await;
    assert_eq!((status, &known["stale"]), (200, &Value::Null), "{known}");
    assert_eq!(known["dot"], dot);

    let elsewhere = format!("{}:1", "5".repeat(32));
    let (held, unheld) = tokio::join!(after("metropolis", &elsewhere), after("nosferatu", &elsewhere));
    assert_eq!((held.0, &held.1["stale"], &held.1["dot"]), (200, &json!(true), &json!(dot)));
    assert_eq!((unheld.0, &unheld.1["stale"]), (404, &json!(true)));
}

#[tokio::test]
async fn a_session_begins_where_the_last_one_was_left_and_names_the_others() {
    let (_home, node) = Node::alone().await;
    let first = node.open("metropolis").await;
    assert_eq!(first["resume"], Value::Null);
    assert_eq!(first["heartbeat_interval_ms"], 1_000);
    let day = first["expires_ms"].as_u64().zip(first["anchor_ms"].as_u64()).map(|(to, from)| to - from);
    assert_eq!(day, Some(86_400_000));
    node.stored(&report(&first, 1, 61_000, "playing")).await;

    let second = node.open("metropolis").await;
    assert_ne!(second["session"], first["session"]);
    assert_eq!(second["resume"]["position_ms"], 61_000);
    assert_eq!(second["resume"]["device"], "TV");
    node.stored(&report(&second, 1, 5_000, "playing")).await;
    let point = node.point("metropolis").await;
    assert_eq!(point["position_ms"], 5_000, "the later activity wins, backwards too");
    assert_eq!(point["alternatives"][0]["session"], first["session"]);
    assert_eq!(point["alternatives"][0]["concurrent"], false);
}
