//! `GET /sdk/…`: what a page needs to be a player.
//!
//! The module is part of the node, so that a page always loads the one that fits the API it talks to, and
//! nobody has to publish it anywhere. It is for everyone: it says nothing that this repository does not.

use axum::{http::HeaderMap, response::Response};

use crate::http::{condition, contract::params::Known};

/// An ES module without dependencies.
const MODULE: &str = include_str!("playmark.js");

/// Its types, for editors and TypeScript.
const TYPES: &str = include_str!("playmark.d.ts");

#[utoipa::path(
    get,
    path = "/sdk/playmark.js",
    tag = "about",
    operation_id = "readModule",
    summary = "Read the module that makes a page a player",
    params(Known),
    responses(
        (status = 200, description = "The file.", content_type = "text/javascript", body = String, headers(("ETag"))),
        (status = 304, description = "The file is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn module(headers: HeaderMap) -> Response {
    condition::file(&headers, "text/javascript; charset=utf-8", MODULE)
}

#[utoipa::path(
    get,
    path = "/sdk/playmark.d.ts",
    tag = "about",
    operation_id = "readModuleTypes",
    summary = "Read the module's types",
    params(Known),
    responses(
        (status = 200, description = "The file.", content_type = "application/typescript", body = String, headers(("ETag"))),
        (status = 304, description = "The file is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn types(headers: HeaderMap) -> Response {
    condition::file(&headers, "application/typescript; charset=utf-8", TYPES)
}
