//! Players whose time line no longer fits: what they are told, and that they go on under it.

use playmark::{
    node::Clock,
    playback::{BEHIND_MS, Claims, WILD_MS},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    patience::until_found,
    serving::{Mint, Node, claims, problem, report},
};

#[tokio::test]
async fn a_player_that_slept_is_told_who_won_and_wins_under_its_fresh_token() {
    let (home, node) = Node::alone().await;
    let asleep = claims("metropolis", Clock::wall().minus_ms(BEHIND_MS + 60_000));
    let tv = json!({ "token": Mint::of(home.path()).sign(&asleep) });
    node.stored(&report(&tv, 1, 1_000, "playing")).await;
    let phone = node.open("metropolis").await;
    node.stored(&report(&phone, 1, 90_000, "playing")).await;

    let answer = node.beat(&report(&tv, 2, 2_000, "playing")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let told: Value = answer.json().await.expect("it is JSON");
    assert_eq!(told["result"], "superseded");
    assert_eq!(told["resume"]["position_ms"], 90_000);
    assert!(told["anchor_ms"].as_u64() > told["resume"]["stamp"]["time_ms"].as_u64(), "{told}");
    assert_eq!(node.position("metropolis").await, Some(90_000), "a stale report moves nothing");

    let on = node.beat(&report(&told, 3, 3_000, "playing")).await;
    assert_eq!(on.status(), StatusCode::NO_CONTENT, "there is nothing more to say");
    let point = node.point("metropolis").await;
    assert_eq!(point["position_ms"], 3_000);
    assert_eq!(point["session"], asleep.session.to_string(), "it is the same session all along");
}

#[tokio::test]
async fn a_player_that_lost_to_the_future_begins_again_above_it() {
    let (home, node) = Node::alone().await;
    let early = node.open("metropolis").await;
    let now = Clock::wall();
    let hour_ms = 3_600_000;
    let line = claims("metropolis", now);
    let ahead = Claims { anchor: now.plus_ms(hour_ms), expires: line.expires.plus_ms(hour_ms), ..line };
    node.stored(&report(&json!({ "token": Mint::of(home.path()).sign(&ahead) }), 1, 90_000, "playing")).await;

    let answer = node.beat(&report(&early, 1, 1_000, "playing")).await;
    let told: Value = answer.json().await.expect("it is JSON");
    assert_eq!(told["result"], "superseded");
    assert!(told["anchor_ms"].as_u64() > Some(ahead.anchor.as_ms()), "{told}");
    node.stored(&report(&told, 2, 2_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(2_000));
}

#[tokio::test]
async fn a_player_whose_clock_runs_wild_is_refused_and_goes_on_under_its_fresh_token() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    for field in ["elapsed_ms", "sent_elapsed_ms"] {
        let mut wild = report(&opened, 1, 1_000, "playing");
        // The node's own time since it opened the session is on top of the bound.
        wild[field] = json!(WILD_MS + 3_600_000);
        let told = problem(node.beat(&wild).await, 409, "clock-runs-wild", field).await;
        node.assert_untouched(field).await;
        assert!(told["anchor_ms"].as_u64() >= opened["anchor_ms"].as_u64(), "{told}");
        assert!(told["token"].is_string(), "{told}");
    }
    let mut wild = report(&opened, 1, 1_000, "playing");
    wild["sent_elapsed_ms"] = json!(WILD_MS + 3_600_000);
    let told = problem(node.beat(&wild).await, 409, "clock-runs-wild", "once more").await;
    node.stored(&report(&told, 1, 1_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(1_000));
}

#[tokio::test]
async fn losing_alone_is_no_reason_for_another_token() {
    let (_home, node) = Node::alone().await;
    let (one, other) = (node.open("metropolis").await, node.open("metropolis").await);
    // Both count on the same line, the other has counted further, and neither is ahead of the node.
    let line = other["anchor_ms"].as_u64().expect("a moment") + 1;
    until_found(async || node.status().await["now_ms"].as_u64().filter(|&now| now > line)).await;
    node.stored(&report(&other, 1, 90_000, "playing")).await;
    let answer = node.beat(&report(&one, 0, 1_000, "playing")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let told: Value = answer.json().await.expect("it is JSON");
    assert_eq!((&told["result"], &told["resume"]["position_ms"]), (&json!("superseded"), &json!(90_000)));
    assert!(told.get("token").is_none() && told.get("anchor_ms").is_none(), "{told}");
}
