//! What whoever has read something before is told of it.

use reqwest::{StatusCode, header};
use serde_json::json;

use crate::serving::{Node, Player, anonymous};

const ROW: &str = "/v1/profiles/ada/continue-watching?limit=1";
const HISTORY: &str = "/v1/profiles/ada/history";
const PLACES: &str = "/v1/profiles/ada/places/metropolis";
const POINT: &str = "/v1/profiles/ada/resume-points/metropolis";
const SETTINGS: &str = "/v1/profiles/ada/settings";

async fn tag(node: &Player, path: &str) -> String {
    let answer = node.get(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, no-cache", "{path}");
    let tag = answer.headers()[header::ETAG].to_str().expect("it is ASCII").to_owned();
    assert!(tag.starts_with('"'), "{path}: a strong tag, and not {tag}");
    tag
}

#[tokio::test]
async fn whoever_has_an_answer_is_told_that_it_still_stands_and_is_given_the_next_one() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    for path in [ROW, HISTORY, PLACES, POINT, SETTINGS] {
        let before = tag(&node, path).await;
        for known in [before.clone(), format!("\"other\", W/{before}"), "*".to_owned()] {
            let same = node.get_with(path, "If-None-Match", &known).await;
            assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{path} {known}");
            assert_eq!(same.headers()[header::ETAG], before.as_str(), "{path}");
            assert_eq!(same.headers()[header::CACHE_CONTROL], "private, no-cache", "{path}");
            assert_eq!(same.text().await.expect("it is read"), "", "{path}");
        }
        assert_eq!(
            node.get_with(path, "If-None-Match", "\"other\"").await.status(),
            StatusCode::OK,
            "{path}"
        );

        node.stored(&anonymous("metropolis", 99_000, "playing")).await;
        node.put(SETTINGS, &[], &json!({ "completed_percent": 80 })).await;
        let news = node.get_with(path, "If-None-Match", &before).await;
        assert_eq!(news.status(), StatusCode::OK, "{path}");
        assert_ne!(news.headers()[header::ETAG], before.as_str(), "{path}");
        node.put(SETTINGS, &[], &json!({})).await;
    }
}

#[tokio::test]
async fn what_is_done_in_other_titles_leaves_a_tag_as_it_was() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let tags = [tag(&node, PLACES).await, tag(&node, POINT).await, tag(&node, SETTINGS).await];
    let row = tag(&node, ROW).await;
    node.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    for (path, tag) in [PLACES, POINT, SETTINGS].into_iter().zip(&tags) {
        let same = node.get_with(path, "If-None-Match", tag).await;
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    assert_eq!(node.get_with(ROW, "If-None-Match", &row).await.status(), StatusCode::OK);
}
