//! Those who ask for too much, and those who only seem to.

use reqwest::{Client, Response, header};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    patience::within,
    serving::{Issuer, Node, Player, Serve, ada, anonymous, ids, kind_of, problem, report, route_of},
};

/// A rate so low that it is used up before a part of it comes back.
const SAVED_UP: usize = 6;

async fn configured(lines: &str) -> (TempDir, Node) {
    let home = TempDir::new().expect("a directory can be made");
    let node = Serve::configured(home.path(), lines).start().await;
    (home, node)
}

async fn open(player: &Player, profile: &str, content: &str) -> Response {
    player.post("/v1/sessions", "application/json", ids(profile, content).to_string()).await
}

async fn forwarded(node: &Node, whom: &str) -> Response {
    let request = Client::new().get(format!("http://{}/v1/admin/status", node.address));
    within(request.header("x-forwarded-for", whom).send()).await.expect("it answers")
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_again() {
    let lines = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\naddress_requests_per_s = 1\n";
    let (_home, node) = configured(lines).await;
    let mut refused = None;
    for _ in 0..100 {
        let answer = forwarded(&node, "198.51.100.7, 203.0.113.9").await;
        if answer.status() != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a hundred requests take less than a minute and a half");
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert_eq!(refused.headers()["ratelimit-policy"], "\"address\";q=1;w=1");
    assert_eq!(refused.headers()["ratelimit"], "\"address\";r=0;t=1");
    let refused = problem(refused, 429, "too-many-requests", "one address").await;
    assert_eq!(refused["policy"], "address");

    assert_eq!(forwarded(&node, "203.0.113.10").await.status(), 200, "another address");
    // The proxy itself is nobody, and what stands left of its word may be made up.
    for _ in 0..4 * SAVED_UP {
        assert_eq!(node.get("/v1/admin/status").await.status(), 200, "the proxy itself");
    }
}

#[tokio::test]
async fn this_machine_is_not_counted_and_its_word_is_not_taken() {
    let (_home, node) = configured("[limits]\naddress_requests_per_s = 1\n").await;
    for _ in 0..4 * SAVED_UP {
        assert_eq!(forwarded(&node, "203.0.113.9").await.status(), 200);
    }
}

#[tokio::test]
async fn a_subject_is_counted_by_its_name_wherever_it_comes_from() {
    let issuer = Issuer::new();
    let home = TempDir::new().expect("a directory can be made");
    let lines = "[limits]\nsubject_requests_per_s = 1\n";
    let serve = Serve::configured(home.path(), lines);
    let node = serve.with("--auth-jwt-secret-file", issuer.secret_file(home.path())).start().await;
    let of = |subject: &str| {
        let mut claims = ada();
        claims["sub"] = json!(subject);
        node.holding(&issuer.sign("HS256", "", &claims))
    };
    let (one, other) = (of("one"), of("other"));
    let opened = open(&one, "ada", "metropolis").await.json().await.expect("it is JSON");
    let mut refused = None;
    for _ in 0..100 {
        let answer = one.place("metropolis").await;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = problem(refused.expect("it has a rate"), 429, "too-many-requests", "one subject").await;
    assert_eq!(refused["policy"], "subject");
    problem(other.place("metropolis").await, 404, "no-resume-point", "another subject").await;
    // A report under a session's token is nobody's request but the session's.
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
}

#[tokio::test]
async fn sessions_are_counted_by_caller_and_profile() {
    let issuer = Issuer::new();
    let home = TempDir::new().expect("a directory can be made");
    let serve = Serve::configured(home.path(), "[limits]\nsessions_per_minute = 2\n");
    let node = serve.with("--auth-jwt-secret-file", issuer.secret_file(home.path())).start().await;
    let mut claims = ada();
    claims["profiles"] = json!(["*"]);
    let gateway = node.holding(&issuer.sign("HS256", "", &claims));
    for profile in ["ada", "eve"] {
        for _ in 0..2 {
            assert_eq!(open(&gateway, profile, "metropolis").await.status(), 201, "{profile}");
        }
        let refused = open(&gateway, profile, "metropolis").await;
        let refused = problem(refused, 429, "too-many-requests", profile).await;
        assert_eq!(refused["policy"], "sessions");
    }
    problem(gateway.place("metropolis").await, 404, "no-resume-point", "a question").await;
}

#[tokio::test]
async fn a_profile_has_so_many_titles_and_one_more_is_not_begun_in_any_way() {
    let (_home, node) = configured("[limits]\ncontents_per_profile = 2\n").await;
    let early = node.open("early").await;
    for content in ["metropolis", "nosferatu"] {
        node.stored(&anonymous(content, 61_000, "playing")).await;
    }
    let refused = problem(open(&node, "ada", "faust").await, 403, "too-many-contents", "a session").await;
    assert_eq!(refused["most"], 2);
    problem(node.beat(&anonymous("faust", 1, "playing")).await, 403, "too-many-contents", "a report").await;
    let many =
        node.beat(&json!([anonymous("faust", 1, "playing"), anonymous("metropolis", 9, "playing")])).await;
    let many: serde_json::Value = many.json().await.expect("it is JSON");
    assert_eq!(kind_of(&many["results"][0]["problem"]), (403, "too-many-contents"));
    let watched = format!("http://{}/v1/profiles/ada/watched/faust", node.address);
    let watched = within(Client::new().put(watched).json(&json!({"watched": true})).send()).await;
    problem(watched.expect("it answers"), 403, "too-many-contents", "a command").await;
    let nothing = problem(node.get(&route_of("ada", "faust")).await, 404, "no-resume-point", "faust").await;
    problem(node.beat(&report(&nothing, 1, 1, "playing")).await, 403, "no-right", "its token").await;

    // What is there goes on, what had been opened goes on, and others have room of their own.
    assert_eq!(open(&node, "ada", "metropolis").await.status(), 201);
    node.stored(&anonymous("nosferatu", 99_000, "playing")).await;
    node.stored(&report(&early, 1, 61_000, "playing")).await;
    assert_eq!(open(&node, "eve", "faust").await.status(), 201);
}
