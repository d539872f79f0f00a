//! Viewers who go from one browser to another, between regions.

use std::fs;

use serde_json::Value;

use super::{Browser, Cinema};
use crate::{
    patience::until_found,
    serving::{Authority, Node, Player, Serve},
};

/// How near to the place where it was left a film has to go on.
const NEAR_MS: u64 = 1_500;

/// Two regions, for pages of everybody.
async fn regions() -> (Authority, Node, Node) {
    let authority = Authority::make().await;
    let file = authority.certificates().join("pages.toml");
    fs::write(&file, "[http]\ncors_origins = [\"*\"]\n").expect("a file can be written");
    let for_pages = |serve: Serve| serve.with("--config", &file);
    let serve_eu = for_pages(authority.node("eu", &[]).await);
    let eu = serve_eu.start().await;
    let us = for_pages(authority.node("us", &[("eu", serve_eu.replication_address())]).await).start().await;
    us.until_ready().await;
    (authority, eu, us)
}

/// Waits until a node answers with a place at or beyond this one.
async fn known(node: &Player, position_ms: u64) -> Value {
    until_found(async || {
        let point = node.point("film").await;
        (point["position_ms"].as_u64() >= Some(position_ms)).then_some(point)
    })
    .await
}

#[tokio::test]
async fn a_film_whose_tab_was_closed_goes_on_in_another_browser_through_another_region() {
    let (_authority, eu, us) = regions().await;
    let cinema = Cinema::before(None).await;
    let tv = Browser::start().await;
    tv.play(&cinema.page("tv", Some("film"), &[eu.address]), 2_000).await;
    known(&us, 1_500).await;
    tv.seek(30).await;
    known(&us, 32_000).await;
    let left = tv.place_ms().await;
    tv.close_tab().await;
    let point = until_found(async || {
        let point = us.point("film").await;
        (point["event"] == "stopped").then_some(point)
    })
    .await;
    let position = point["position_ms"].as_u64().expect("a place");
    assert!(position + 50 >= left && position <= left + NEAR_MS, "left at {left}: {point}");
    assert_eq!(point["device"], "tv");

    let phone = Browser::start().await;
    phone.open(&cinema.page("phone", Some("film"), &[us.address])).await;
    phone.until("!video.seeking && video.currentTime > 0").await;
    assert!(phone.place_ms().await.abs_diff(position) <= 100, "{point}");
    phone.look("void video.play()").await;
    let point = until_found(async || {
        let point = eu.point("film").await;
        (point["device"] == "phone").then_some(point)
    })
    .await;
    assert!(point["position_ms"].as_u64() > Some(position), "{point}");
}

#[tokio::test]
async fn a_page_goes_on_through_another_region_when_its_own_is_killed() {
    let (_authority, eu, us) = regions().await;
    let cinema = Cinema::before(None).await;
    let tv = Browser::start().await;
    tv.play(&cinema.page("tv", Some("film"), &[eu.address, us.address]), 1_000).await;
    known(&eu, 1_000).await;
    known(&us, 1_000).await;
    let nearest = tv.look("playmark.nearest").await;
    let (gone, left) = if nearest == format!("http://{}", eu.address) { (eu, us) } else { (us, eu) };
    let session = tv.look("session.id").await;
    gone.kill().await;
    let at_the_kill = tv.place_ms().await;
    let point = known(&left, at_the_kill + 1_000).await;
    assert_eq!(point["session"], session, "it is the same session all along");
}

#[tokio::test]
async fn a_page_whose_device_slept_asks_anew_and_goes_where_its_viewer_went_meanwhile() {
    let (_authority, eu, us) = regions().await;
    let cinema = Cinema::before(None).await;
    let tv = Browser::start().await;
    tv.play(&cinema.page("tv", Some("film"), &[eu.address]), 4_000).await;
    tv.pause().await;
    until_found(async || (us.point("film").await["event"] == "paused").then_some(())).await;
    let opened = us.open("film").await;
    us.stored(&crate::serving::report(&opened, 1, 90_000, "paused")).await;
    known(&eu, 90_000).await;
    assert!(tv.place_ms().await < 30_000, "nothing has told it yet");

    tv.look("void sleep(3_600_000)").await;
    tv.until("video.currentTime === 90 && !video.seeking").await;
    tv.look("void video.play()").await;
    let point = known(&us, 91_000).await;
    assert_eq!(point["device"], "tv", "what it read, it beats: {point}");
}

#[tokio::test]
async fn the_page_that_is_pasted_from_the_documentation_goes_on_where_it_was() {
    let (_authority, eu, _us) = regions().await;
    let cinema = Cinema::before(None).await;
    let browser = Browser::start().await;
    browser.open(&cinema.example(eu.address)).await;
    browser.until("video.readyState > 2").await;
    browser.look("void video.play()").await;
    until_found(async || (eu.position("metropolis").await > Some(4_000)).then_some(())).await;
    browser.open(&cinema.example(eu.address)).await;
    browser.until("video.readyState > 2 && !video.seeking && video.currentTime > 4").await;
}
