//! Who a page speaks for, and what it keeps to itself.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Browser, Cinema, Television, cinema::Way};
use crate::{
    patience::until_found,
    serving::{Issuer, Serve, ada},
};

#[tokio::test]
async fn a_page_whose_credential_is_refused_loses_nothing_until_it_has_another() {
    let (home, issuer) = (TempDir::new().expect("a directory can be made"), Issuer::new());
    let secret = issuer.secret_file(home.path());
    let node = Serve::at(home.path()).with("--auth-jwt-secret-file", &secret).start().await;
    let mut reader = ada();
    reader["scope"] = json!("read");
    let reader = node.holding(&issuer.sign("HS256", "", &reader));
    let known = async |is_wanted: &dyn Fn(&Value) -> bool| {
        until_found(async || {
            let point = reader.point("film").await;
            is_wanted(&point).then_some(point)
        })
        .await
    };
    let cinema = Cinema::before(Some(node.address)).await;
    let browser = Browser::start().await;

    browser.play(&format!("{}&credential=none", cinema.page("tv", Some("film"), &[])), 3_500).await;
    browser.pause().await;
    assert!(cinema.asked("/v1/heartbeats").is_empty(), "there is no token");
    let good = issuer.sign("HS256", "", &ada());
    browser.look(&format!("void (window.credential = '{good}')")).await;
    let point = known(&|point| point["event"] == "paused").await;
    assert_eq!(point["session"], browser.look("session.id").await, "{point}");

    // A session's token is enough for what is kept under it.
    cinema.make(Way::Cut);
    browser.play_until(5_000).await;
    browser.look("void (window.credential = 'none')").await;
    browser.until("heard.at(-1)[0] === 'problem' && heard.at(-1)[1].kind === 'unreachable'").await;
    browser.pause().await;
    cinema.make(Way::Free);
    known(&|point| point["position_ms"].as_u64() >= Some(5_000) && point["event"] == "paused").await;
    browser.until("playmark.waiting === 0").await;
}

#[tokio::test]
async fn of_an_incognito_session_nothing_is_kept_anywhere() {
    let television = Television::off().await;
    let Television { browser, cinema, node, .. } = &television;
    let page = format!("{}&incognito", television.page());
    browser.play(&page, 3_500).await;
    television.all_taken().await;
    assert_eq!(node.point("film").await["status"], 404);
    cinema.make(Way::Cut);
    browser.until("playmark.waiting >= 2").await;
    assert_eq!(browser.kept().await, 0);

    browser.play(&page, 3_500).await;
    browser.pause().await;
    assert_eq!(browser.look("playmark.waiting").await, 0, "no token could be asked for that keeps it secret");
    assert_eq!(browser.kept().await, 0);
}
