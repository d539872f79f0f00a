//! Pages that come back: from a long pause, an outage, or from where a browser keeps pages that were left.

use playmark::node::Clock;
use serde_json::{Value, json};

use super::{Network, Television, cinema::Way};
use crate::{
    patience::eventually,
    serving::{claims, report},
};

/// Ada goes on at 90 s on another device.
async fn goes_on_elsewhere(television: &Television) {
    goes_on_at(television, 90_000).await;
}

async fn goes_on_at(television: &Television, position_ms: u64) {
    let opened = television.node.open("film").await;
    let mut report = report(&opened, 1, position_ms, "paused");
    // Later than anything that the page has done: its count began when it asked, and the answer took its time.
    (report["elapsed_ms"], report["sent_elapsed_ms"]) = (json!(2_000), json!(2_000));
    television.node.stored(&report).await;
}

/// Why the page was offered places.
async fn causes(television: &Television) -> Value {
    television.browser.look("heard.filter(([name]) => name === 'resume').map(([, it]) => it.cause)").await
}

#[tokio::test]
async fn playing_on_after_a_long_pause_goes_where_the_viewer_went_meanwhile() {
    for (paused_ms, goes) in [(200_000, false), (400_000, true)] {
        // The node was asked before the pause, which is over by its clock.
        let television = Television::cut_off(paused_ms, 3_500).await;
        let Television { browser, cinema, .. } = &television;
        browser.pause().await;
        browser.look(&format!("void pass({paused_ms})")).await;
        cinema.make(Way::Free);
        television.all_taken().await;
        goes_on_elsewhere(&television).await;
        let place = browser.place_ms().await;
        browser.look("void video.play()").await;
        browser.until(&format!("!video.seeking && video.currentTime * 1000 > {place} + 1000")).await;
        assert_eq!(causes(&television).await, if goes { json!(["unpaused"]) } else { json!([]) });
        assert_eq!(browser.place_ms().await > 90_000, goes);
    }
}

#[tokio::test]
async fn a_network_that_is_back_is_used_at_once_and_nobody_is_torn_away() {
    let television = Television::playing(3_500).await;
    let Television { browser, .. } = &television;
    browser.go(Network::Offline).await;
    browser.until("playmark.waiting >= 4").await;
    browser.pause().await;
    goes_on_elsewhere(&television).await;
    let place = browser.place_ms().await;
    browser.go(Network::Online).await;
    browser.until("heard.some(([name]) => name === 'resume')").await;
    assert_eq!(causes(&television).await, json!(["online"]));
    assert_eq!(browser.place_ms().await, place);
    television.all_taken().await;
}

#[tokio::test]
async fn a_page_that_is_kept_and_shown_again_asks_anew() {
    let television = Television::playing(3_500).await;
    let Television { browser, cinema, .. } = &television;
    browser
        .look("void addEventListener('pageshow', (event) => heard.push(['shown', event.persisted]))")
        .await;
    browser.pause().await;
    television.all_taken().await;
    browser.open(&cinema.elsewhere()).await;
    television.known_as("stopped").await;
    goes_on_elsewhere(&television).await;
    browser.back().await;
    browser.until("window.heard?.some(([name, persisted]) => name === 'shown' && persisted)").await;
    browser.until("!video.seeking && video.currentTime === 90").await;
    assert_eq!(causes(&television).await, json!(["wake"]));
    browser.look("void video.play()").await;
    let point = television.known(|point| point["position_ms"].as_u64() > Some(90_500)).await;
    assert_eq!(point["device"], "tv", "{point}");
}

#[tokio::test]
async fn a_page_says_where_it_is_when_it_is_hidden_and_asks_anew_when_it_is_shown() {
    let television = Television::off().await;
    let Television { browser, cinema, .. } = &television;
    // Nothing but what is done sends anything: the node asks for a report an hour.
    television.open_as_with(&claims("film", Clock::wall()), 3_600_000);
    television.play(3_500).await;
    assert!(cinema.asked("/v1/heartbeats").is_empty());
    let turn = async |state: &str| {
        let turn = format!(
            "void (Object.defineProperty(document, 'visibilityState', {{ value: '{state}', configurable: true }}), \
             document.dispatchEvent(new Event('visibilitychange')))"
        );
        browser.look(&turn).await;
    };
    turn("hidden").await;
    television.known(|point| point["position_ms"].as_u64() >= Some(3_400)).await;
    browser.pause().await;
    television.known_as("paused").await;
    goes_on_elsewhere(&television).await;
    turn("visible").await;
    browser.until("!video.seeking && video.currentTime === 90").await;
    assert_eq!(causes(&television).await, json!(["shown"]));
}

#[tokio::test]
async fn a_device_that_wakes_before_its_network_asks_until_there_is_one_and_has_nothing_to_say_of_its_own() {
    let television = Television::playing(3_500).await;
    let Television { browser, cinema, node, .. } = &television;
    browser.pause().await;
    television.all_taken().await;
    goes_on_elsewhere(&television).await;
    cinema.make(Way::Cut);
    let before = cinema.asked("/v1/heartbeats").len();
    browser.look("void sleep(3_600_000)").await;
    eventually(|| (cinema.asked("/v1/heartbeats").len() > before).then_some(())).await;
    cinema.make(Way::Free);
    browser.until("!video.seeking && video.currentTime === 90").await;
    assert_eq!(causes(&television).await, json!(["wake"]));

    goes_on_at(&television, 100_000).await;
    browser.open(&television.other_page()).await;
    television.all_taken().await;
    assert_eq!(node.position("film").await, Some(100_000), "nothing has moved on the television");
}
