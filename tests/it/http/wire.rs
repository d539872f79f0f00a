//! Requests that are broken, slow, or whose sender is gone before the answer.

use playmark::http::{HEAD_BYTES_MAX, HEADERS_MAX};
use serde_json::Value;

use crate::{
    patience::until_found,
    serving::{Line, Node, anonymous, kind_of, report, request, split},
};

const POST: &str = "POST /v1/heartbeats";

#[tokio::test]
async fn what_is_not_http_is_hung_up_on_and_the_node_goes_on() {
    let (_home, node) = Node::alone().await;
    let many = "X: 1\r\n".repeat(HEADERS_MAX + 1);
    let cases = [
        ("hello\r\n\r\n".to_owned(), 400),
        ("\u{0}\u{1}\u{2}\u{3}".repeat(10), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        (request(POST, &format!("X: {}\r\n", "x".repeat(HEAD_BYTES_MAX)), ""), 431),
        (request(POST, &many, ""), 431),
        ("POST /v1/heartbeats HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
    ];
    for (bytes, status) in cases {
        let shown = bytes.chars().take(40).collect::<String>();
        let mut line = Line::to(&node).await;
        line.say(&bytes).await;
        let heard = line.hear().await;
        assert_eq!(split(&heard).0, status, "{shown:?}: {heard}");
        node.assert_untouched(&shown).await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_never_comes_is_answered_and_stores_nothing() {
    let (_home, node) = Node::alone().await;
    let good = anonymous("metropolis", 61_000, "playing").to_string();
    let head = |headers: &str| {
        format!("{POST} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n\r\n")
    };
    let cases = [
        (head("Transfer-Encoding: chunked") + "nothing\r\n", 400, "body-unreadable"),
        (head("Content-Length: 9999") + &good, 408, "body-too-slow"),
        (head("Content-Length: 99999999999"), 408, "body-too-slow"),
        (head("Transfer-Encoding: chunked") + &chunks(&good, 70_000), 413, "body-too-large"),
    ];
    let ask = async |bytes: &str| {
        let mut line = Line::to(&node).await;
        line.say(bytes).await;
        line.hear().await
    };
    let [one, two, three, four] = cases.each_ref().map(|(bytes, ..)| ask(bytes));
    let (one, two, three, four) = tokio::join!(one, two, three, four);
    for (heard, (_, status, kind)) in [one, two, three, four].iter().zip(&cases) {
        let (found, body) = split(heard);
        assert_eq!(found, *status, "{heard}");
        let document: Value = serde_json::from_str(body).expect("it is JSON");
        assert_eq!(kind_of(&document), (*status, *kind), "{heard}");
    }
    // Whoever hangs up in the middle of it is not answered.
    let mut gone = Line::to(&node).await;
    gone.say(head("Content-Length: 9999") + &good).await;
    drop(gone);
    node.assert_untouched("bodies that broke off").await;
}

#[tokio::test]
async fn a_report_whose_answer_was_lost_is_the_same_write_when_it_is_repeated() {
    let (home, node) = Node::alone().await;
    let beat = report(&node.open("metropolis").await, 1, 61_000, "stopped");
    let bytes = request(POST, "Content-Type: text/plain\r\n", &beat.to_string());
    let mut line = Line::to(&node).await;
    line.say(bytes).await;
    let dot = until_found(async || node.point("metropolis").await["dot"].as_str().map(str::to_owned)).await;
    // Hung up with the answer on its way, which nobody reads.
    drop(line);
    assert_eq!(node.stored(&beat).await, dot);

    // Nor does it change anything in the next life of the same replica, whose dots are others.
    let before = node.point("metropolis").await;
    node.kill().await;
    let node = Node::serve(home.path()).await;
    node.stored(&beat).await;
    let after = node.point("metropolis").await;
    for member in ["position_ms", "stamp", "session", "event", "alternatives"] {
        assert_eq!(after[member], before[member], "{member}");
    }
}

/// A chunked body with so many spaces before what it says.
fn chunks(body: &str, spaces: usize) -> String {
    let body = " ".repeat(spaces) + body;
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}
