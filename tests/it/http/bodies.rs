//! Bodies that are none, and the forms that a body may have.

use playmark::http::{BODY_BYTES_MAX, HEARTBEATS_MAX};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::serving::{Node, anonymous, ids, problem};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const TEXT: &str = "text/plain;charset=UTF-8";

#[tokio::test]
async fn what_is_no_body_of_heartbeats_is_refused_whole_and_changes_nothing() {
    let (_home, node) = Node::alone().await;
    let good = anonymous("metropolis", 61_000, "playing").to_string();
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (JSON, b"".into(), 400, "not-json"),
        (JSON, b"nothing".into(), 400, "not-json"),
        (JSON, good.as_bytes()[..good.len() - 1].into(), 400, "not-json"),
        (JSON, format!("[{good},").into(), 400, "not-json"),
        (JSON, format!("{good}\n{good}").into(), 400, "not-json"),
        (JSON, b"7".into(), 400, "not-json"),
        (JSON, good.replace("metropolis", "metro\u{0}polis").into(), 400, "not-json"),
        (JSON, good.replace("61000", "1e999").into(), 400, "not-json"),
        (JSON, good.replace("61000", "NaN").into(), 400, "not-json"),
        (JSON, [b"{\"profile\":\"\xff\xfe\",", &good.as_bytes()[1..]].concat(), 400, "not-json"),
        (JSON, b"[".repeat(50_000), 400, "not-json"),
        (JSON, padded(&good, BODY_BYTES_MAX + 1), 413, "body-too-large"),
        (LINES, padded(&good, BODY_BYTES_MAX + 1), 413, "body-too-large"),
        (JSON, format!("[{}{{}}]", "{},".repeat(HEARTBEATS_MAX)).into(), 413, "too-many-heartbeats"),
        (LINES, "{}\n".repeat(HEARTBEATS_MAX + 1).into(), 413, "too-many-heartbeats"),
        (TEXT, "{}\n".repeat(HEARTBEATS_MAX + 1).into(), 413, "too-many-heartbeats"),
        ("application/xml", good.clone().into(), 415, "media-type"),
        ("application/x-www-form-urlencoded", good.clone().into(), 415, "media-type"),
        ("", good.clone().into(), 415, "media-type"),
    ];
    for (kind, body, status, name) in cases {
        let shown = format!("{kind}: {}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        problem(node.post("/v1/heartbeats", kind, body).await, status, name, &shown).await;
        node.assert_untouched(&shown).await;
    }
    assert_eq!(node.beat(&anonymous("metropolis", 61_000, "playing")).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_session_is_opened_by_one_object_and_by_nothing_else() {
    let (_home, node) = Node::alone().await;
    let good = ids("ada", "metropolis").to_string();
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (JSON, good.as_bytes()[..good.len() - 1].into(), 400, "not-json"),
        (JSON, format!("[{good}]").into(), 400, "not-json"),
        (JSON, b"{\"profile\":\"\xff\"}".into(), 400, "not-json"),
        (JSON, padded(&good, BODY_BYTES_MAX + 1), 413, "body-too-large"),
        (LINES, good.clone().into(), 415, "media-type"),
        (JSON, b"{}".into(), 422, "invalid"),
    ];
    for (kind, body, status, name) in cases {
        let shown = format!("{kind}: {}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        problem(node.post("/v1/sessions", kind, body).await, status, name, &shown).await;
    }
    assert_eq!(node.post("/v1/sessions", TEXT, good).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn every_form_of_a_body_brings_its_heartbeats() {
    let (_home, node) = Node::alone().await;
    let spread = |beats: &[Value]| beats.iter().map(Value::to_string).collect::<Vec<_>>();
    let forms: [(&str, Form); 8] = [
        (JSON, |beats| format!("[{}]", beats.join(","))),
        ("Application/JSON; charset=utf-8", |beats| format!(" [ {} ] ", beats.join(" , "))),
        (LINES, |beats| beats.join("\n")),
        (LINES, |beats| format!("\r\n{}\r\n\r\n", beats.join("\r\n"))),
        ("application/jsonl", |beats| beats.join("\n")),
        (TEXT, |beats| beats.join("\n")),
        (TEXT, |beats| format!("[{}]", beats.join(","))),
        ("text/plain", |beats| format!("{}\n", beats.join("\n"))),
    ];
    for (number, (kind, form)) in forms.iter().enumerate() {
        let content = format!("film {number}");
        let beats = [anonymous(&content, 1_000, "playing"), anonymous(&content, 2_000, "playing")];
        let answer = node.post("/v1/heartbeats", kind, form(&spread(&beats))).await;
        assert_eq!(answer.status(), StatusCode::OK, "{kind}");
        let answer: Value = answer.json().await.expect("it is JSON");
        let results = answer["results"].as_array().expect("a list");
        assert_eq!(results.len(), 2, "{kind}: {answer}");
        assert!(results.iter().all(|it| it["result"] == "stored"), "{kind}: {answer}");
        assert_eq!(node.position(&content).await, Some(2_000), "{kind}");
    }
    for kind in [TEXT, "text/plain", JSON] {
        let beat = anonymous(kind, 5_000, "stopped");
        let answer = node.post("/v1/heartbeats", kind, beat.to_string()).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{kind}");
    }
}

#[tokio::test]
async fn a_body_that_just_fits_is_taken_and_an_empty_list_is_one() {
    let (_home, node) = Node::alone().await;
    let good = anonymous("metropolis", 61_000, "playing").to_string();
    let answer = node.post("/v1/heartbeats", JSON, padded(&good, BODY_BYTES_MAX)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let many = format!("[{}{{}}]", "{},".repeat(HEARTBEATS_MAX - 1));
    for (body, count) in [("[]", 0), (many.as_str(), HEARTBEATS_MAX)] {
        let answer = node.post("/v1/heartbeats", JSON, body.to_owned()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.expect("it is JSON");
        assert_eq!(answer["results"].as_array().map(Vec::len), Some(count));
    }
}

#[tokio::test]
async fn a_path_or_a_method_that_is_none_is_refused_and_methods_are_named() {
    let (_home, node) = Node::alone().await;
    for path in ["/", "/v1", "/v1/heartbeats/", "/v2/heartbeats", "/v1/profiles/ada/resume-points"] {
        problem(node.get(path).await, 404, "no-such-path", path).await;
    }
    for (path, allowed) in [("/v1/heartbeats", "POST"), ("/v1/sessions", "POST")] {
        let answer = node.get(path).await;
        assert_eq!(answer.headers()[header::ALLOW], allowed, "{path}");
        problem(answer, 405, "no-such-method", path).await;
    }
    let answer = node.post("/v1/profiles/ada/resume-points/metropolis", JSON, json!({}).to_string()).await;
    problem(answer, 405, "no-such-method", "a resume point is read only").await;
}

/// Makes a body of heartbeats.
type Form = fn(&[String]) -> String;

/// A body with spaces behind it, of so many bytes.
fn padded(body: &str, bytes: usize) -> Vec<u8> {
    let mut padded = body.as_bytes().to_vec();
    padded.resize(bytes, b' ');
    padded
}
