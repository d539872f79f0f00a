//! `GET /sdk/…`: what a page needs to be a player.
//!
//! The module is part of the node, so that a page always loads the one that fits the API it talks to, and
//! nobody has to publish it anywhere. It is for everyone: it says nothing that this repository does not.

use axum::{http::HeaderMap, response::Response};

use crate::http::{condition, contract::params::Known};

/// An ES module without dependencies: its parts, one after the other, in the order to read them. They share one
/// scope, and only the last exports anything.
const MODULE: &str = concat!(
    include_str!("head.js"),
    include_str!("clock.js"),
    include_str!("nodes.js"),
    include_str!("disk.js"),
    include_str!("queue.js"),
    include_str!("outbox.js"),
    include_str!("playhead.js"),
    include_str!("session.js"),
    include_str!("playmark.js"),
);

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The values that a text exports; types are nothing when it runs.
    fn exports(text: &str) -> BTreeSet<&str> {
        let exported = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once(' '));
        let values = exported.filter(|(kind, _)| !["interface", "type"].contains(kind));
        values.filter_map(|(_, rest)| rest.split(|it: char| !it.is_alphanumeric()).next()).collect()
    }

    /// What a class or interface lets others ask of it: what is written directly below its name.
    fn members<'a>(text: &'a str, name: &str) -> BTreeSet<&'a str> {
        let heads = [format!("class {name} "), format!("interface {name} ")];
        let body = heads.iter().find_map(|head| text.split(head.as_str()).nth(1)).expect("it is there");
        let lines = body.lines().take_while(|line| !line.starts_with('}'));
        let members = lines.filter_map(|line| {
            let line = line.strip_prefix("  ")?;
            let line =
                ["readonly ", "get ", "async "].iter().fold(line, |line, it| line.trim_start_matches(it));
            let name = line.split(['(', ':']).next()?;
            (!name.is_empty() && name.chars().all(char::is_alphanumeric)).then_some(name)
        });
        members.collect()
    }

    #[test]
    fn the_types_are_those_of_the_module() {
        assert_eq!(exports(MODULE), BTreeSet::from(["Playmark"]));
        assert_eq!(exports(MODULE), exports(TYPES));
        let members_of_playmark =
            ["attach", "constructor", "dismiss", "nearest", "send", "waiting", "watched"];
        assert_eq!(members(MODULE, "Playmark"), members_of_playmark.into());
        assert_eq!(members(MODULE, "Playmark"), members(TYPES, "Playmark"));
        assert_eq!(members(TYPES, "Session"), BTreeSet::from(["detach", "goTo", "id"]));
        assert!(members(MODULE, "Session").is_superset(&members(TYPES, "Session")));
    }

    #[test]
    fn the_module_stands_alone() {
        let is_import = |line: &str| line.starts_with("import ") || line.contains("import(");
        assert!(!MODULE.lines().any(is_import));
    }
}
