//! Single heartbeats over HTTP, beside the same server answering nothing; and what an idle node takes.
//!
//! `cargo bench --bench http`: 32 connections that stay open, each with one request in hand, against one
//! process. Rounds alternate between `GET /healthz`, which does nothing, and `POST /v1/heartbeats`, which
//! answers after its commit; each pair gives a ratio, and their median is the figure.

#![expect(clippy::disallowed_methods, reason = "it tells how fast a node is; no run of it sees the time")]

mod process;

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use process::Node;

/// How many connections there are.
const CONNECTIONS: usize = 32;

/// How long a round is.
const ROUND: Duration = Duration::from_secs(3);

/// How many pairs of rounds there are.
const PAIRS: usize = 7;

/// A player with a session of its own.
struct Player {
    stream: TcpStream,
    token: String,
    seq: u64,
    began: Instant,
}

impl Player {
    fn open(node: &Node, number: usize) -> Self {
        let began = Instant::now();
        let mut stream = node.connect();
        let body = format!("{{\"profile\":\"viewer-{number}\",\"content\":\"film\"}}");
        let answer = ask(&mut stream, &post("/v1/sessions", &body));
        let token = answer.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
        Self { stream, token: token.expect("a session has a token").to_owned(), seq: 0, began }
    }

    fn report(&mut self) {
        self.seq += 1;
        let (token, seq, elapsed) = (&self.token, self.seq, self.began.elapsed().as_millis());
        let body = format!(
            "{{\"token\":\"{token}\",\"seq\":{seq},\"elapsed_ms\":{elapsed},\"sent_elapsed_ms\":{elapsed},\"position_ms\":{elapsed},\"played_ms\":{elapsed},\"event\":\"playing\"}}"
        );
        let answer = ask(&mut self.stream, &post("/v1/heartbeats", &body));
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    fn ask_nothing(&mut self) {
        let answer = ask(&mut self.stream, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// One request and its whole answer.
fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut heard = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).expect("it answers");
        assert!(count > 0, "it hung up");
        heard.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&heard);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            return text.into_owned();
        }
    }
}

fn length(head: &str) -> usize {
    let lower = head.to_ascii_lowercase();
    let value = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    value.unwrap_or_default()
}

/// Lets every player do one thing after the other for a round; how many were done a second.
fn round(players: &mut [Player], what: fn(&mut Player)) -> f64 {
    let done = AtomicU64::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for player in players {
            scope.spawn(|| {
                while began.elapsed() < ROUND {
                    what(player);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let done = done.into_inner() as f64;
    done / began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let node = Node::start();
    println!("an idle node: {} KiB at most", node.peak());
    let mut players: Vec<_> = (0..CONNECTIONS).map(|number| Player::open(&node, number)).collect();
    let (mut nothing, mut reports, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    round(&mut players, Player::report);
    for _ in 0..PAIRS {
        let (ceiling, rate) = (round(&mut players, Player::ask_nothing), round(&mut players, Player::report));
        println!("{ceiling:.0} times nothing and {rate:.0} heartbeats a second: {:.2}", rate / ceiling);
        nothing.push(ceiling);
        reports.push(rate);
        ratios.push(rate / ceiling);
    }
    let spread =
        ratios.iter().copied().fold((f64::MAX, 0.0_f64), |(least, most), it| (least.min(it), most.max(it)));
    let (nothing, reports) = (median(nothing), median(reports));
    println!("medians: {nothing:.0} times nothing, {reports:.0} heartbeats a second");
    println!("heartbeats against nothing: {:.2} ({:.2} to {:.2})", median(ratios), spread.0, spread.1);
}
