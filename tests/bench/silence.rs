//! The node's own HTTP server with nothing behind it, as a process of its own.

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use playmark::http::{CONNECTIONS_MAX, Lanes, serve};

/// With this word the bench is the server.
pub(crate) const SILENT: &str = "silent";

/// Reads whatever is sent to where heartbeats go, says that it was taken, and has done nothing.
pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be had");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        println!("http listens on {}", listener.local_addr().expect("it is bound"));
        let router = Router::new().route("/v1/heartbeats", post(async |_: Bytes| StatusCode::NO_CONTENT));
        let lanes = Lanes::start().expect("threads can be had");
        serve(listener, router, CONNECTIONS_MAX, lanes, std::future::pending()).await;
    });
}
