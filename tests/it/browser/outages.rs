//! Networks that are slow, or not there.

use super::{Browser, Cinema, cinema::Way};
use crate::{patience::until_found, serving::Node};

#[tokio::test]
async fn the_last_words_of_a_page_overtake_a_slow_report_and_stand() {
    let (_home, node) = Node::alone().await;
    let cinema = Cinema::before(Some(node.address)).await;
    let browser = Browser::start().await;
    browser.open(&cinema.page("tv", Some("film"), &[])).await;
    browser.until("window.session?.id").await;
    browser.look("void video.play()").await;
    until_found(async || (node.position("film").await > Some(3_000)).then_some(())).await;
    cinema.make(Way::SlowFetch);
    cinema.until_held().await;
    let held_at = node.position("film").await;
    let left = browser.place_ms().await;

    browser.open("about:blank").await;
    let stopped = until_found(async || {
        let point = node.point("film").await;
        (point["event"] == "stopped").then_some(point)
    })
    .await;
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
    let (_home, node) = Node::alone().await;
    let cinema = Cinema::before(Some(node.address)).await;
    let browser = Browser::start().await;
    browser.open(&cinema.page("tv", Some("film"), &[])).await;
    browser.until("window.session?.id").await;
    browser.look("void video.play()").await;
    until_found(async || (node.position("film").await > Some(1_000)).then_some(())).await;
    cinema.make(Way::Cut);
    browser.until("playmark.waiting >= 4").await;
    browser.look("void (video.currentTime = 60)").await;
    browser.until("playmark.waiting >= 6 && video.currentTime > 61").await;
    let session = browser.look("session.id").await;
    let before = node.position("film").await;
    assert!(before < Some(30_000), "nothing gets through: {before:?}");

    browser.open(&cinema.page("tv", None, &[])).await;
    browser.until("window.playmark?.waiting >= 6").await;
    cinema.make(Way::Free);
    browser.until("playmark.waiting === 0").await;
    let point = node.point("film").await;
    assert!(point["position_ms"].as_u64() > Some(61_000), "{point}");
    assert_eq!(point["session"], session);
    let refused = browser.look("heard.filter(([name, it]) => name === 'problem' && it.status < 500)").await;
    assert_eq!(refused, serde_json::json!([]), "each is taken as it was");
}

#[tokio::test]
async fn a_tab_that_was_left_paused_says_at_its_end_when_it_last_moved() {
    let (_home, node) = Node::alone().await;
    let cinema = Cinema::before(Some(node.address)).await;
    let browser = Browser::start().await;
    browser.open(&cinema.page("tv", Some("film"), &[])).await;
    browser.until("window.session?.id").await;
    browser.look("void video.play()").await;
    until_found(async || (node.position("film").await > Some(3_000)).then_some(())).await;
    browser.look("void video.pause()").await;
    let stands = async |event: &str| {
        until_found(async || {
            let point = node.point("film").await;
            (point["event"] == event).then_some(point)
        })
        .await
    };
    let paused = stands("paused").await;
    browser.until("playmark.waiting === 0").await;
    browser.open("about:blank").await;
    let stopped = stands("stopped").await;
    assert_eq!(stopped["stamp"]["time_ms"], paused["stamp"]["time_ms"], "{stopped}");
    assert!(stopped["stamp"]["time_ms"].is_u64(), "{stopped}");
    assert_eq!(stopped["position_ms"], paused["position_ms"]);
}
