//! `GET /console`: the cluster, as it is, for people.
//!
//! A page, its style and its scripts, all part of the node: nothing is loaded from elsewhere, and whoever serves
//! the page of a laboratory takes it from here. It holds no data; that comes from
//! [`picture`](crate::http::picture), under whatever right the node asks for.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::http::{Problem, condition, contract::params::Known};

const PAGE: &str = include_str!("console/console.html");

/// Every file beside the page: its name, its type and what is in it.
const FILES: [(&str, &str, &str); 10] = [
    ("console.css", "text/css; charset=utf-8", include_str!("console/console.css")),
    ("main.js", SCRIPT, include_str!("console/main.js")),
    ("live.js", SCRIPT, include_str!("console/live.js")),
    ("text.js", SCRIPT, include_str!("console/text.js")),
    ("map.js", SCRIPT, include_str!("console/map.js")),
    ("plot.js", SCRIPT, include_str!("console/plot.js")),
    ("tables.js", SCRIPT, include_str!("console/tables.js")),
    ("timeline.js", SCRIPT, include_str!("console/timeline.js")),
    ("inspector.js", SCRIPT, include_str!("console/inspector.js")),
    ("players.js", SCRIPT, include_str!("console/players.js")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Ten minutes in which only the time passes.
const FILM: &[u8] = include_bytes!("console/film.webm");

/// Scripts and styles of the node's own, and requests to nodes wherever they are; no other page shows this one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
     connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

#[utoipa::path(
    get,
    path = "/console",
    tag = "operating",
    operation_id = "readConsole",
    summary = "Read the console",
    params(Known),
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String, headers(("ETag"))),
        (status = 304, description = "The page is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(in crate::http) async fn read(headers: HeaderMap) -> Response {
    with_policy(condition::file(&headers, "text/html; charset=utf-8", PAGE))
}

#[utoipa::path(
    get,
    path = "/console/{file}",
    tag = "operating",
    operation_id = "readConsoleFile",
    summary = "Read a file of the console",
    params(("file" = String, Path, description = "Its name, as the page has it."), Known),
    responses(
        (status = 200, description = "The file.", content_type = "text/javascript", body = String, headers(("ETag"))),
        (status = 206, description = "The stretch of the film that `Range` asks for.", content_type = "video/webm", body = String),
        (status = 304, description = "The file is the one that the caller has.", headers(("ETag"))),
    ),
    extensions(("x-problems" = json!(["no-such-path"]))),
)]
pub(in crate::http) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    if name == "film.webm" {
        return Ok(film(&headers));
    }
    let file = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = file.ok_or(Problem::NoSuchPath)?;
    Ok(with_policy(condition::file(&headers, kind, text)))
}

fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// The film, or the stretch of it that is asked for: without stretches a browser does not seek.
fn film(headers: &HeaderMap) -> Response {
    let range = headers.get(header::RANGE).and_then(|range| stretch(range.to_str().ok()?, FILM.len()));
    let head: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("video/webm")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ];
    let Some((from, to)) = range else { return (head, FILM).into_response() };
    let said = format!("bytes {from}-{to}/{}", FILM.len());
    let said = [(header::CONTENT_RANGE, HeaderValue::from_str(&said).expect("numbers are a header's value"))];
    (StatusCode::PARTIAL_CONTENT, head, said, &FILM[from..=to]).into_response()
}

/// The first and the last byte of `bytes=FIRST-LAST` (RFC 9110, 14.1.2); nothing for any other kind, to which the
/// whole is an answer as well.
fn stretch(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from = from.parse().ok()?;
    let to = if to.is_empty() { length } else { to.parse().ok()? }.min(length.checked_sub(1)?);
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_where_the_film_does() {
        for (asked, expected) in [
            ("bytes=0-", Some((0, 9))),
            ("bytes=4-6", Some((4, 6))),
            ("bytes=4-99", Some((4, 9))),
            ("bytes=10-", None),
            ("bytes=6-4", None),
            ("bytes=-4", None),
            ("pages=1-2", None),
        ] {
            assert_eq!(stretch(asked, 10), expected, "{asked}");
        }
    }

    #[test]
    fn the_page_asks_for_its_own_files_alone_and_none_is_forgotten() {
        for word in ["http://", "https://", "@import", "url(", "style=", "onclick", "<script>"] {
            assert!(!PAGE.contains(word), "{word}");
        }
        let texts: String = FILES.iter().map(|(.., text)| *text).chain([PAGE]).collect();
        for (name, ..) in FILES {
            assert!(texts.contains(name), "{name} is used");
        }
        for (name, _, text) in FILES {
            assert!(!text.contains("innerHTML"), "{name} makes markup of data");
        }
    }
}
