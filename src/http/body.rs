//! A request's body, read within its bounds.

use std::{error::Error, time::Duration};

use axum::{
    body::{self, Body, Bytes},
    http::{HeaderMap, header},
};
use http_body_util::LengthLimitError;
use serde_json::Value;

use crate::{
    http::Problem,
    playback::{Heartbeat, HeartbeatError},
    within::within,
};

/// The longest body: what browsers let a page send while it is being closed.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a body may take to come: as much as a phone on a bad link needs for the longest.
pub const BODY_WITHIN: Duration = Duration::from_secs(5);

/// How many heartbeats one request may bring: more than fit its bytes with a token each.
pub const HEARTBEATS_MAX: usize = 512;

/// What a body may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MediaType {
    Json,
    Lines,
    /// What a browser calls a text that a page sends while it is being closed: either of the above.
    Text,
}

/// The heartbeats of a request, each as far as it could be read.
pub(super) enum Heartbeats {
    /// An object.
    One(Result<Heartbeat, HeartbeatError>),
    /// A list of them, or lines.
    Many(Vec<Result<Heartbeat, HeartbeatError>>),
}

/// Reads one JSON object.
pub(super) async fn object(headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    match media_type(headers) {
        Some(MediaType::Json | MediaType::Text) => {}
        Some(MediaType::Lines) | None => return Err(Problem::MediaType { wanted: "application/json" }),
    }
    let bytes = read(body).await?;
    let value: Value = serde_json::from_slice(&bytes).map_err(not_json)?;
    if value.is_object() { Ok(value) } else { Err(Problem::NotJson("the body must be a JSON object".into())) }
}

/// Reads the body of a request that needs none: nothing, or an object whose members are passed over.
pub(super) async fn nothing(headers: &HeaderMap, body: Body) -> Result<(), Problem> {
    let bytes = read(body).await?;
    if bytes.is_empty() { Ok(()) } else { object(headers, Body::from(bytes)).await.map(drop) }
}

/// Reads heartbeats: an object, a list, or one object a line.
pub(super) async fn heartbeats(headers: &HeaderMap, body: Body) -> Result<Heartbeats, Problem> {
    let wanted = "application/json, application/x-ndjson or text/plain";
    let media_type = media_type(headers).ok_or(Problem::MediaType { wanted })?;
    let bytes = read(body).await?;
    let is_lines = match media_type {
        MediaType::Lines => return lines(&bytes),
        MediaType::Json => false,
        MediaType::Text => bytes.trim_ascii().contains(&b'\n'),
    };
    if bytes.trim_ascii_start().starts_with(b"{") {
        return match Heartbeat::from_json(&bytes) {
            Err(HeartbeatError::NotJson { .. }) if is_lines => lines(&bytes),
            read => Ok(Heartbeats::One(read)),
        };
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Array(values)) => {
            check_count(values.len())?;
            Ok(Heartbeats::Many(values.into_iter().map(Heartbeat::from_value).collect()))
        }
        Ok(_) => Err(Problem::NotJson("the body must be a JSON object or a list of them".into())),
        Err(_) if is_lines => lines(&bytes),
        Err(why) => Err(not_json(why)),
    }
}

fn lines(bytes: &[u8]) -> Result<Heartbeats, Problem> {
    let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    check_count(lines.clone().count())?;
    Ok(Heartbeats::Many(lines.map(Heartbeat::from_json).collect()))
}

pub(super) fn check_count(count: usize) -> Result<(), Problem> {
    if count > HEARTBEATS_MAX { Err(Problem::TooManyHeartbeats { count }) } else { Ok(()) }
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let bytes = within(BODY_WITHIN, body::to_bytes(body, BODY_BYTES_MAX)).await;
    bytes.ok_or(Problem::BodyTooSlow)?.map_err(|why| {
        if why.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            Problem::BodyTooLarge
        } else {
            Problem::BodyUnreadable(why.to_string())
        }
    })
}

/// A body that does not say what it is, is taken for JSON: so browsers send one that a page made without a type.
fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Some(MediaType::Json) };
    let essence = value.to_str().ok()?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(MediaType::Json),
        "application/x-ndjson" | "application/jsonl" => Some(MediaType::Lines),
        "text/plain" => Some(MediaType::Text),
        _ => None,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn not_json(why: serde_json::Error) -> Problem {
    Problem::NotJson(format!("the body is not JSON: {why}"))
}
