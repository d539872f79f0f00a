//! `GET /v1/profiles/{profile}/resume-points/{content}`: where?

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    crdt::Dot,
    http::{App, Problem, sessions, view::ResumeView},
    playback::resume,
};

/// Kept by whoever asked, and asked for again each time: the hash makes that cheap.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");

#[derive(Deserialize)]
pub(super) struct Asked {
    /// A write that the answer must know of.
    after: Option<String>,
}

pub(super) async fn read(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path((profile, content)) =
        path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    let Query(Asked { after }) =
        query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
    let title = sessions::parse_title(&profile, &content)?;
    let stale = match after {
        Some(text) => !app.node().covers(parse_dot(&text)?).await,
        None => false,
    };

    let registers = app.node().title(&title)?;
    let claims = sessions::claims(&app, title, None, &registers);
    let (token, anchor_ms) = (app.sign(&claims), claims.anchor.as_ms());
    let Some(point) = resume(&registers, None, app.policy()) else {
        return Err(Problem::NoResumePoint { token, anchor_ms, stale });
    };
    let mut view = ResumeView::new(&claims.title, &point);
    view.stale = stale;
    let etag = etag(&view);
    if is_known(&headers, &etag) {
        let headers =
            [(header::ETAG, etag), (header::CACHE_CONTROL, REVALIDATED), (TOKEN, header_of(&token))];
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    (view.token, view.anchor_ms) = (Some(token), Some(anchor_ms));
    Ok(([(header::ETAG, etag), (header::CACHE_CONTROL, REVALIDATED)], Json(view)).into_response())
}

const TOKEN: header::HeaderName = header::HeaderName::from_static("token");

fn parse_dot(text: &str) -> Result<Dot, Problem> {
    let fix = "must be a dot as an acknowledgement gave it: 32 hexadecimal digits, a colon, a number";
    text.parse().map_err(|_| Problem::Invalid { field: "after", fix: fix.into() })
}

/// A strong tag: the hash of the answer without its token.
fn etag(view: &ResumeView) -> HeaderValue {
    let answer = serde_json::to_vec(view).expect("an answer is texts, numbers and flags");
    header_of(&format!("\"{:032x}\"", xxh3_128(&answer)))
}

fn header_of(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("tags and tokens are visible ASCII")
}

/// Compares weakly, as If-None-Match does (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter();
    let tags = given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tags.map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag.as_bytes() == etag)
}
