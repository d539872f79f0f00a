//! What an event stream costs a node in memory: many are opened on one process, and its pages are counted.
//!
//! `cargo bench --bench streams` prints a line for each step. It needs as many files as streams, twice over.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How many streams: what one node is to carry.
const STREAMS: usize = 10_000;

/// So many streams follow one profile, as devices of a household do.
const STREAMS_A_PROFILE: usize = 2;

struct Node {
    process: Child,
    address: SocketAddr,
    _home: tempfile::TempDir,
}

impl Node {
    fn start() -> Self {
        let home = tempfile::TempDir::new().expect("a directory can be made");
        let mut process = Command::new(env!("CARGO_BIN_EXE_playmark"))
            .args(["serve", "--http-listen", "127.0.0.1:0", "--data"])
            .arg(home.path().join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut said = said.map_while(Result::ok);
        let address = said.find_map(|line| line.strip_prefix("http listens on ")?.parse().ok());
        Self { process, address: address.expect("it says where it listens"), _home: home }
    }

    /// Memory that is resident, in KiB.
    fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is not zero");
        stream
    }

    fn follow(&self, number: usize) -> TcpStream {
        let mut stream = self.connect();
        let profile = number / STREAMS_A_PROFILE;
        write!(stream, "GET /v1/profiles/viewer-{profile}/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("it listens");
        until(&mut stream, "id: ");
        stream
    }

    /// One report of each viewer, in as few requests as there can be.
    fn report(&self, position_ms: usize) {
        let viewers: Vec<_> = (0..STREAMS / STREAMS_A_PROFILE).collect();
        for some in viewers.chunks(400) {
            let line = |viewer: &usize| {
                format!(
                    "{{\"profile\":\"viewer-{viewer}\",\"content\":\"film\",\"event\":\"playing\",\"position_ms\":{position_ms},\"played_ms\":9000}}\n"
                )
            };
            let body: String = some.iter().map(line).collect();
            let mut stream = self.connect();
            write!(
                stream,
                "POST /v1/heartbeats HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .expect("it listens");
            until(&mut stream, "200 OK");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself, which the numbers would have shown.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until(stream: &mut TcpStream, wanted: &str) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4_096];
    while !String::from_utf8_lossy(&heard).contains(wanted) {
        let count = stream.read(&mut buffer).expect("it answers");
        assert!(count > 0, "it hung up: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buffer[..count]);
    }
}

/// So many connections that each asked one thing and stay open: what any server pays before a stream says a word.
fn idle_connections() {
    let node = Node::start();
    node.report(1_000);
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
    node.report(1_000);
    let empty = node.resident();
    println!("a node with {} titles: {empty} KiB", STREAMS / STREAMS_A_PROFILE);
    let mut streams: Vec<_> = (0..STREAMS).map(|number| node.follow(number)).collect();
    tell(&node, empty, "streams, open");
    for round in 2..=4 {
        node.report(round * 30_000);
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
