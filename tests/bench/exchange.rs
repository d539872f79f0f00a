//! Requests over connections that stay open, how long each takes, and what the times come to.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// What any server can answer: the same server doing nothing.
pub(crate) const NOTHING: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection with one request in hand at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Connection {
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, heard: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and reads its whole answer; how long that took.
    pub(crate) fn ask(&mut self, request: &str) -> Duration {
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).expect("it listens");
        self.heard.clear();
        let mut buffer = [0; 16 * 1024];
        let mut whole = usize::MAX;
        while self.heard.len() < whole {
            let count = self.stream.read(&mut buffer).expect("it answers");
            assert!(count > 0, "it hung up: {}", self.answer());
            self.heard.extend_from_slice(&buffer[..count]);
            if whole == usize::MAX
                && let Some(head) = self.heard.windows(4).position(|four| four == b"\r\n\r\n")
            {
                whole = head + 4 + length(&String::from_utf8_lossy(&self.heard[..head]));
            }
        }
        began.elapsed()
    }

    /// The same, of a request that must succeed.
    pub(crate) fn ask_for(&mut self, request: &str) -> Duration {
        let took = self.ask(request);
        assert!(self.heard.starts_with(b"HTTP/1.1 200"), "{request}{}", self.answer());
        took
    }

    /// The same, of a request that is taken without a word.
    pub(crate) fn ask_to_take(&mut self, request: &str) -> Duration {
        let took = self.ask(request);
        assert!(self.heard.starts_with(b"HTTP/1.1 204"), "{request}{}", self.answer());
        took
    }

    /// The last answer, with its head.
    pub(crate) fn answer(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

fn length(head: &str) -> usize {
    if head.starts_with("HTTP/1.1 204") {
        return 0;
    }
    let lower = head.to_ascii_lowercase();
    let value = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    value.expect("answers say how long they are")
}

/// Times in their order.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time within which so many of a thousand were answered.
    pub(crate) fn within(&self, of_thousand: usize) -> Duration {
        self.0[(self.0.len() * of_thousand / 1_000).min(self.0.len() - 1)]
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// The median of ratios, with the least and the most.
pub(crate) fn middle(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let [least, median, most] = [0, ratios.len() / 2, ratios.len() - 1].map(|at| ratios[at]);
    format!("{median:.2} ({least:.2} to {most:.2})")
}
