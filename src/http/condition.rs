//! Conditions on what stands: answer only if it is another than the one I have, do it only if it is still the
//! one I was given (RFC 9110, 13).
//!
//! They are judged by what this node has committed when it judges; another node may know more. They are
//! no lock. Of two that pass at once the later stamp stands, and the other remains an alternative.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::http::Problem;

/// Kept by whoever asked, and asked for again each time: the hash makes that cheap.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Answers with what stands, or that it is what the request knows.
pub(super) fn unless_known(headers: &HeaderMap, view: &impl Serialize) -> Response {
    let etag = etag(view);
    if is_known(headers, &etag) { same(etag) } else { tagged(etag, view) }
}

/// Answers with what stands.
pub(super) fn tagged(etag: HeaderValue, view: &impl Serialize) -> Response {
    (kept(etag), Json(view)).into_response()
}

/// Says that what stands is what the request knows.
pub(super) fn same(etag: HeaderValue) -> Response {
    (StatusCode::NOT_MODIFIED, kept(etag)).into_response()
}

fn kept(etag: HeaderValue) -> [(HeaderName, HeaderValue); 2] {
    [(header::ETAG, etag), (header::CACHE_CONTROL, REVALIDATED)]
}

/// A strong tag: the hash of the answer without its token.
pub(super) fn etag(view: &impl Serialize) -> HeaderValue {
    let answer = serde_json::to_vec(view).expect("an answer is texts, numbers and flags");
    HeaderValue::from_str(&format!("\"{:032x}\"", xxh3_128(&answer))).expect("a tag is visible ASCII")
}

/// Compares weakly, as If-None-Match does (RFC 9110, 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    given(headers, &header::IF_NONE_MATCH)
        .map(|tag| tag.trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag)
}

/// Sends a text that is part of the build. Browsers keep it and ask whether it is still the one: a node that is upgraded serves another at once.
pub(super) fn file(headers: &HeaderMap, kind: &'static str, text: &'static str) -> Response {
    let etag = etag(&text);
    let kept = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if is_known(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag), kept]).into_response();
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    ([(header::ETAG, etag), kept, kind], text).into_response()
}

/// Passes a request on only where what stands is what its caller takes it for.
///
/// If-Match compares strongly (RFC 9110, 13.1.1): a weak tag never matches. `None` is a title without a
/// place, which no tag matches, nor `*`.
pub(super) fn check(headers: &HeaderMap, stands: Option<&HeaderValue>) -> Result<(), Problem> {
    let is_as_said = |tag: &str| stands.is_some_and(|stands| tag == "*" || tag.as_bytes() == stands);
    let is_met = !headers.contains_key(header::IF_MATCH) || given(headers, &header::IF_MATCH).any(is_as_said);
    if is_met && !stands.is_some_and(|stands| is_known(headers, stands)) {
        return Ok(());
    }
    Err(Problem::NotAsSaid { etag: stands.cloned() })
}

fn given<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(name: HeaderName, given: &'static str, stands: Option<&'static str>) -> bool {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(given))]);
        check(&headers, stands.map(HeaderValue::from_static).as_ref()).is_ok()
    }

    #[test]
    fn if_match_compares_strongly() {
        let cases = [
            ("\"a\"", Some("\"a\""), true),
            ("\"b\", \"a\"", Some("\"a\""), true),
            ("*", Some("\"a\""), true),
            ("W/\"a\"", Some("\"a\""), false),
            ("\"b\"", Some("\"a\""), false),
            ("a", Some("\"a\""), false),
            ("", Some("\"a\""), false),
            ("\"a\"", None, false),
            ("*", None, false),
        ];
        for (given, stands, passed) in cases {
            assert_eq!(passes(header::IF_MATCH, given, stands), passed, "{given} {stands:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let cases = [
            ("*", None, true),
            ("*", Some("\"a\""), false),
            ("\"a\"", Some("\"a\""), false),
            ("W/\"a\"", Some("\"a\""), false),
            ("\"b\"", Some("\"a\""), true),
        ];
        for (given, stands, passed) in cases {
            assert_eq!(passes(header::IF_NONE_MATCH, given, stands), passed, "{given} {stands:?}");
        }
    }

    #[test]
    fn without_a_condition_all_pass() {
        assert!(check(&HeaderMap::new(), None).is_ok());
        assert!(check(&HeaderMap::new(), Some(&HeaderValue::from_static("\"a\""))).is_ok());
    }
}
