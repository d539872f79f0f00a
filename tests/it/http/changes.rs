//! What other systems read of the changes.

use std::collections::BTreeMap;

use playmark::{
    crdt::VersionVector,
    node::{ClusterTag, Cursor},
};
use reqwest::{Response, header};
use serde_json::Value;

use crate::serving::{Node, Player, anonymous, problem, report};

/// A page.
struct Page {
    lines: Vec<Value>,
    cursor: String,
}

impl Page {
    async fn read(answer: Response) -> Self {
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-ndjson");
        let cursor = answer.headers()["cursor"].to_str().expect("it is ASCII").to_owned();
        let text = answer.text().await.expect("it is text");
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("it is JSON"));
        Self { lines: lines.collect(), cursor }
    }

    async fn after(node: &Player, cursor: &str, limit: usize) -> Self {
        Self::read(node.get(&format!("/v1/changes?after={cursor}&limit={limit}")).await).await
    }

    fn places(&self) -> Vec<(&str, u64)> {
        let place = |line: &'_ Value| line["position_ms"].as_u64().unwrap_or_default();
        self.lines.iter().map(|line| (line["content"].as_str().expect("a title"), place(line))).collect()
    }
}

#[tokio::test]
async fn pages_bring_every_title_once_and_then_what_changed() {
    let (_home, node) = Node::alone().await;
    for number in 0..25_u64 {
        for round in 0..3 {
            node.stored(&anonymous(&format!("film {number}"), number * 10_000 + round * 3_000, "playing"))
                .await;
        }
        // A second session, and so a second entry of the index for the same title.
        let opened = node.open(&format!("film {number}")).await;
        node.stored(&report(&opened, 1, number * 10_000 + 9_000, "playing")).await;
    }
    let mut found = BTreeMap::new();
    let mut page = Page::after(&node, "", 10).await;
    let mut pages = 0;
    while !page.lines.is_empty() {
        assert!(page.lines.len() <= 10);
        assert_eq!(page.lines.last().expect("a line")["cursor"], page.cursor.as_str());
        for (content, position_ms) in page.places() {
            assert_eq!(found.insert(content.to_owned(), position_ms), None, "{content} came twice");
        }
        pages += 1;
        page = Page::after(&node, &page.cursor, 10).await;
    }
    assert_eq!(pages, 3);
    let expected: BTreeMap<_, _> =
        (0..25).map(|number| (format!("film {number}"), number * 10_000 + 9_000)).collect();
    assert_eq!(found, expected);

    node.stored(&anonymous("film 7", 99_000, "playing")).await;
    let news = Page::after(&node, &page.cursor, 10).await;
    assert_eq!(news.places(), [("film 7", 99_000)]);
    assert!(Page::after(&node, &news.cursor, 10).await.lines.is_empty());
}

#[tokio::test]
async fn whoever_stops_in_the_middle_of_a_page_goes_on_after_the_last_line_taken() {
    let (_home, node) = Node::alone().await;
    for number in 0..6 {
        node.stored(&anonymous(&format!("film {number}"), 5_000, "playing")).await;
    }
    let page = Page::after(&node, "", 1_000).await;
    let third = page.lines[2]["cursor"].as_str().expect("a cursor");
    let rest = Page::after(&node, third, 1_000).await;
    assert_eq!(rest.places(), page.places()[3..]);
}

#[tokio::test]
async fn a_request_that_prefers_to_wait_is_answered_by_the_next_change() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 5_000, "playing")).await;
    let now = Page::after(&node, "now", 10).await;
    assert!(now.lines.is_empty());
    let path = format!("/v1/changes?after={}", now.cursor);
    let waiting = node.get_with(&path, "Prefer", "respond-async, wait=20");
    let change = async {
        node.stored(&anonymous("nosferatu", 6_000, "playing")).await;
    };
    let (answer, ()) = tokio::join!(waiting, change);
    assert_eq!(answer.headers()["preference-applied"], "wait=20");
    assert_eq!(Page::read(answer).await.places(), [("nosferatu", 6_000)]);
    let nothing = node.get_with(&format!("/v1/changes?after={}", now.cursor), "Prefer", "wait=0").await;
    assert!(!nothing.headers().contains_key("preference-applied"));
}

#[tokio::test]
async fn a_cursor_whose_place_is_gone_is_410_and_what_cannot_be_right_is_named() {
    let (_home, node) = Node::alone().await;
    let foreign = Cursor::new(ClusterTag::of("elsewhere"), &VersionVector::default(), []).encode();
    let answer = node.get(&format!("/v1/changes?after={foreign}")).await;
    problem(answer, 410, "cursor-gone", "another cluster's").await;
    for (query, field) in
        [("after=x", "after"), ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=many", "limit")]
    {
        let answer = node.get(&format!("/v1/changes?{query}")).await;
        assert_eq!(problem(answer, 422, "invalid", query).await["field"], field, "{query}");
    }
}
