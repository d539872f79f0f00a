//! The row to go on with, and the history: what stands in them, in which order, page by page.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::serving::{Node, Player, anonymous, problem, report};

/// Reports a place in a title of a series, later than all before it, were it in the same millisecond.
async fn play(node: &Player, content: &str, series: Option<&str>, position_ms: u64) {
    static LATER: AtomicU32 = AtomicU32::new(0);
    let mut beat = anonymous(content, position_ms, "playing");
    beat["seq"] = json!(LATER.fetch_add(1, Ordering::Relaxed));
    beat["series"] = json!(series);
    beat["duration_ms"] = json!(100_000);
    node.stored(&beat).await;
}

fn contents(page: &Value) -> Vec<&str> {
    let titles = page["titles"].as_array().expect("a page has titles").iter();
    titles.map(|title| title["content"].as_str().expect("a title has a content")).collect()
}

#[tokio::test]
async fn the_row_has_what_was_started_and_not_finished_the_latest_first() {
    let (_home, node) = Node::alone().await;
    for (content, position_ms) in [("early", 50_000), ("finished", 99_000), ("late", 40_000), ("failed", 0)] {
        play(&node, content, None, position_ms).await;
    }
    let mut failed = anonymous("failed start", 0, "failed");
    failed["played_ms"] = json!(0);
    node.beat(&failed).await;
    let row = node.of_ada("continue-watching").await;
    assert_eq!(
        contents(&row),
        ["failed", "late", "early"],
        "what has played stands there, though at 0: {row}"
    );
    assert_eq!((&row["profile"], &row["next"], &row["partial"]), (&json!("ada"), &Value::Null, &Value::Null));
    let late = &row["titles"][1];
    for member in ["position_ms", "resume_position_ms"] {
        assert_eq!(late[member], 40_000);
    }
    assert_eq!((&late["duration_ms"], &late["watched"]), (&json!(100_000), &json!(false)));
    assert_eq!(late["dot"], node.point("late").await["dot"]);
    play(&node, "early", None, 51_000).await;
    assert_eq!(contents(&node.of_ada("continue-watching").await), ["early", "failed", "late"]);

    let other = node.get("/v1/profiles/grace/continue-watching").await.json::<Value>().await;
    assert_eq!(other.expect("it is JSON")["titles"], json!([]));
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_whatever_is_played_meanwhile() {
    let (_home, node) = Node::alone().await;
    for number in 1..=7 {
        play(&node, &format!("film/{number}"), None, 50_000).await;
    }
    let first = node.of_ada("continue-watching?limit=3").await;
    assert_eq!(contents(&first), ["film/7", "film/6", "film/5"]);
    play(&node, "film/6", None, 60_000).await;
    play(&node, "film/8", None, 50_000).await;
    let next = |page: &Value| page["next"].as_str().expect("more follow").to_owned();
    let second = node.of_ada(&format!("continue-watching?limit=3&cursor={}", next(&first))).await;
    assert_eq!(contents(&second), ["film/4", "film/3", "film/2"]);
    let third = node.of_ada(&format!("continue-watching?limit=3&cursor={}", next(&second))).await;
    assert_eq!((contents(&third), &third["next"]), (vec!["film/1"], &Value::Null));
}

#[tokio::test]
async fn a_series_stands_in_the_row_by_its_latest_title_as_the_opening_or_a_report_names_it() {
    let (_home, node) = Node::alone().await;
    play(&node, "dark/1", Some("dark"), 50_000).await;
    play(&node, "film", None, 50_000).await;
    let body = json!({"profile": "ada", "content": "dark/2", "series": "dark"});
    let opened = node.post("/v1/sessions", "application/json", body.to_string()).await;
    let opened: Value = opened.json().await.expect("it is JSON");
    node.stored(&report(&opened, 1, 5_000, "playing")).await;
    assert_eq!(contents(&node.of_ada("continue-watching").await), ["dark/2", "film", "dark/1"]);
    let grouped = node.of_ada("continue-watching?group=series").await;
    assert_eq!(contents(&grouped), ["dark/2", "film"]);
    assert_eq!(
        (&grouped["titles"][0]["series"], &grouped["titles"][1]["series"]),
        (&json!("dark"), &Value::Null)
    );
    assert_eq!(node.point("dark/2").await["series"], "dark");
}

#[tokio::test]
async fn the_history_has_everything_and_says_what_became_of_it() {
    let (_home, node) = Node::alone().await;
    play(&node, "finished", None, 99_000).await;
    play(&node, "begun", None, 40_000).await;
    let history = node.of_ada("history").await;
    assert_eq!(contents(&history), ["begun", "finished"]);
    let finished = &history["titles"][1];
    assert_eq!(
        (&finished["completed"], &finished["watched"], &finished["plays"]),
        (&json!(true), &json!(true), &json!(1))
    );
    assert_eq!(finished["place"]["position_ms"], 99_000);
    assert_eq!(finished["latest"], finished["place"]["stamp"]);
    let first = node.of_ada("history?limit=1").await;
    let next = first["next"].as_str().expect("one more follows");
    assert_eq!(contents(&node.of_ada(&format!("history?limit=1&cursor={next}")).await), ["finished"]);
}

#[tokio::test]
async fn what_is_asked_of_a_list_and_makes_no_sense_is_named() {
    let (_home, node) = Node::alone().await;
    for (path, field) in [
        ("ada/continue-watching?limit=0", "limit"),
        ("ada/continue-watching?limit=101", "limit"),
        ("ada/history?limit=many", "limit"),
        ("ada/continue-watching?cursor=nowhere", "cursor"),
        ("ada/history?cursor=", "cursor"),
        ("ada/continue-watching?group=genre", "group"),
        ("ada/history?group=series", "group"),
        ("%00/history", "profile"),
    ] {
        let answer = node.get(&format!("/v1/profiles/{path}")).await;
        assert_eq!(problem(answer, 422, "invalid", path).await["field"], field, "{path}");
    }
    let mut beat = anonymous("film", 1_000, "playing");
    beat["series"] = json!("x".repeat(129));
    assert_eq!(problem(node.beat(&beat).await, 422, "invalid", "a long series").await["field"], "series");
    let body = json!({"profile": "ada", "content": "film", "series": 7}).to_string();
    let answer = node.post("/v1/sessions", "application/json", body).await;
    assert_eq!(problem(answer, 422, "invalid", "a number").await["field"], "series");
}
