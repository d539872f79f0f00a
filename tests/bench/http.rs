//! Single heartbeats over HTTP, beside the same server answering nothing; and what an idle node takes.
//!
//! `cargo bench --bench http`: 32 connections that stay open, each with one request in hand. Rounds go in
//! turns: the same heartbeats to the node's server with a handler that reads them and does nothing;
//! `GET /healthz` of a node; and the heartbeats to that node, which answers after its commit. Each turn
//! gives a ratio to either ceiling, and their medians are the figures.

#![expect(clippy::disallowed_methods, reason = "it tells how fast a node is; no run of it sees the time")]

mod exchange;
mod process;
mod silence;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use exchange::{Connection, NOTHING, middle};
use process::Node;

/// The node's own: this program is a server too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many connections there are.
const CONNECTIONS: usize = 32;

/// How long a round is.
const ROUND: Duration = Duration::from_secs(3);

/// How many turns there are.
const TURNS: usize = 7;

/// A player with a session of its own.
struct Player {
    node: Connection,
    silence: Connection,
    token: String,
    seq: u64,
    began: Instant,
}

impl Player {
    fn open(node: &Node, silence: &Node, number: usize) -> Self {
        let began = Instant::now();
        let (mut node, silence) = (Connection::over(node.connect()), Connection::over(silence.connect()));
        node.ask(&post("/v1/sessions", &format!("{{\"profile\":\"viewer-{number}\",\"content\":\"film\"}}")));
        let answer = node.answer();
        let token = answer.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
        Self { node, silence, token: token.expect("a session has a token").to_owned(), seq: 0, began }
    }

    fn heartbeat(&mut self) -> String {
        self.seq += 1;
        let (token, seq, elapsed) = (&self.token, self.seq, self.began.elapsed().as_millis());
        let body = format!(
            "{{\"token\":\"{token}\",\"seq\":{seq},\"elapsed_ms\":{elapsed},\"sent_elapsed_ms\":{elapsed},\"position_ms\":{elapsed},\"played_ms\":{elapsed},\"event\":\"playing\"}}"
        );
        post("/v1/heartbeats", &body)
    }

    fn report(&mut self) {
        let heartbeat = self.heartbeat();
        self.node.ask_to_take(&heartbeat);
    }

    fn report_to_nobody(&mut self) {
        let heartbeat = self.heartbeat();
        self.silence.ask_to_take(&heartbeat);
    }

    fn ask_nothing(&mut self) {
        self.node.ask_for(NOTHING);
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
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

/// How many were done a second, and how long each kept the server busy.
struct Measured {
    rate: f64,
    busy: Duration,
}

impl Measured {
    fn round(players: &mut [Player], what: fn(&mut Player), server: &Node) -> Self {
        let before = server.busy();
        let rate = round(players, what);
        let busy = server.busy().saturating_sub(before).div_f64(rate * ROUND.as_secs_f64());
        Self { rate, busy }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>10.0} {:>5.1} µs", self.rate, self.busy.as_secs_f64() * 1e6)
    }
}

fn main() {
    if std::env::args().any(|it| it == silence::SILENT) {
        return silence::run();
    }
    let (node, silence) = (Node::start(), Node::start_as(silence::SILENT));
    println!("an idle node: {} KiB at most", node.peak());
    let mut players: Vec<_> = (0..CONNECTIONS).map(|number| Player::open(&node, &silence, number)).collect();
    let mut ratios = [Vec::new(), Vec::new()];
    round(&mut players, Player::report);
    println!("a second: heartbeats to nobody, GET /healthz, heartbeats; of a node's time each takes");
    for _ in 0..TURNS {
        let nobody = Measured::round(&mut players, Player::report_to_nobody, &silence);
        let healthz = Measured::round(&mut players, Player::ask_nothing, &node);
        let heartbeats = Measured::round(&mut players, Player::report, &node);
        println!("{nobody} {healthz} {heartbeats}");
        ratios[0].push(heartbeats.rate / nobody.rate);
        ratios[1].push(heartbeats.rate / healthz.rate);
    }
    let [nobody, healthz] = ratios.map(middle);
    println!("heartbeats against the same to nobody: {nobody}; against GET /healthz: {healthz}");
}
