//! What an event stream costs a node in memory: many are opened on one process, and its pages are counted.
//!
//! `cargo bench --bench streams` prints a line for each step. It needs as many files as streams, twice over.

mod process;

use std::{io::Write, net::TcpStream};

use process::{Node, until};

/// How many streams: what one node is to carry.
const STREAMS: usize = 10_000;

/// So many streams follow one profile, as devices of a household do.
const STREAMS_A_PROFILE: usize = 2;

fn follow(node: &Node, number: usize) -> TcpStream {
    let mut stream = node.connect();
    let profile = number / STREAMS_A_PROFILE;
    write!(stream, "GET /v1/profiles/viewer-{profile}/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("it listens");
    until(&mut stream, "id: ");
    stream
}

/// One report of each viewer, in as few requests as there can be.
fn report(node: &Node, position_ms: usize) {
    let viewers: Vec<_> = (0..STREAMS / STREAMS_A_PROFILE).collect();
    for some in viewers.chunks(400) {
        let line = |viewer: &usize| {
            format!(
                "{{\"profile\":\"viewer-{viewer}\",\"content\":\"film\",\"event\":\"playing\",\"position_ms\":{position_ms},\"played_ms\":9000}}\n"
            )
        };
        let body: String = some.iter().map(line).collect();
        let mut stream = node.connect();
        write!(
            stream,
            "POST /v1/heartbeats HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it listens");
        until(&mut stream, "200 OK");
    }
}

/// So many connections that each asked one thing and stay open: what any server pays before a stream says a word.
fn idle_connections() {
    let node = Node::start();
    report(&node, 1_000);
    let empty = node.resident();
    let idle = |_| {
        let mut stream = node.connect();
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it listens");
        until(&mut stream, "ok\n");
        stream
    };
    let _idle: Vec<_> = (0..STREAMS).map(idle).collect();
    tell(&node, empty, "idle connections");
}

fn streams() {
    let node = Node::start();
    report(&node, 1_000);
    let empty = node.resident();
    println!("a node with {} titles: {empty} KiB", STREAMS / STREAMS_A_PROFILE);
    let mut streams: Vec<_> = (0..STREAMS).map(|number| follow(&node, number)).collect();
    tell(&node, empty, "streams, open");
    for round in 2..=4 {
        report(&node, round * 30_000);
        for stream in &mut streams {
            until(stream, &format!("\"position_ms\":{}", round * 30_000));
        }
        tell(&node, empty, &format!("streams, after {} events each", round - 1));
    }
}

fn tell(node: &Node, empty: usize, what: &str) {
    let now = node.resident();
    let each = now.saturating_sub(empty) * 1_024 / STREAMS;
    println!("{STREAMS} {what}: {now} KiB, {each} bytes each");
}

fn main() {
    idle_connections();
    streams();
}
