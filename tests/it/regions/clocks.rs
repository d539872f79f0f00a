//! A node whose clock is wrong.

use std::fs;

use super::trio::{Trio, status};
use crate::{
    patience::until_found,
    serving::{Node, anonymous, problem},
};

const HOUR_MS: i64 = 3_600_000;

/// Waits until a node says of its clock what is expected.
async fn until_off(node: &Node, is_expected: impl Fn(Option<i64>) -> bool) {
    until_found(async || is_expected(status(node).await.clock_off_ms).then_some(())).await;
}

#[tokio::test]
async fn a_node_an_hour_ahead_of_two_that_agree_takes_no_writes_and_harms_nobody() {
    let trio = Trio::start().await;
    trio.eu.stored(&anonymous("film", 61_000, "playing")).await;
    trio.until_alike().await;
    let Trio { authority: _authority, eu, us, ap, serve_ap, .. } = trio;
    ap.signal("TERM").await;
    assert_eq!(ap.ended().await.0, Some(0));
    let file = serve_ap.store().with_file_name("wrong.toml");
    fs::write(&file, format!("clock_offset_ms = {HOUR_MS}\n")).expect("a file can be written");
    let serve_ap = serve_ap.with("--config", &file);

    let ap = serve_ap.start().await;
    ap.until_ready().await;
    until_off(&ap, |off| off.is_some_and(|off| (off - HOUR_MS).abs() < 2_000)).await;
    let refused = ap.beat(&anonymous("film", 90_000, "playing")).await;
    problem(refused, 503, "clock-unsynced", "write to another node").await;
    assert_eq!(ap.position("film").await, Some(61_000), "it answers questions");
    for right in [&eu, &us] {
        assert_eq!(status(right).await.clock_off_ms, None);
        right.stored(&anonymous("another", 5_000, "playing")).await;
    }
    let dot = us.stored(&anonymous("film", 95_000, "playing")).await;
    assert!(!dot.is_empty());
    until_found(async || (ap.position("film").await == Some(95_000)).then_some(())).await;

    ap.signal("TERM").await;
    assert_eq!(ap.ended().await.0, Some(0));
    fs::write(&file, "clock_offset_ms = 0\n").expect("a file can be written");
    let ap = serve_ap.start().await;
    ap.until_ready().await;
    ap.stored(&anonymous("film", 99_000, "playing")).await;
    until_off(&ap, |off| off.is_none()).await;
    until_found(async || (eu.position("film").await == Some(99_000)).then_some(())).await;
}
