//! Tokens that are forged, foreign, of another day, or without the right.

use playmark::{
    crdt::WallTime,
    node::Clock,
    playback::{Claims, Rights},
};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::serving::{Mint, Node, claims, days_ms, problem, report};

/// A report under these words, whoever signed them.
fn under(token: &str, elapsed_ms: u64) -> Value {
    let mut report = report(&json!({ "token": token }), 1, 61_000, "playing");
    report["elapsed_ms"] = json!(elapsed_ms);
    report["sent_elapsed_ms"] = json!(elapsed_ms);
    report
}

#[tokio::test]
async fn a_token_that_the_cluster_has_not_signed_as_it_stands_is_refused() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let token = opened["token"].as_str().expect("a text");
    let middle = token.len() / 2;
    let other = if token.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &token[..middle], &token[middle + 1..]);
    let forged = Mint::foreign().sign(&claims("metropolis", Clock::wall()));
    for token in ["", "none", "pm1.", "pm1.====", &token[4..], &token[..middle], &changed, &forged] {
        let answer = node.beat(&under(token, 1)).await;
        assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE), "{token}");
        problem(answer, 401, "bad-token", token).await;
    }
    node.assert_untouched("forged tokens").await;
    assert_eq!(node.beat(&under(token, 1)).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_sample_is_judged_by_when_it_was_taken_and_by_what_its_token_allows() {
    let (home, node) = Node::alone().await;
    let now = Clock::wall();
    let yesterday = claims("metropolis", now.minus_ms(days_ms(1) + 60_000));
    let end = days_ms(1);
    let ancient = claims("metropolis", now.minus_ms(days_ms(91)));
    let reader = Claims { rights: Rights { read: true, write: false }, ..claims("metropolis", now) };
    let far = WallTime::YEAR_2200.minus_ms(1_000);
    let late = Claims { anchor: far, expires: far.plus_ms(days_ms(1)), ..claims("metropolis", now) };
    let cases = [
        (&yesterday, end + 1, 401, "token-expired"),
        (&ancient, 1_000, 422, "too-old"),
        (&reader, 1, 403, "no-right"),
        (&late, 2_000, 422, "beyond-2200"),
    ];
    let mint = Mint::of(home.path());
    for (claims, elapsed_ms, status, kind) in cases {
        problem(node.beat(&under(&mint.sign(claims), elapsed_ms)).await, status, kind, kind).await;
    }
    let tomorrow = mint.sign_at(&claims("metropolis", now), now.plus_ms(days_ms(3)));
    problem(node.beat(&under(&tomorrow, 1)).await, 503, "unknown-epoch", "a token of another day").await;
    node.assert_untouched("all of them").await;

    // Taken in time, it is taken in however late it comes.
    node.stored(&under(&mint.sign(&yesterday), end)).await;
    assert_eq!(node.position("metropolis").await, Some(61_000));
}

#[tokio::test]
async fn a_report_that_contradicts_its_token_is_refused_and_one_that_repeats_it_is_taken() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    for (field, other) in [("profile", "eve"), ("content", "nosferatu"), ("session", "another")] {
        let mut beat = report(&opened, 1, 61_000, "playing");
        beat[field] = json!(other);
        let problem = problem(node.beat(&beat).await, 422, "not-the-tokens", field).await;
        assert_eq!(problem["field"], field);
    }
    node.assert_untouched("contradictions").await;
    let mut beat = report(&opened, 1, 61_000, "playing");
    beat["profile"] = json!("ada");
    beat["content"] = json!("metropolis");
    beat["session"] = opened["session"].clone();
    node.stored(&beat).await;
}
