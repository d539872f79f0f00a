//! What is said on a stream on which nothing happens, by a node that says it more often than others.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, extract::Request, http::StatusCode, response::Response};
use http_body_util::BodyExt;
use playmark::{
    http::{App, Gate},
    node::{self, Clock},
    playback::{Policy, TokenKeys},
    store::RocksOptions,
    transport::NodeName,
};
use tempfile::TempDir;
use tokio::time::Instant;
use tower_service::Service;

use crate::patience::within;

const EVERY: Duration = Duration::from_millis(50);

/// A node within the test's own process.
fn start(home: &TempDir) -> (node::Node, App) {
    let name = NodeName::new("node", "local".parse().expect("a region"), "local").expect("a name");
    let (store, rocks) = (home.path().join("store"), RocksOptions::default());
    let members = store.with_extension("members");
    let options =
        node::Options { name, store, members, erasures: None, reserve_bytes: 0, rocks, replication: None };
    let node = node::Node::start(options, Clock::start()).expect("it starts");
    let keys = TokenKeys::new(&[7; 32]).expect("it is long enough");
    let app = App::new(node.handle(), keys, Policy::default(), Gate::default()).with_beats(EVERY);
    (node, app)
}

async fn follow(app: App) -> Response {
    let request = Request::get("/v1/profiles/ada/events").body(Body::empty()).expect("a request");
    let answer: Result<Response, Infallible> = app.router().call(request).await;
    answer.expect("it cannot fail")
}

async fn next(stream: &mut Body) -> String {
    let piece = within(stream.frame()).await.expect("it goes on").expect("it is sound");
    String::from_utf8(piece.into_data().expect("no trailers").to_vec()).expect("it is text")
}

fn id(piece: &str) -> &str {
    piece.lines().find_map(|line| line.strip_prefix("id: ")).expect("it says where it is")
}

#[tokio::test]
async fn where_nothing_happens_a_comment_keeps_the_stream_and_moves_the_cursor() {
    let home = TempDir::new().expect("a directory can be made");
    let (node, app) = start(&home);
    let answer = follow(app).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut stream = answer.into_body();
    let began = next(&mut stream).await;
    assert!(began.starts_with("retry: "), "{began}");
    let quiet_since = Instant::now();
    for number in 1..=3 {
        let beat = next(&mut stream).await;
        assert!(beat.starts_with(":\n"), "a comment, and not {beat}");
        assert_eq!(id(&beat), id(&began), "nothing has happened");
        let quiet = quiet_since.elapsed();
        assert!(quiet >= EVERY * (number - 1), "{number} comments in {quiet:?}");
    }
    drop(stream);
    node.leave().await.expect("the device is sound");
}
