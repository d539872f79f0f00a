//! The server in this process: at its bound of connections, and over a node that leaves.

use std::net::SocketAddr;

use playmark::{
    http::{self, App, Gate},
    node::{self, Clock, Handle},
    playback::{Policy, TokenKeys},
    store::RocksOptions,
    transport::NodeName,
};
use reqwest::Client;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{
    patience::{until_found, within},
    serving::{anonymous, problem, route_of},
};

/// A node and its server, without a process round them.
struct Inside {
    _home: TempDir,
    node: node::Node,
    handle: Handle,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Inside {
    async fn start(connections: usize) -> Self {
        Self::with_streams(connections, http::STREAMS_MAX).await
    }

    async fn with_streams(connections: usize, streams: usize) -> Self {
        let home = TempDir::new().expect("a directory can be made");
        let options = node::Options {
            name: NodeName::new("node", "local".parse().expect("a region"), "local").expect("a name"),
            store: home.path().join("store"),
            members: home.path().join("members"),
            erasures: None,
            reserve_bytes: 0,
            rocks: RocksOptions::default(),
            replication: None,
        };
        let node = node::Node::start(options, Clock::start()).expect("the directory is new");
        let handle = node.handle();
        let keys = TokenKeys::new(&[7; 32]).expect("it is long enough");
        let app = App::new(handle.clone(), keys, Policy::default(), Gate::default());
        let router = app.with_streams(streams).router();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let lanes = http::Lanes::start().expect("threads can be had");
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(http::serve(listener, router, connections, lanes, async {
            let _ = stopped.await;
        }));
        Self { _home: home, node, handle, address, stop, server }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        within(Client::new().get(format!("http://{}{path}", self.address)).send()).await.expect("it answers")
    }

    async fn beat(&self) -> reqwest::Response {
        let request = Client::new().post(format!("http://{}/v1/heartbeats", self.address));
        let request = request.json(&anonymous("metropolis", 61_000, "playing"));
        within(request.send()).await.expect("it answers")
    }
}

#[tokio::test]
async fn a_node_that_leaves_lives_and_reads_and_takes_nothing() {
    let inside = Inside::start(64).await;
    assert!(inside.beat().await.status().is_success());
    assert!(inside.get("/readyz").await.status().is_success());
    inside.handle.stop_taking();
    problem(inside.get("/readyz").await, 503, "not-ready", "asked to leave").await;
    assert!(inside.get("/healthz").await.status().is_success());

    within(inside.node.leave()).await.expect("the store is sound");
    let (handle, address) = (inside.handle, inside.address);
    let gone = Client::new();
    let url = |path: &str| format!("http://{address}{path}");
    let beat = gone.post(url("/v1/heartbeats")).json(&anonymous("metropolis", 99_000, "playing")).send();
    problem(within(beat).await.expect("it answers"), 503, "not-ready", "a report").await;
    let status = within(gone.get(url("/v1/admin/status")).send()).await.expect("it answers");
    problem(status, 503, "not-ready", "a status").await;
    let place = within(gone.get(url(&route_of("ada", "metropolis"))).send()).await.expect("it answers");
    let place: serde_json::Value = place.json().await.expect("it is JSON");
    assert_eq!(place["position_ms"], 61_000, "reads go past the driver");
    assert!(!handle.is_ready());
    drop(inside.stop);
    within(inside.server).await.expect("it ends in order");
}

#[tokio::test]
async fn a_stream_beyond_the_bound_is_turned_away_until_another_ends() {
    let inside = Inside::with_streams(64, 1).await;
    let path = "/v1/profiles/ada/events";
    let first = inside.get(path).await;
    assert!(first.status().is_success());
    problem(inside.get(path).await, 503, "full", "a second stream").await;
    assert!(inside.get("/readyz").await.status().is_success());
    drop(first);
    until_found(async || inside.get(path).await.status().is_success().then_some(())).await;
}

#[tokio::test]
async fn a_connection_beyond_the_bound_waits_until_another_leaves() {
    let inside = Inside::start(1).await;
    let ask = async |stream: &mut TcpStream| {
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        within(stream.write_all(request)).await.expect("it is open");
    };
    let hear = async |stream: &mut TcpStream| {
        let mut heard = [0; 512];
        let count = within(stream.read(&mut heard)).await.expect("it is open");
        assert!(heard[..count].starts_with(b"HTTP/1.1 200 OK"));
    };
    let mut first = TcpStream::connect(inside.address).await.expect("it listens");
    ask(&mut first).await;
    hear(&mut first).await;
    let mut second = TcpStream::connect(inside.address).await.expect("the system accepts it");
    ask(&mut second).await;
    for _ in 0..20 {
        ask(&mut first).await;
        hear(&mut first).await;
    }
    let early = second.try_read(&mut [0]).map_err(|why| why.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock), "it was answered beyond the bound");
    drop(first);
    hear(&mut second).await;
}
