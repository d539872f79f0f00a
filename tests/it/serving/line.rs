//! Bytes to a node and from it, past any client that would mend them.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Player;
use crate::patience::within;

/// A connection.
pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) async fn to(node: &Player) -> Self {
        Self(within(TcpStream::connect(node.address)).await.expect("the node listens"))
    }

    /// Says something, as far as the node lets it.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // It fails where the node has hung up, which the test finds out by what it hears.
        let _ = within(self.0.write_all(bytes.as_ref())).await;
    }

    /// All that is heard until the node hangs up.
    pub(crate) async fn hear(mut self) -> String {
        let mut heard = Vec::new();
        // A node that hangs up on what it has not read yet resets the connection.
        let _ = within(self.0.read_to_end(&mut heard)).await;
        String::from_utf8_lossy(&heard).into_owned()
    }
}

/// The status and the body of an answer.
pub(crate) fn split(answer: &str) -> (u16, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), body)
}

/// A request whose answer ends the connection.
pub(crate) fn request(first_line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{first_line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

impl Player {
    /// Asks for a path as it stands, dots and all.
    pub(crate) async fn raw(&self, path: &str) -> Value {
        let mut line = Line::to(self).await;
        line.say(request(&format!("GET {path}"), "", "")).await;
        let heard = line.hear().await;
        serde_json::from_str(split(&heard).1).unwrap_or_else(|why| panic!("{path}: {why} in {heard}"))
    }
}
