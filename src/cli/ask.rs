//! What commands ask of nodes that run.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde::de::DeserializeOwned;

use super::Failure;

/// How long a node may take to answer; it may have to read some hundred thousand registers for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest answer: a shard with as many registers as are listed.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The key or token in a file.
pub(super) fn key_in(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let read = |path: &Path| {
        let key = fs::read_to_string(path).with_context(|| format!("--key-file {}", path.display()))?;
        ensure!(!key.trim().contains(char::is_control), "--key-file {}: it is no key", path.display());
        Ok(key.trim().to_owned())
    };
    file.map(read).transpose().map_err(Failure::Usage)
}

/// HTTP/1.0 with one answer a connection: all that is needed, and no client to depend on.
pub(super) fn ask<T: DeserializeOwned>(http: SocketAddr, key: Option<&str>, path: &str) -> anyhow::Result<T> {
    exchange(http, key, &format!("GET {path}")).with_context(|| format!("--http {http}"))
}

/// Gives an order that needs no more words than its path has.
pub(super) fn order<T: DeserializeOwned>(
    http: SocketAddr,
    key: Option<&str>,
    path: &str,
) -> anyhow::Result<T> {
    exchange(http, key, &format!("POST {path}")).with_context(|| format!("--http {http}"))
}

fn exchange<T: DeserializeOwned>(http: SocketAddr, key: Option<&str>, what: &str) -> anyhow::Result<T> {
    let mut stream = TcpStream::connect_timeout(&http, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let shown = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    write!(stream, "{what} HTTP/1.0\r\nHost: {http}\r\n{shown}Content-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("it does not speak HTTP")?;
    let status_line = head.lines().next().unwrap_or_default();
    if !matches!(status_line.split(' ').nth(1), Some("200" | "202")) {
        bail!("it answered {status_line}: {body}");
    }
    serde_json::from_str(body).context("it is no node of this version")
}
