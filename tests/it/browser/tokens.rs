//! Tokens that are refused, and tokens that come late.

use playmark::{node::Clock, playback::Claims};
use serde_json::json;

use super::{Television, cinema::Way};
use crate::{
    patience::eventually,
    serving::{claims, route_to},
};

#[tokio::test]
async fn a_title_that_was_erased_goes_on_in_another_session() {
    let television = Television::playing(3_500).await;
    let Television { browser, node, .. } = &television;
    let erased = browser.look("session.id").await;
    assert_eq!(node.delete(&route_to("titles", "ada", "film")).await.status(), 202);
    let point = television.known(|point| point["session"].is_string()).await;
    assert_ne!(point["session"], erased, "{point}");
    assert_eq!(point["session"], browser.look("session.id").await);
    assert!(browser.problems().await.as_array().expect("a list").contains(&json!("erased")));
}

#[tokio::test]
async fn a_session_whose_time_is_up_goes_on_in_another_and_loses_nothing() {
    let television = Television::off().await;
    let browser = &television.browser;
    let opened = claims("film", Clock::wall());
    let expires = opened.anchor.plus_ms(2_500);
    television.open_as(&Claims { expires, ..opened });
    television.play(1_000).await;
    let first = browser.look("session.id").await;
    browser.until(&format!("session.id !== {first} && video.currentTime > 6")).await;
    browser.pause().await;
    television.all_taken().await;
    let point = television.known_as("paused").await;
    assert_eq!(point["session"], browser.look("session.id").await, "{point}");
    let before = &point["alternatives"][0];
    assert_eq!(before["session"], first, "{point}");
    let known = before["position_ms"].as_u64();
    assert!(
        known > Some(2_500) && before["time_quality"] == "wall",
        "what it said late is dated anew: {point}"
    );
    assert!(browser.problems().await.as_array().expect("a list").contains(&json!("token-expired")));
}

#[tokio::test]
async fn a_page_whose_clock_runs_wild_counts_anew() {
    let television = Television::playing(1_000).await;
    let Television { browser, node, .. } = &television;
    let session = browser.look("session.id").await;
    browser.look("void pass(60_000)").await;
    browser.until("heard.some(([, it]) => it.kind === 'clock-runs-wild')").await;
    let at = browser.place_ms().await;
    let point = television.known(|point| point["position_ms"].as_u64() > Some(at + 1_000)).await;
    assert_eq!(point["session"], session, "{point}");
    assert!(point["stamp"]["time_ms"].as_u64() <= Some(Clock::wall().as_ms() + 5_000), "{point}");
    assert!(node.position("film").await > Some(at));
}

#[tokio::test]
async fn a_token_that_answers_an_older_request_takes_no_time_back() {
    // So far behind that every answer brings a fresh one.
    let television = Television::cut_off(600_000, 1_000).await;
    let Television { browser, cinema, .. } = &television;
    browser.pause().await;
    cinema.make(Way::SlowAnswer);
    browser.look("void playmark.send()").await;
    cinema.until_held().await;
    browser.look("void dispatchEvent(new Event('online'))").await;
    let told = |is_asked_of_one: bool| {
        let asked = [cinema.asked("/v1/sync"), cinema.asked("/v1/heartbeats")].concat();
        let answer = asked
            .into_iter()
            .find(|it| it.body["position_ms"].is_u64() == is_asked_of_one && it.answer.is_object())?
            .answer;
        answer.get("token").or(answer["heartbeats"].get("token")).cloned()
    };
    let newer = eventually(|| told(true)).await;
    let older = told(false).expect("it was answered, and nobody has heard it");
    cinema.make(Way::Free);
    television.all_taken().await;
    browser.play_until(2_000).await;
    television.all_taken().await;
    let last = cinema.asked("/v1/heartbeats").pop().expect("there are some").body;
    let token = &last.as_array().and_then(|all| all.last()).expect("it is a list")["token"];
    assert!(*token == newer && *token != older, "{token}: {newer}, {older}");
}
