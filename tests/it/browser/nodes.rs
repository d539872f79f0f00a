//! Which node a page asks, and how it takes no for an answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Browser, Cinema, Television, cinema::Answer};
use crate::{
    patience::eventually,
    serving::{Node, Serve},
};

const REPORTS: &str = "/v1/heartbeats";

/// Two ways to one node that pages of everybody may ask: one that takes its time, and a short one.
async fn two_ways(home: &tempfile::TempDir) -> (Node, Cinema, Cinema) {
    let lines = "[http]\ncors_origins = [\"*\"]\n";
    let node = Serve::configured(home.path(), lines).start().await;
    let far = Cinema::far_from(Some(node.address), Duration::from_millis(400)).await;
    let near = Cinema::before(Some(node.address)).await;
    (node, far, near)
}

fn busy(status: u16, retry_after_s: u64) -> Answer {
    Answer { status, retry_after_s: Some(retry_after_s), body: json!({"status": status}) }
}

#[tokio::test]
async fn the_nearest_node_is_asked_wherever_it_stands_in_the_list_and_the_next_when_it_is_full() {
    let home = tempfile::TempDir::new().expect("a directory can be made");
    let (_node, far, near) = two_ways(&home).await;
    let tv = Browser::start().await;
    tv.play(&near.page("tv", Some("film"), &[far.address, near.address]), 1_000).await;
    tv.until("heard.some(([name]) => name === 'sent')").await;
    assert_eq!(tv.look("playmark.nearest").await, format!("http://{}", near.address));
    assert!(far.asked("/v1/sessions").is_empty() && far.asked(REPORTS).is_empty());
    assert_eq!(far.asked("/healthz").len(), 2, "it was measured");

    let full = near.asked(REPORTS).len();
    near.answer(REPORTS, busy(503, 7));
    tv.until("heard.filter(([name]) => name === 'sent').length > 3 && playmark.waiting < 2").await;
    assert!(!far.asked(REPORTS).is_empty());
    assert_eq!(tv.problems().await, json!([]), "nobody need know");
    // Later it is the nearest again.
    eventually(|| (near.asked(REPORTS).len() > full + 1).then_some(())).await;
    let [refused, next] = &near.asked(REPORTS)[full..=full + 1] else { unreachable!("there are two") };
    let waited = next.at - refused.at;
    assert!(waited >= Duration::from_secs(7), "it has asked to be left alone: {waited:?}");
}

#[tokio::test]
async fn a_page_that_is_told_to_wait_waits_and_then_loses_nothing() {
    let television = Television::playing(1_000).await;
    let Television { browser, cinema, .. } = &television;
    cinema.answer(REPORTS, busy(429, 3));
    browser.until("heard.some(([name, it]) => name === 'problem' && it.status === 429)").await;
    let refused = cinema.asked(REPORTS).pop().expect("there is one");
    browser.pause().await;
    let paused = television.known_as("paused").await;
    let later: Vec<_> = ["/v1/sync", REPORTS].into_iter().flat_map(|path| cinema.asked(path)).collect();
    let later: Vec<_> = later.into_iter().filter(|it| it.at > refused.at).collect();
    let waited = later.iter().map(|it| it.at - refused.at).min().expect("there are some");
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
    let told: Vec<_> =
        later.iter().flat_map(|it| [seqs(&it.body), seqs(&it.body["heartbeats"])].concat()).collect();
    let first = seqs(&refused.body)[0];
    let last = paused["stamp"]["counter"].as_u64().expect("a count");
    assert!((first..=last).all(|seq| told.contains(&seq)), "{first} to {last}: {told:?}");
}

/// The counts of a list of reports.
fn seqs(reports: &Value) -> Vec<u64> {
    reports.as_array().into_iter().flatten().filter_map(|it| it["seq"].as_u64()).collect()
}
