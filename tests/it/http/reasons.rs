//! Why an answer is the one it is.

use serde_json::{Value, json};

use crate::serving::{Node, anonymous, problem, report, route_of};

#[tokio::test]
async fn every_session_is_told_what_became_of_it_beside_the_same_answer() {
    let (_home, node) = Node::alone().await;
    let first = node.open("metropolis").await;
    node.stored(&report(&first, 1, 61_000, "playing")).await;
    let second = node.open("metropolis").await;
    node.stored(&report(&second, 1, 5_000, "playing")).await;
    let third = node.open("metropolis").await;
    let mut failed = report(&third, 1, 0, "playing");
    failed["played_ms"] = json!(0);
    node.stored(&failed).await;

    let answer = node.get(&format!("{}?explain=1", route_of("ada", "metropolis"))).await;
    let mut explained: Value = answer.json().await.expect("it is JSON");
    let explanation = explained["explanation"].take();
    let sessions = explanation["sessions"].as_array().expect("a list").iter();
    let verdicts: Vec<_> = sessions.map(|it| (it["session"].clone(), it["verdict"].clone())).collect();
    let expected = [(&second, "won"), (&first, "earlier"), (&third, "played-too-little")];
    assert_eq!(verdicts, expected.map(|(opened, verdict)| (opened["session"].clone(), json!(verdict))));
    assert_eq!(explanation["thresholds"], json!({"engaged_ms": 3_000, "completed_percent": 95}));
    assert_eq!(explanation["row"], "shown");
    assert_eq!(explanation["sessions"][2]["played_ms"], 0);

    let plain = node.point("metropolis").await;
    for member in ["position_ms", "session", "stamp", "dot", "alternatives"] {
        assert_eq!(explained[member], plain[member], "{member}");
    }
    assert_eq!(plain["explanation"], Value::Null);
}

#[tokio::test]
async fn nothing_is_explained_too() {
    let (_home, node) = Node::alone().await;
    let path = format!("{}?explain=1", route_of("ada", "metropolis"));
    let nothing = problem(node.get(&path).await, 404, "no-resume-point", "a new title").await;
    assert_eq!(nothing["explanation"]["sessions"], json!([]));
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let path = format!("{}?explain=please", route_of("ada", "metropolis"));
    assert_eq!(problem(node.get(&path).await, 422, "invalid", "please").await["field"], "explain");
}
