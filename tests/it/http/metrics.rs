//! The node's figures, as Prometheus reads them.

use reqwest::header;

use crate::serving::{Node, anonymous};

#[tokio::test]
async fn the_figures_are_those_of_the_status_in_the_text_format() {
    let (_home, node) = Node::alone().await;
    for number in 0..3 {
        node.stored(&anonymous(&format!("film {number}"), 61_000, "playing")).await;
    }
    let answer = node.get("/metrics").await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4");
    let text = answer.text().await.expect("it is text");
    for line in [
        "# TYPE playmark_heartbeats_total counter",
        "# HELP playmark_inbox_writes Writes that wait for a turn.",
        "playmark_heartbeats_total 3",
        "playmark_ready 1",
        "playmark_differing_total 0",
        "playmark_clock_off_seconds 0",
        "playmark_inbox_writes_max 16384",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
    let info = text.lines().find(|line| line.starts_with("playmark_info{")).expect("it says who it is");
    assert!(info.contains("name=\"node\"") && info.ends_with(" 1"), "{info}");
    let told = |line: &str| line.starts_with('#') || line.is_empty() || line.starts_with("playmark_");
    assert!(text.lines().all(told), "{text}");
}
