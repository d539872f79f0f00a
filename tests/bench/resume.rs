//! Resume points over HTTP, beside the same server answering nothing.
//!
//! `cargo bench --bench resume`: one process, and 32 connections that stay open, each with one request in
//! hand; then a single one. Rounds alternate between `GET /healthz`, which does nothing, and the resume points of
//! viewers who are many more than the connections; each pair gives a ratio of its medians, and the
//! median of those is the figure.

#![expect(clippy::disallowed_methods, reason = "it tells how fast a node is; no run of it sees the time")]

mod exchange;
mod process;

use std::{
    thread,
    time::{Duration, Instant},
};

use exchange::{Connection, NOTHING, Times, middle};
use process::Node;

/// How long a round is.
const ROUND: Duration = Duration::from_secs(2);

/// How many pairs of rounds there are.
const PAIRS: usize = 9;

/// Viewers with a place in one title, from two sessions each.
const VIEWERS: usize = 20_000;

/// As many as one request brings.
const AT_ONCE: usize = 500;

/// One connection, and whom it asks for next.
struct Asker {
    connection: Connection,
    viewer: usize,
    buffer: String,
}

impl Asker {
    fn nothing(&mut self) -> Duration {
        self.connection.ask_for(NOTHING)
    }

    fn resume_point(&mut self) -> Duration {
        // A step that has no part in common with their number visits all of them.
        self.viewer = (self.viewer + 7_919) % VIEWERS;
        self.buffer = get(&format!("/v1/profiles/viewer-{}/resume-points/film", self.viewer));
        self.connection.ask_for(&self.buffer)
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Every viewer reports from two sessions.
fn report(node: &Node) {
    let mut connection = Connection::over(node.connect());
    let viewers: Vec<_> = (0..VIEWERS).collect();
    for (number, some) in viewers.chunks(AT_ONCE).chain(viewers.chunks(AT_ONCE)).enumerate() {
        let session = if number < VIEWERS / AT_ONCE { "TV" } else { "phone" };
        let line = |viewer: &usize| {
            format!(
                "{{\"profile\":\"viewer-{viewer}\",\"content\":\"film\",\"session\":\"{session}\",\"event\":\"playing\",\"position_ms\":61000,\"played_ms\":9000}}\n"
            )
        };
        let body: String = some.iter().map(line).collect();
        let length = body.len();
        connection.ask_for(&format!(
            "POST /v1/heartbeats HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }
}

/// Lets every connection ask one thing after the other for a round.
fn round(askers: &mut [Asker], what: fn(&mut Asker) -> Duration) -> Times {
    let began = Instant::now();
    let of_one = |asker: &mut Asker| {
        let mut times = Vec::new();
        while began.elapsed() < ROUND {
            times.push(what(asker));
        }
        times
    };
    thread::scope(|scope| {
        let started: Vec<_> = askers.iter_mut().map(|asker| scope.spawn(|| of_one(asker))).collect();
        let times = started.into_iter().flat_map(|one| one.join().expect("it answers"));
        Times::new(times.collect())
    })
}

fn compare(node: &Node, connections: usize) {
    let asker = |number| Asker {
        connection: Connection::over(node.connect()),
        viewer: number * VIEWERS / connections,
        buffer: String::new(),
    };
    let mut askers: Vec<_> = (0..connections).map(asker).collect();
    round(&mut askers, Asker::resume_point);
    let mut ratios = [Vec::new(), Vec::new()];
    println!("connections: {connections}");
    for _ in 0..PAIRS {
        let (nothing, points) = (round(&mut askers, Asker::nothing), round(&mut askers, Asker::resume_point));
        println!(
            "  nothing: p50 {:?} p99 {:?}; a resume point: p50 {:?} p99 {:?}",
            nothing.within(500),
            nothing.within(990),
            points.within(500),
            points.within(990)
        );
        for (ratios, of_thousand) in ratios.iter_mut().zip([500, 990]) {
            let [nothing, point] = [&nothing, &points].map(|times| times.within(of_thousand).as_secs_f64());
            ratios.push(point / nothing);
        }
    }
    let [p50, p99] = ratios.map(middle);
    println!("a resume point against nothing, {connections} connections: p50 {p50}, p99 {p99}");
}

fn main() {
    let node = Node::start();
    report(&node);
    compare(&node, 32);
    compare(&node, 1);
}
