//! What one region takes, the others answer.

use reqwest::StatusCode;
use serde_json::json;

use super::trio::{Trio, point_after};
use crate::{
    patience::within,
    serving::{anonymous, report},
};

#[tokio::test]
async fn what_is_reported_in_one_region_is_read_in_the_others() {
    let trio = Trio::start().await;
    for (region, node) in trio.nodes() {
        let opened = node.open(region).await;
        let dot = node.stored(&report(&opened, 1, 61_000, "playing")).await;
        for (other, reader) in trio.nodes() {
            let point = point_after(reader, region, &dot).await;
            assert_eq!(point["position_ms"], 61_000, "{region} as read in {other}");
            assert_eq!(point["session"], opened["session"], "{region} as read in {other}");
        }
    }
    trio.until_alike().await;
}

#[tokio::test]
async fn a_session_goes_on_at_any_node_and_a_repetition_elsewhere_is_the_same_write() {
    let trio = Trio::start().await;
    let opened = trio.eu.open("metropolis").await;
    let beat = report(&opened, 1, 61_000, "playing");
    let dot = trio.eu.stored(&beat).await;
    let before = point_after(&trio.us, "metropolis", &dot).await;
    let dot = trio.us.stored(&beat).await;
    let after = point_after(&trio.eu, "metropolis", &dot).await;
    for member in ["position_ms", "stamp", "session", "event", "alternatives"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    let dot = trio.ap.stored(&report(&opened, 2, 62_000, "playing")).await;
    let point = point_after(&trio.eu, "metropolis", &dot).await;
    assert_eq!((&point["position_ms"], &point["session"]), (&json!(62_000), &opened["session"]));
    assert_eq!(point["alternatives"], json!([]));
}

#[tokio::test]
async fn a_write_that_another_region_keeps_is_acknowledged_as_replicated() {
    let trio = Trio::start().await;
    let path = "/v1/heartbeats?durability=replicated";
    let beat = report(&trio.eu.open("metropolis").await, 1, 61_000, "playing").to_string();
    for round in ["new", "repeated"] {
        let answer = trio.eu.post(path, "text/plain", beat.clone()).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{round}");
        assert_eq!(answer.headers()["durability"], "replicated", "{round}");
    }
    // One at least of the others has it, and so has whoever asks both.
    let Trio { eu, us, ap, .. } = trio;
    eu.kill().await;
    let found = [us.position("metropolis").await, ap.position("metropolis").await];
    assert!(found.contains(&Some(61_000)), "{found:?}");
}

#[tokio::test]
async fn what_a_device_brings_back_is_kept_by_another_region_where_it_asks_for_that() {
    let trio = Trio::start().await;
    let token = trio.eu.open("metropolis").await["token"].clone();
    let part = |member: &str, more: serde_json::Value| {
        let mut item = json!({"token": token, "seq": 1, "elapsed_ms": 1});
        item.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"profile": "ada", member: [item]}).to_string()
    };
    let place = json!({"position_ms": 61_000, "event": "playing", "played_ms": 4_000});
    for asked in [part("heartbeats", place), part("commands", json!({"watched": true}))] {
        let answer = trio.eu.post("/v1/sync?durability=replicated", "application/json", asked.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{asked}");
        assert_eq!(answer.headers()["durability"], "replicated", "{asked}");
    }
    let Trio { eu, us, ap, .. } = trio;
    eu.kill().await;
    let found = [us.point("metropolis").await, ap.point("metropolis").await];
    assert!(found.iter().any(|it| it["position_ms"] == 61_000 && it["watched"] == true), "{found:?}");
}

#[tokio::test]
async fn a_region_that_was_killed_catches_up_and_gives_what_it_had() {
    let trio = Trio::start().await;
    let early = trio.ap.stored(&anonymous("early", 10_000, "playing")).await;
    point_after(&trio.eu, "early", &early).await;
    // It may or may not have told anybody of this one.
    let last = trio.ap.stored(&anonymous("last", 20_000, "playing")).await;
    let Trio { authority, eu, us, ap, eu_address, serve_ap } = trio;
    ap.kill().await;
    let mut missed = Vec::new();
    for number in 1..=20_u64 {
        let node = if number % 2 == 0 { &eu } else { &us };
        let content = format!("film {number}");
        let dot = node.stored(&anonymous(&content, number * 5_000, "playing")).await;
        missed.push((content, dot, number * 5_000));
    }
    let trio = Trio { ap: serve_ap.start().await, authority, eu, us, eu_address, serve_ap };
    trio.ap.until_ready().await;
    for (content, dot, position_ms) in &missed {
        assert_eq!(point_after(&trio.ap, content, dot).await["position_ms"], *position_ms, "{content}");
    }
    for (_, node) in trio.nodes() {
        assert_eq!(point_after(node, "last", &last).await["position_ms"], 20_000);
    }
    let again = trio.ap.stored(&anonymous("again", 30_000, "playing")).await;
    assert_eq!(point_after(&trio.us, "again", &again).await["position_ms"], 30_000);
    trio.until_linked().await;
    trio.until_alike().await;
}

#[tokio::test]
async fn a_region_that_leaves_tells_the_others_what_it_took_last() {
    let trio = Trio::start().await;
    let mut dots = Vec::new();
    for number in 0..50_u64 {
        dots.push(trio.ap.stored(&anonymous(&format!("film {number}"), 5_000, "playing")).await);
    }
    let Trio { eu, us, ap, .. } = trio;
    ap.signal("TERM").await;
    let (code, said) = within(ap.ended()).await;
    assert_eq!(code, Some(0), "{said:?}");
    for node in [&eu, &us] {
        for (number, dot) in dots.iter().enumerate() {
            assert_eq!(point_after(node, &format!("film {number}"), dot).await["position_ms"], 5_000);
        }
    }
}
