//! Answers that go on, and the credentials under which they were asked for.

use std::{fs, time::Duration};

use playmark::{http::auth::LEEWAY, node::Clock};
use reqwest::header;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::auth::Keys;
use crate::{
    patience::within,
    serving::{Issuer, Listener, Node, Player, Serve, ada, anonymous, problem, route_of},
};

/// For how long a credential of these tests is one: long enough to be used on a busy machine.
const LIFE: Duration = Duration::from_secs(5);

/// Claims that are beyond their time already, and taken for so long.
fn ending() -> Value {
    let mut claims = ada();
    let now_s = Clock::wall().as_ms() / 1_000;
    claims["exp"] = json!(now_s + LIFE.as_secs() - LEEWAY.as_secs());
    claims["scope"] = json!("play read events");
    claims
}

async fn with_secret(home: &TempDir, issuer: &Issuer) -> Node {
    Serve::at(home.path()).with("--auth-jwt-secret-file", issuer.secret_file(home.path())).start().await
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_it_was_opened_under_and_a_longer_one_goes_on() {
    let (home, issuer) = (TempDir::new().expect("a directory can be made"), Issuer::new());
    let node = with_secret(&home, &issuer).await;
    let mut lasting = ending();
    lasting["exp"] = json!(Clock::wall().as_ms() / 1_000 + 3_600);
    let lasting = node.holding(&issuer.sign("HS256", "", &lasting));
    let short = node.holding(&issuer.sign("HS256", "", &ending()));
    let (mut goes_on, mut ends) = (Listener::of(&lasting, "").await, Listener::of(&short, "").await);
    lasting.stored(&anonymous("metropolis", 5_000, "playing")).await;
    for listener in [&mut goes_on, &mut ends] {
        listener.hear("metropolis").await;
    }
    assert!(ends.next().await.is_none(), "it comes to an orderly end");
    let again = short.get_with("/v1/profiles/ada/events", "Last-Event-ID", &ends.cursor).await;
    problem(again, 401, "credential-expired", "whoever comes back").await;
    lasting.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    goes_on.hear("nosferatu").await;
}

#[tokio::test]
async fn who_waits_is_told_when_the_token_has_run_out_and_not_what_came_after() {
    let (home, issuer) = (TempDir::new().expect("a directory can be made"), Issuer::new());
    let node = with_secret(&home, &issuer).await;
    let short = node.holding(&issuer.sign("HS256", "", &ending()));
    short.stored(&anonymous("metropolis", 5_000, "playing")).await;
    let tag = tag(&short).await;
    let began = Instant::now();
    let waited = short.news(&route_of("ada", "metropolis"), &tag, "wait=30").await;
    problem(waited, 401, "credential-expired", "a wait").await;
    assert!(began.elapsed() < Duration::from_secs(30), "it did not wait until its time was over");
}

async fn tag(player: &Player) -> String {
    player.place("metropolis").await.headers()[header::ETAG].to_str().expect("it is ASCII").to_owned()
}

#[tokio::test]
async fn a_key_that_is_withdrawn_takes_its_streams_and_waits_with_it_and_no_others() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let kept = keys.make("kept", &["play", "events"], &["ada"]).await;
    let only_kept = fs::read_to_string(&keys.file).expect("it is there");
    let withdrawn = keys.make("withdrawn", &["play", "read", "events"], &["*"]).await;
    let node = keys.serve(home.path()).await;
    let [kept, withdrawn] = [kept, withdrawn].map(|key| node.holding(&key));
    // Told before the other asks, to whom it might come otherwise.
    let mut goes_on = Listener::of(&kept, "").await;
    kept.stored(&anonymous("metropolis", 5_000, "playing")).await;
    goes_on.hear("metropolis").await;
    let mut ends = Listener::of(&withdrawn, "").await;
    let (tag, path) = (tag(&withdrawn).await, route_of("ada", "metropolis"));
    let waits = async {
        tokio::join!(
            withdrawn.news(&path, &tag, "wait=30"),
            withdrawn.get_with("/v1/changes?after=now", "prefer", "wait=30"),
        )
    };
    let began = Instant::now();
    let withdraw = async { fs::write(&keys.file, only_kept).expect("a file can be written") };
    let ((point, changes), end, ()) = within(async { tokio::join!(waits, ends.next(), withdraw) }).await;
    assert!(end.is_none(), "it comes to an orderly end");
    for answer in [point, changes] {
        problem(answer, 401, "bad-credential", "a wait").await;
    }
    assert!(began.elapsed() < Duration::from_secs(30), "it did not wait until its time was over");
    problem(withdrawn.place("metropolis").await, 401, "bad-credential", "a request").await;
    kept.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    goes_on.hear("nosferatu").await;
}

#[tokio::test]
async fn a_key_whose_scopes_are_taken_away_loses_its_streams_too() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let key = keys.make("ada", &["play", "events"], &["ada"]).await;
    let node = keys.serve(home.path()).await;
    let mut listener = Listener::of(&node.holding(&key), "").await;
    let less = fs::read_to_string(&keys.file).expect("it is there").replace("\"events\"", "\"read\"");
    fs::write(&keys.file, less).expect("a file can be written");
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn tokens_of_a_key_that_the_issuer_has_withdrawn_are_refused_and_their_streams_end() {
    let (home, issuer) = (TempDir::new().expect("a directory can be made"), Issuer::new());
    let file = home.path().join("jwks.json");
    fs::write(&file, issuer.keys("one", "two").to_string()).expect("a file can be written");
    let node = Serve::at(home.path()).with("--auth-jwks-file", &file).start().await;
    let mut claims = ada();
    claims["scope"] = json!("play events");
    let [by_one, by_two] = [("EdDSA", "one"), ("ES256", "two")]
        .map(|(kind, key)| node.holding(&issuer.sign(kind, key, &claims)));
    let (mut ends, mut goes_on) = (Listener::of(&by_one, "").await, Listener::of(&by_two, "").await);
    fs::write(&file, issuer.keys("three", "two").to_string()).expect("a file can be written");
    assert!(ends.next().await.is_none());
    problem(by_one.place("metropolis").await, 401, "bad-credential", "a token of it").await;
    by_two.stored(&anonymous("metropolis", 5_000, "playing")).await;
    goes_on.hear("metropolis").await;
}
