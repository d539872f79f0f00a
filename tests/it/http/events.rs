//! What is heard on a stream of events.

use std::{collections::BTreeSet, time::Duration};

use playmark::{
    crdt::{Origin, Timestamp, VersionVector},
    http::RECONNECT_TITLES_MAX,
    node::{ClusterTag, Cursor},
};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    patience::within,
    serving::{Listener, Node, anonymous, problem, report},
};

const EVENTS: &str = "/v1/profiles/ada/events";

#[tokio::test]
async fn a_change_is_heard_as_the_resume_point_that_it_makes() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    let opened = node.open("films/1927/metropolis").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    let heard = listener.hear("films/1927/metropolis").await;
    let mut point = node.point("films/1927/metropolis").await;
    for member in ["token", "anchor_ms"] {
        point.as_object_mut().expect("an object").remove(member);
    }
    assert_eq!(heard.data, point);
}

#[tokio::test]
async fn a_session_does_not_hear_itself_and_others_profiles_are_not_heard() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let session = opened["session"].as_str().expect("it has a name");
    let mut own = Listener::of(&node, &format!("?session={session}")).await;
    let mut other = Listener::of(&node, "").await;
    let mut bobs = anonymous("nosferatu", 5_000, "playing");
    bobs["profile"] = json!("bob");
    node.stored(&bobs).await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    other.hear("metropolis").await;
    node.stored(&anonymous("faust", 7_000, "playing")).await;
    own.hear("faust").await;
    other.hear("faust").await;
}

#[tokio::test]
async fn a_title_is_heard_once_a_second_at_most_and_its_last_state_in_the_end() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    let opened = node.open("metropolis").await;
    let began = Instant::now();
    let mut seq = 0;
    let mut heard = Vec::new();
    // As fast as the node takes them, over more than two of the seconds.
    while began.elapsed() < Duration::from_millis(2_200) {
        seq += 1;
        let mut beat = report(&opened, seq, u64::from(seq) * 1_000, "playing");
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).expect("a few seconds");
        beat["elapsed_ms"] = json!(elapsed_ms);
        beat["sent_elapsed_ms"] = json!(elapsed_ms);
        node.stored(&beat).await;
    }
    while heard.last() != Some(&(u64::from(seq) * 1_000)) {
        heard.push(listener.hear("metropolis").await.position_ms());
    }
    assert!(heard.is_sorted(), "{heard:?}");
    assert!((2..=4).contains(&heard.len()), "{seq} reports were heard as {heard:?}");
}

#[tokio::test]
async fn whoever_comes_back_hears_what_was_missed_and_nothing_twice() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    for content in ["metropolis", "nosferatu"] {
        node.stored(&anonymous(content, 5_000, "playing")).await;
        listener.hear(content).await;
    }
    let cursor = listener.cursor.clone();
    drop(listener);
    node.stored(&anonymous("faust", 6_000, "playing")).await;
    node.stored(&anonymous("nosferatu", 60_000, "playing")).await;
    let mut listener = Listener::after(&node, &cursor).await;
    assert_eq!(listener.hear("faust").await.position_ms(), 6_000);
    assert_eq!(listener.hear("nosferatu").await.position_ms(), 60_000);
    node.stored(&anonymous("sunrise", 7_000, "playing")).await;
    listener.hear("sunrise").await;

    // The same by the query; and who missed nothing hears nothing of the past.
    let mut again = Listener::of(&node, &format!("?after={cursor}")).await;
    for content in ["faust", "nosferatu", "sunrise"] {
        again.hear(content).await;
    }
    let mut up_to_date = Listener::after(&node, &again.cursor).await;
    node.stored(&anonymous("the golem", 8_000, "playing")).await;
    up_to_date.hear("the golem").await;
}

#[tokio::test]
async fn a_report_that_is_repeated_raises_nothing() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    let beat = report(&node.open("metropolis").await, 1, 61_000, "stopped");
    node.stored(&beat).await;
    listener.hear("metropolis").await;
    for _ in 0..3 {
        node.stored(&beat).await;
    }
    node.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    listener.hear("nosferatu").await;
}

#[tokio::test]
async fn more_titles_than_may_wait_are_all_heard() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    let beats = (0..300).map(|number| anonymous(&format!("film {number:03}"), 5_000, "playing").to_string());
    let body = beats.collect::<Vec<_>>().join("\n");
    let answer = node.post("/v1/heartbeats", "application/x-ndjson", body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut heard = BTreeSet::new();
    while heard.len() < 300 {
        let event = listener.next().await.expect("the stream goes on");
        assert_eq!((event.kind.as_str(), event.position_ms()), ("resume", 5_000));
        heard.insert(event.content().to_owned());
    }
}

#[tokio::test]
async fn whoever_comes_back_to_more_titles_than_are_looked_through_is_told_to_read_them_anew() {
    let (_home, node) = Node::alone().await;
    let listener = Listener::of(&node, "").await;
    let cursor = listener.cursor.clone();
    drop(listener);
    let all: Vec<_> = (0..RECONNECT_TITLES_MAX).collect();
    for some in all.chunks(256) {
        let beats =
            some.iter().map(|number| anonymous(&format!("film {number}"), 5_000, "playing").to_string());
        let body = beats.collect::<Vec<_>>().join("\n");
        let answer = node.post("/v1/heartbeats", "application/x-ndjson", body).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    // As many as may be are looked through, and each of them is told.
    let mut listener = Listener::after(&node, &cursor).await;
    let mut heard = BTreeSet::new();
    while heard.len() < RECONNECT_TITLES_MAX {
        let event = listener.next().await.expect("the stream goes on");
        assert_eq!(event.kind, "resume");
        heard.insert(event.content().to_owned());
    }
    let last = listener.cursor.clone();
    node.stored(&anonymous("one more", 5_000, "playing")).await;
    for cursor in [&cursor, &last] {
        let mut listener = Listener::after(&node, cursor).await;
        assert_eq!(listener.next().await.expect("an event").kind, "reset");
        // From there on it goes on as ever.
        node.stored(&anonymous("film 7", 9_000, "playing")).await;
        listener.hear("film 7").await;
        assert!(listener.cursor != *cursor, "it has moved on");
    }
}

#[tokio::test]
async fn what_a_viewer_orders_by_hand_is_heard_as_it_shows() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    node.stored(&anonymous("metropolis", 5_000, "playing")).await;
    assert_eq!(listener.hear("metropolis").await.data["watched"], false);
    node.put("/v1/profiles/ada/watched/metropolis", &[], &json!({ "watched": true })).await;
    assert_eq!(listener.hear("metropolis").await.data["watched"], true);
    node.put("/v1/profiles/ada/dismissed/metropolis", &[], &json!({})).await;
    assert_eq!(listener.hear("metropolis").await.data["dismissed"], true);
    node.delete("/v1/profiles/ada/titles/metropolis").await;
    let expected = json!({ "profile": "ada", "content": "metropolis", "watched": false, "erased": true });
    assert_eq!(listener.hear("metropolis").await.data, expected);
}

#[tokio::test]
async fn another_clusters_cursor_resets_and_what_is_no_cursor_is_refused() {
    let (_home, node) = Node::alone().await;
    // Told before, or it may still come to whoever asks right after it was stored.
    let mut before = Listener::of(&node, "").await;
    node.stored(&anonymous("metropolis", 5_000, "playing")).await;
    before.hear("metropolis").await;
    let foreign = Cursor::new(ClusterTag::of("elsewhere"), &VersionVector::default(), []).encode();
    let mut listener = Listener::after(&node, &foreign).await;
    assert_eq!(listener.next().await.expect("an event").kind, "reset");
    node.stored(&anonymous("nosferatu", 6_000, "playing")).await;
    listener.hear("nosferatu").await;

    for cursor in ["nonsense", "AQ", "1234567"] {
        let answer = node.get_with(EVENTS, "Last-Event-ID", cursor).await;
        assert_eq!(problem(answer, 422, "invalid", cursor).await["field"], "after");
    }
    let answer = node.get(&format!("{EVENTS}?session=")).await;
    assert_eq!(problem(answer, 422, "invalid", "no session").await["field"], "session");
    let answer = node.get(&format!("/v1/profiles/{}/events", "p".repeat(129))).await;
    assert_eq!(problem(answer, 422, "invalid", "no profile").await["field"], "profile");
}

#[tokio::test]
async fn a_cursor_from_the_future_is_said_to_be_and_nothing_is_missed() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 5_000, "playing")).await;
    let unknown = [(Origin::from_random(7 << 64), Timestamp::from_u64(9))];
    let ahead = Cursor::new(ClusterTag::of("local"), &unknown.into_iter().collect(), []).encode();
    let mut listener = Listener::after(&node, &ahead).await;
    assert_eq!(listener.next().await.expect("an event").kind, "stale");
    listener.hear("metropolis").await;
}

#[tokio::test]
async fn a_node_that_leaves_ends_its_streams_in_order() {
    let (_home, node) = Node::alone().await;
    let mut listener = Listener::of(&node, "").await;
    node.signal("TERM").await;
    assert!(listener.next().await.is_none());
    let (code, said) = within(node.ended()).await;
    assert_eq!(code, Some(0), "{said:?}");
}
