//! Pages of other origins, in a browser on somebody's machine.

use reqwest::{Client, Method, Response, StatusCode, header};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    patience::within,
    serving::{Node, Serve, anonymous, problem, report, route_of},
};

const OURS: &str = "https://tv.example";

async fn of_page(
    node: &Node,
    origin: &str,
    method: Method,
    path: &str,
    more: &[(&str, &str)],
    body: String,
) -> Response {
    let request = Client::new().request(method, format!("http://{}{path}", node.address));
    let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    within(request.header(header::ORIGIN, origin).body(body).send()).await.expect("it answers")
}

async fn allowing(origins: &str) -> (TempDir, Node) {
    let home = TempDir::new().expect("a directory can be made");
    let node = Serve::configured(home.path(), &format!("[http]\ncors_origins = {origins}\n")).start().await;
    (home, node)
}

#[tokio::test]
async fn a_page_of_an_origin_that_is_allowed_asks_first_and_sees_what_it_needs() {
    let (_home, node) = allowing("[\"https://tv.example\"]").await;
    let asks = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,if-match"),
    ];
    let path = "/v1/heartbeats";
    let answer = of_page(&node, OURS, Method::OPTIONS, path, &asks, String::new()).await;
    assert!(answer.status().is_success());
    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], OURS);
    let listed = |name: &str| headers[name].to_str().expect("it is ASCII").to_ascii_lowercase();
    for method in ["get", "post", "put", "delete"] {
        assert!(listed("access-control-allow-methods").contains(method), "{method}");
    }
    for name in ["authorization", "content-type", "if-match", "if-none-match", "last-event-id"] {
        assert!(listed("access-control-allow-headers").contains(name), "{name}");
    }
    assert!(headers.contains_key(header::ACCESS_CONTROL_MAX_AGE));

    let json = [("content-type", "application/json")];
    let beat = anonymous("metropolis", 61_000, "playing").to_string();
    let answer = of_page(&node, OURS, Method::POST, path, &json, beat).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], OURS);
    let exposed = answer.headers()["access-control-expose-headers"].to_str().expect("it is ASCII");
    for name in ["dot", "durability", "heartbeat-interval-ms", "etag", "token", "retry-after"] {
        assert!(exposed.split(',').any(|it| it.trim().eq_ignore_ascii_case(name)), "{name}: {exposed}");
    }
    // Refusals are for pages to see too.
    let answer = of_page(&node, OURS, Method::GET, &route_of("ada", "other"), &[], String::new()).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], OURS);
    problem(answer, 404, "no-resume-point", "a new title").await;
}

#[tokio::test]
async fn what_a_page_sends_while_it_is_being_closed_is_taken_without_asking_first() {
    let (_home, node) = allowing("[\"https://tv.example\"]").await;
    let opened: Value = node.open("metropolis").await;
    let text = [("content-type", "text/plain;charset=UTF-8")];
    let beat = report(&opened, 1, 61_000, "stopped").to_string();
    let answer = of_page(&node, OURS, Method::POST, "/v1/heartbeats", &text, beat).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(node.position("metropolis").await, Some(61_000));
}

#[tokio::test]
async fn a_page_of_anyones_neither_reads_nor_writes_on_a_node_that_asks_nobody() {
    let (_home, node) = allowing("[\"https://tv.example\"]").await;
    let text = [("content-type", "text/plain")];
    for origin in ["https://evil.example", "null", "http://tv.example", "https://tv.example.evil.example"] {
        let asks = [("access-control-request-method", "POST")];
        let answer = of_page(&node, origin, Method::OPTIONS, "/v1/heartbeats", &asks, String::new()).await;
        assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
        let beat = anonymous("metropolis", 61_000, "playing").to_string();
        let answer = of_page(&node, origin, Method::POST, "/v1/heartbeats", &text, beat).await;
        problem(answer, 403, "foreign-origin", origin).await;
    }
    node.assert_untouched("pages of anyone's").await;
    let beat = anonymous("metropolis", 61_000, "playing").to_string();
    let own = of_page(&node, "http://localhost:3000", Method::POST, "/v1/heartbeats", &text, beat).await;
    assert_eq!(own.status(), StatusCode::NO_CONTENT, "a page of this machine");
}

#[tokio::test]
async fn a_star_lets_every_page_ask() {
    let (_home, node) = allowing("\"*\"").await;
    for origin in ["https://evil.example", "null"] {
        let answer = of_page(&node, origin, Method::GET, "/v1/admin/status", &[], String::new()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{origin}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{origin}");
    }
}
