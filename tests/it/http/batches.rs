//! Many heartbeats at once: one that is wrong refuses itself alone, and an order that is none refuses all.

use playmark::node::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::serving::{Mint, Node, anonymous, claims, kind_of, problem, report};

async fn results(node: &Node, kind: &str, body: String) -> Value {
    let answer = node.post("/v1/heartbeats", kind, body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.expect("it is JSON")
}

#[tokio::test]
async fn what_is_wrong_in_a_batch_is_refused_in_its_place_and_the_rest_stands() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let forged = Mint::foreign().sign(&claims("metropolis", Clock::wall()));
    let mut wild = report(&node.open("wild").await, 1, 1_000, "playing");
    wild["sent_elapsed_ms"] = json!(3_600_000);
    let mut other = report(&node.open("mine").await, 1, 1_000, "playing");
    other["content"] = json!("yours");
    let items = [
        (report(&opened, 1, 1_000, "playing"), None),
        (json!({}), Some((422, "invalid"))),
        (json!([1]), Some((400, "not-json"))),
        (anonymous("nosferatu", 5_000, "playing"), None),
        (anonymous("", 5_000, "playing"), Some((422, "invalid"))),
        (report(&json!({ "token": forged }), 1, 9_000, "playing"), Some((401, "bad-token"))),
        (wild, Some((409, "clock-runs-wild"))),
        (other, Some((422, "not-the-tokens"))),
        (report(&opened, 2, 2_000, "paused"), None),
    ];
    let lines = items.iter().map(|(item, _)| item.to_string()).collect::<Vec<_>>();
    let answer = results(&node, "application/json", format!("[{}]", lines.join(","))).await;
    let results = answer["results"].as_array().expect("a list");
    assert_eq!(results.len(), items.len());
    for (found, (item, refused)) in results.iter().zip(&items) {
        if let Some(kind) = refused {
            assert_eq!(found["result"], "refused", "{item}");
            assert_eq!(kind_of(&found["problem"]), *kind, "{item}");
        } else {
            assert_eq!(found["result"], "stored", "{item}: {found}");
            assert!(found["dot"].is_string(), "{item}: {found}");
        }
    }
    assert_eq!(node.position("metropolis").await, Some(2_000));
    assert_eq!(node.position("nosferatu").await, Some(5_000));
    for untouched in ["wild", "mine", "yours"] {
        assert_eq!(node.position(untouched).await, None, "{untouched}");
    }
    assert_eq!(node.status().await["heartbeats_total"], 3);
}

#[tokio::test]
async fn of_one_sessions_queue_the_last_is_written_and_the_end_that_it_has_seen() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let ended = |seq, position_ms, event| {
        let mut report = report(&opened, seq, position_ms, event);
        report["duration_ms"] = json!(100_000);
        report
    };
    let queue = [
        ended(1, 98_000, "playing"),
        ended(2, 100_000, "ended"),
        ended(3, 10_000, "seeked"),
        ended(4, 11_000, "playing"),
    ];
    let body = json!(queue).to_string();
    let answer = results(&node, "application/json", body.clone()).await;
    let told = answer["results"].as_array().expect("a list");
    let point = node.point("metropolis").await;
    for found in told {
        assert_eq!((&found["result"], &found["dot"]), (&json!("stored"), &point["dot"]), "{answer}");
    }
    assert_eq!((&point["position_ms"], &point["plays"]), (&json!(11_000), &json!(1)));
    let again = results(&node, "application/json", body).await;
    for found in again["results"].as_array().expect("a list") {
        assert_eq!((&found["result"], &found["dot"]), (&json!("acknowledged"), &point["dot"]), "{again}");
    }
}

#[tokio::test]
async fn a_line_that_is_no_json_refuses_itself_alone() {
    let (_home, node) = Node::alone().await;
    let good = anonymous("metropolis", 1_000, "playing");
    let last = anonymous("metropolis", 2_000, "playing");
    for kind in ["application/x-ndjson", "text/plain"] {
        let mut body = format!("{good}\n{{\"profile\":\n7\n").into_bytes();
        body.extend(b"\"\xff\"\n");
        body.extend(last.to_string().bytes());
        let answer = node.post("/v1/heartbeats", kind, body).await;
        let answer: Value = answer.json().await.expect("it is JSON");
        let found: Vec<_> =
            answer["results"].as_array().expect("a list").iter().map(|it| &it["result"]).collect();
        assert_eq!(found, ["stored", "refused", "refused", "refused", "stored"], "{kind}");
        for number in 1..=3 {
            assert_eq!(kind_of(&answer["results"][number]["problem"]), (400, "not-json"), "{kind}");
        }
    }
    assert_eq!(node.position("metropolis").await, Some(2_000));
}

#[tokio::test]
async fn samples_that_fall_refuse_the_whole_request_and_say_which_one_fell() {
    let (_home, node) = Node::alone().await;
    let (one, other) = (node.open("metropolis").await, node.open("nosferatu").await);
    let later = |field: &str, number| {
        let mut beat = report(&one, 2, 2_000, "playing");
        beat[field] = json!(number);
        beat
    };
    for (field, fallen) in [("seq", later("seq", 1)), ("elapsed_ms", later("elapsed_ms", 1))] {
        let beats =
            [report(&other, 1, 1_000, "playing"), later(field, 2), report(&other, 2, 1_500, "paused")];
        let lines = beats.iter().chain([&fallen]).map(Value::to_string).collect::<Vec<_>>();
        for (kind, body) in
            [("application/json", format!("[{}]", lines.join(","))), ("text/plain", lines.join("\n"))]
        {
            let answer = node.post("/v1/heartbeats", kind, body).await;
            let problem = problem(answer, 422, "out-of-order", kind).await;
            assert_eq!((&problem["index"], &problem["field"]), (&json!(3), &json!(field)), "{problem}");
        }
    }
    node.assert_untouched("samples that fall").await;

    // Each session has an order of its own, and what stays the same does not fall.
    let lines = [&one, &other, &one, &other].map(|of| report(of, 7, 1_000, "playing").to_string()).join("\n");
    let answer = results(&node, "application/x-ndjson", lines).await;
    assert!(answer["results"].as_array().expect("a list").iter().all(|it| it["result"] != "refused"));
}

#[tokio::test]
async fn a_batch_that_comes_twice_is_answered_with_the_same_dots() {
    let (_home, node) = Node::alone().await;
    let opened = node.open("metropolis").await;
    let lines = (1..=20).map(|seq| report(&opened, seq, u64::from(seq) * 1_000, "playing").to_string());
    let body = lines.collect::<Vec<_>>().join("\n");
    let first = results(&node, "text/plain", body.clone()).await;
    let again = results(&node, "text/plain", body).await;
    let dots = |answer: &Value| {
        let dots = answer["results"].as_array().expect("a list").iter().map(|it| it["dot"].clone());
        dots.collect::<Vec<_>>()
    };
    assert_eq!(dots(&first), dots(&again));
    assert!(again["results"].as_array().expect("a list").iter().all(|it| it["result"] == "acknowledged"));
    assert_eq!(node.point("metropolis").await["dot"], dots(&again)[19]);
}
