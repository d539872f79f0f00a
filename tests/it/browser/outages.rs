//! Networks that are slow, or not there.

use serde_json::json;

use super::{Television, cinema::Way};

#[tokio::test]
async fn the_last_words_of_a_page_overtake_a_slow_report_and_stand() {
    let television = Television::playing(3_000).await;
    let Television { browser, cinema, node, .. } = &television;
    cinema.make(Way::SlowFetch);
    cinema.until_held().await;
    let held_at = node.position("film").await;
    let left = browser.place_ms().await;

    browser.open("about:blank").await;
    let stopped = television.known_as("stopped").await;
    assert!(stopped["position_ms"].as_u64() > held_at, "{stopped}");
    assert!(stopped["position_ms"].as_u64() >= Some(left), "{stopped}");
    cinema.make(Way::Free);
    cinema.until_late().await;
    let after = node.point("film").await;
    for member in ["position_ms", "event", "stamp"] {
        assert_eq!(after[member], stopped[member], "{member}");
    }
}

#[tokio::test]
async fn what_was_watched_while_no_server_was_there_outlives_the_page_and_is_sent_by_the_next() {
    let television = Television::playing(1_000).await;
    let Television { browser, cinema, node, .. } = &television;
    cinema.make(Way::Cut);
    browser.until("playmark.waiting >= 3").await;
    browser.seek(60).await;
    browser.until("playmark.waiting >= 6 && video.currentTime > 61").await;
    let session = browser.look("session.id").await;
    let before = node.position("film").await;
    assert!(before < Some(30_000), "nothing gets through: {before:?}");

    browser.open(&television.other_page()).await;
    browser.until("window.playmark?.waiting >= 6").await;
    // Everything arrives, and no answer comes back; then all of it once more.
    cinema.make(Way::Deaf);
    let point = television.known(|point| point["position_ms"].as_u64() > Some(61_000)).await;
    assert_eq!(point["session"], session);
    cinema.make(Way::Free);
    television.all_taken().await;
    let after = node.point("film").await;
    for member in ["position_ms", "dot", "stamp"] {
        assert_eq!(after[member], point[member], "{member}: {after}");
    }
    let refused = browser.look("heard.filter(([name, it]) => name === 'problem' && it.status < 500)").await;
    assert_eq!(refused, json!([]), "each is taken as it was");
    assert!(!cinema.asked("/v1/sync").is_empty(), "what was kept is synced before it is forgotten");
}

#[tokio::test]
async fn a_tab_that_was_left_paused_says_at_its_end_when_it_last_moved() {
    let television = Television::playing(3_000).await;
    let browser = &television.browser;
    browser.pause().await;
    let paused = television.known_as("paused").await;
    television.all_taken().await;
    browser.open("about:blank").await;
    let stopped = television.known_as("stopped").await;
    assert_eq!(stopped["stamp"]["time_ms"], paused["stamp"]["time_ms"], "{stopped}");
    assert!(stopped["stamp"]["time_ms"].is_u64(), "{stopped}");
    assert_eq!(stopped["position_ms"], paused["position_ms"]);
}
