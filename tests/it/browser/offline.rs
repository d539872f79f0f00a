//! Pages that played where no node was: what they did lands where it belongs.

use playmark::node::Clock;
use serde_json::{Value, json};

use super::{Network, Television, cinema::Way};
use crate::{
    patience::until_found,
    serving::{claims, report, route_to},
};

const MINUTE_MS: u64 = 60_000;

/// Another device of Ada's, which played so long ago.
async fn played_elsewhere(television: &Television, minutes_ago: u64, position_ms: u64) {
    let opened = claims("film", Clock::wall().minus_ms(minutes_ago * MINUTE_MS));
    let report = json!({
        "token": television.mint().sign(&opened), "seq": 1, "elapsed_ms": 10_000, "sent_elapsed_ms": 10_000,
        "position_ms": position_ms, "event": "paused", "played_ms": 10_000, "device": "phone",
    });
    television.node.stored(&report).await;
}

/// How long ago a place was left.
fn minutes_ago(point: &Value) -> u64 {
    let stamp_ms = point["stamp"]["time_ms"].as_u64().expect("a time");
    (Clock::wall().as_ms() - stamp_ms) / MINUTE_MS
}

#[tokio::test]
async fn an_hour_in_a_page_that_never_had_a_node_is_dated_by_its_clocks() {
    let television = Television::off().await;
    let Television { browser, cinema, node, .. } = &television;
    cinema.make(Way::Cut);
    // An hour and a half ago, by a wall clock that is two years fast.
    let years_ms = 2 * 365 * 24 * 60 * MINUTE_MS;
    browser.play(&format!("{}&wall={}", television.page(), years_ms - 90 * MINUTE_MS), 3_500).await;
    browser.look(&format!("void pass({})", 60 * MINUTE_MS)).await;
    browser.seek(60).await;
    browser.pause().await;
    browser.until("playmark.waiting >= 4").await;
    let session = browser.look("session.id").await;
    let place = browser.place_ms().await;

    played_elsewhere(&television, 50, 20_000).await;
    browser.open(&format!("{}&wall={years_ms}", television.other_page())).await;
    browser.until("window.playmark?.waiting >= 4").await;
    cinema.make(Way::Deaf);
    browser.until("heard.some(([name, it]) => name === 'problem')").await;
    cinema.make(Way::Free);
    television.all_taken().await;
    let point = node.point("film").await;
    assert_eq!((&point["session"], &point["device"]), (&session, &json!("tv")), "{point}");
    assert_eq!(point["position_ms"], place, "{point}");
    assert_eq!(point["time_quality"], "wall", "{point}");
    assert!((28..=31).contains(&minutes_ago(&point)), "{point}");

    played_elsewhere(&television, 20, 30_000).await;
    let point = node.point("film").await;
    assert_eq!(point["position_ms"], 30_000, "{point}");
    assert_eq!(point["alternatives"][0]["session"], session, "{point}");
    assert_eq!(point["alternatives"][0]["concurrent"], true, "{point}");
}

#[tokio::test]
async fn an_hour_offline_under_a_token_stays_at_the_time_it_was_played() {
    let television = Television::cut_off(60 * MINUTE_MS, 3_500).await;
    let Television { browser, cinema, node, .. } = &television;
    for minutes in [10, 10, 10] {
        browser.look(&format!("void pass({})", minutes * MINUTE_MS)).await;
        browser.seek(minutes + 40).await;
    }
    browser.pause().await;
    let place = browser.place_ms().await;
    browser.look(&format!("void pass({})", 30 * MINUTE_MS)).await;
    played_elsewhere(&television, 45, 20_000).await;
    played_elsewhere(&television, 20, 30_000).await;
    cinema.make(Way::Free);
    television.all_taken().await;
    let point = node.point("film").await;
    assert_eq!(point["position_ms"], 30_000, "what came after it stands: {point}");
    let tv = &point["alternatives"][0];
    assert_eq!((&tv["device"], &tv["position_ms"]), (&json!(null), &json!(place)), "{point}");
    assert!((29..=30).contains(&minutes_ago(tv)), "{point}");
    assert_eq!(tv["time_quality"], "anchored", "{point}");
    assert_eq!(point["alternatives"][1]["position_ms"], 20_000, "{point}");
    assert_eq!(browser.look("session.id").await, tv["session"], "{point}");
}

#[tokio::test]
async fn a_page_without_a_node_that_has_played_nothing_begins_where_its_viewer_was_once_there_is_one() {
    let television = Television::off().await;
    let Television { browser, cinema, .. } = &television;
    played_elsewhere(&television, 20, 30_000).await;
    cinema.make(Way::Cut);
    browser.open(&television.page()).await;
    browser.until("heard.some(([name, it]) => name === 'problem' && it.kind === 'no-session')").await;
    cinema.make(Way::Free);
    browser.until("!video.seeking && video.currentTime === 30").await;
}

#[tokio::test]
async fn a_device_that_slept_offline_dates_what_it_plays_then_by_its_wall_clock() {
    let television = Television::cut_off(60 * MINUTE_MS, 3_500).await;
    let Television { browser, cinema, node, .. } = &television;
    browser.seek(50).await;
    browser.look(&format!("void sleep({})", 60 * MINUTE_MS)).await;
    played_elsewhere(&television, 20, 30_000).await;
    browser.until("video.currentTime > 53").await;
    let session = browser.look("session.id").await;
    browser.pause().await;
    let place = browser.place_ms().await;
    cinema.make(Way::Free);
    television.all_taken().await;
    let point = node.point("film").await;
    assert_eq!((&point["session"], &point["position_ms"]), (&session, &json!(place)), "{point}");
    assert_eq!((minutes_ago(&point), &point["time_quality"]), (0, &json!("wall")), "{point}");
}

#[tokio::test]
async fn a_full_queue_loses_mere_ticks_and_the_oldest_first() {
    let television = Television::playing(1_000).await;
    let Television { browser, cinema, node, .. } = &television;
    cinema.make(Way::Cut);
    browser.pause().await;
    browser.seek(20).await;
    // A place that moves a little whenever it is looked at, so that each look is a tick.
    browser.look("void Object.defineProperties(video, { paused: { value: false }, currentTime: { get: () => (window.place = (window.place ?? 30) + 0.01) } })").await;
    browser.look("void Array.from({ length: 4200 }, () => session.observe())").await;
    assert_eq!(browser.look("playmark.waiting").await, 4_096);
    assert_eq!(browser.kept().await, 4_096);
    let lost = "heard.filter(([, it]) => it.kind === 'queue-full').map(([, it]) => it.sample)";
    let events = browser.look(&format!("[...new Set({lost}.map((it) => it.event))]")).await;
    assert_eq!(events, json!(["playing"]), "a seek is worth more than a tick");
    assert!(browser.look(&format!("{lost}.length")).await.as_u64() >= Some(104));
    let in_order = format!("{lost}.every((it, index, all) => !index || it.seq > all[index - 1].seq)");
    assert_eq!(browser.look(&in_order).await, true);
    cinema.make(Way::Free);
    browser.look("void playmark.send()").await;
    television.known(|point| point["position_ms"].as_u64() > Some(70_000)).await;
    television.all_taken().await;
    assert_eq!(node.point("film").await["session"], browser.look("session.id").await);
}

#[tokio::test]
async fn what_is_ordered_offline_is_done_as_of_then() {
    let television = Television::playing(3_500).await;
    let Television { browser, cinema, node, .. } = &television;
    node.stored(&report(&node.open("nosferatu").await, 1, 60_000, "paused")).await;
    browser.pause().await;
    television.all_taken().await;
    cinema.make(Way::Cut);
    browser
        .look("void (playmark.watched('film'), playmark.watched('nosferatu'), playmark.dismiss('film'))")
        .await;
    browser.until("playmark.waiting === 3").await;
    let taken_back =
        node.put(&route_to("watched", "ada", "nosferatu"), &[], &json!({"watched": false})).await;
    assert_eq!(taken_back.status(), 204);

    // Some seconds later: a line is dated as of its request's arrival, too late by the way to the node.
    browser.open(&format!("{}&wall=3000", television.other_page())).await;
    browser.until("window.playmark?.waiting >= 3").await;
    cinema.make(Way::Free);
    television.all_taken().await;
    let point = node.point("film").await;
    assert_eq!((&point["watched"], &point["dismissed"]), (&json!(true), &json!(true)), "{point}");
    assert_eq!(node.point("nosferatu").await["watched"], false, "what came after it stands");
    let kinds = browser.problems().await;
    assert!(kinds.as_array().expect("a list").iter().all(|kind| kind == "unreachable"), "{kinds}");
}

#[tokio::test]
async fn a_page_that_was_away_hears_what_it_missed() {
    let television = Television::off().await;
    let Television { browser, cinema, node, .. } = &television;
    let page = format!("{}&changes", television.page());
    browser.play(&page, 1_000).await;
    until_found(async || (!cinema.asked("/v1/sync").is_empty()).then_some(())).await;
    television.all_taken().await;
    browser.go(Network::Offline).await;
    node.stored(&report(&node.open("nosferatu").await, 1, 60_000, "paused")).await;
    browser.go(Network::Online).await;
    let of_nosferatu = "heard.filter(([name, it]) => name === 'changed' && it.content === 'nosferatu')";
    browser.until(&format!("{of_nosferatu}.length")).await;
    assert_eq!(browser.look(&format!("{of_nosferatu}[0][1].position_ms")).await, 60_000);

    node.stored(&report(&node.open("nosferatu").await, 2, 70_000, "paused")).await;
    browser.open(&page).await;
    browser.until(&format!("window.heard && {of_nosferatu}.length")).await;
    assert_eq!(
        browser.look(&format!("{of_nosferatu}.map(([, it]) => it.position_ms)")).await,
        json!([70_000])
    );
}
