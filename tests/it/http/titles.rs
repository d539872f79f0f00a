//! Ids with slashes, spaces and any script, in bodies and in paths.

use reqwest::StatusCode;
use serde_json::Value;

use crate::serving::{Node, ids, problem, route_of};

async fn report_at(node: &Node, profile: &str, content: &str, position_ms: u64) {
    let mut beat = ids(profile, content);
    beat["event"] = "playing".into();
    beat["position_ms"] = position_ms.into();
    assert_eq!(node.beat(&beat).await.status(), StatusCode::NO_CONTENT, "{profile}/{content}");
}

#[tokio::test]
async fn every_id_is_found_again_under_its_encoded_path_and_only_there() {
    let (_home, node) = Node::alone().await;
    let titles = [
        ("ada", "films/1927/metropolis"),
        ("ada", "films/1927"),
        ("ada", "films/1927/"),
        ("ada", "/films"),
        ("ada", "films//1927"),
        ("ada", "films%2F1927"),
        ("ada", "50% off? #1 & more; a+b=c"),
        ("ada", "50%25 off"),
        ("ada", "ein Фильм 映画 🎬"),
        ("ada", "."),
        ("ada", "a/../b"),
        ("ada/films", "1927"),
        ("häuser/küche", "\"quoted\" \\ <b>"),
    ];
    for (number, (profile, content)) in (1..).zip(titles) {
        report_at(&node, profile, content, number * 1_000).await;
    }
    for (number, (profile, content)) in (1_u64..).zip(titles) {
        let answer = node.raw(&route_of(profile, content)).await;
        assert_eq!(answer["position_ms"], number * 1_000, "{profile} {content}: {answer}");
        assert_eq!((&answer["profile"], &answer["content"]), (&profile.into(), &content.into()));
    }
}

#[tokio::test]
async fn slashes_of_a_content_id_may_stand_in_the_path_as_they_are() {
    let (_home, node) = Node::alone().await;
    report_at(&node, "ada", "films/1927/metropolis", 61_000).await;
    let answer = node.get("/v1/profiles/ada/resume-points/films/1927/metropolis").await;
    assert_eq!(answer.json::<Value>().await.expect("it is JSON")["position_ms"], 61_000);
}

#[tokio::test]
async fn a_path_that_names_no_title_is_refused() {
    let (_home, node) = Node::alone().await;
    let long = [("c".repeat(257), "content"), ("p".repeat(129), "profile")];
    for (id, field) in &long {
        let path = if *field == "content" { route_of("ada", id) } else { route_of(id, "metropolis") };
        assert_eq!(problem(node.get(&path).await, 422, "invalid", &path).await["field"], *field);
    }
    for path in ["/v1/profiles/ada/resume-points/%FF", "/v1/profiles/ada/resume-points/a%00b"] {
        problem(node.get(path).await, 422, "invalid", path).await;
    }
    let unknown =
        problem(node.get(&route_of("ada", &"c".repeat(256))).await, 404, "no-resume-point", "").await;
    assert!(unknown["token"].is_string() && unknown["anchor_ms"].is_u64(), "{unknown}");
}
