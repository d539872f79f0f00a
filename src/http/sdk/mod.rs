//! `GET /sdk/…`: what a page needs to be a player.
//!
//! The module is part of the node, so that a page always loads the one that fits the API it talks to, and
//! nobody has to publish it anywhere. It is for everyone: it says nothing that this repository does not.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::http::condition;

/// An ES module without dependencies.
const MODULE: &str = include_str!("playmark.js");

/// Its types, for editors and TypeScript.
const TYPES: &str = include_str!("playmark.d.ts");

pub(super) async fn module(headers: HeaderMap) -> Response {
    file(&headers, "text/javascript; charset=utf-8", MODULE)
}

pub(super) async fn types(headers: HeaderMap) -> Response {
    file(&headers, "application/typescript; charset=utf-8", TYPES)
}

/// Browsers keep it and ask whether it is still the one: a node that is upgraded serves another at once.
fn file(headers: &HeaderMap, kind: &'static str, text: &'static str) -> Response {
    let etag = condition::etag(&text);
    let kept = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if condition::is_known(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag), kept]).into_response();
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    ([(header::ETAG, etag), kept, kind], text).into_response()
}
