//! `GET /v1/changes`: every title that changed, for systems that keep a copy of their own.

use std::collections::BTreeSet;

use axum::{
    Extension,
    extract::{Query, State as Of, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use crate::{
    crdt::{Dot, Key, Span, TitleId, VersionVector},
    http::{
        App, Problem,
        auth::{Lease, Visitor},
        contract::{answers::ChangeLines, kinds, params::Patience},
        events::parse_cursor,
        news::{News, State},
        wait::{self, Wait},
    },
    node::{Found, ReadError, TAIL_ENTRIES_MAX},
};

/// How many lines a page has at most, and where nothing is said.
pub const CHANGES_MAX: usize = 1_000;

/// About how long a page is at most; it ends where this is reached, and the next goes on.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

const CURSOR: HeaderName = HeaderName::from_static("cursor");
const STALE: HeaderName = HeaderName::from_static("stale");

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// A cursor, `now`, or nothing for the beginning.
    #[param(value_type = Option<kinds::Cursor>)]
    after: Option<String>,
    /// How many lines the page has at most.
    #[param(value_type = Option<kinds::ChangesLimit>)]
    limit: Option<String>,
}

#[utoipa::path(
    get,
    path = "/v1/changes",
    tag = "following",
    operation_id = "readChanges",
    summary = "Read every title that changed",
    description = "For systems that keep a copy of their own. A page without lines is the end; with `Prefer: wait=N` it \
        then waits for the next change.",
    params(Asked, Patience),
    responses((status = 200, description = "A page of lines.", content_type = "application/x-ndjson", body = ChangeLines,
        headers(("Cursor"), ("Stale"), ("Preference-Applied")))),
    extensions(("x-problems" = json!(["cursor-gone"]))),
)]
pub(super) async fn read(
    Of(app): Of<App>,
    Extension(visitor): Extension<Visitor>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(Asked { after, limit }) =
        query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
    let limit = limit.as_deref().map_or(Ok(CHANGES_MAX), parse_limit)?;
    let (from, is_stale) = begin(&app, after.as_deref()).await?;
    let mut wait = Wait::begin(&app, &headers, || Lease::of(&app, &visitor, &headers, None));
    let mut page = Page::after(from, limit);
    page.fill(&app).await?;
    if let Some(wait) = &mut wait {
        while page.lines.is_empty() && wait.for_news().await? {
            page.fill(&app).await?;
        }
    }

    let cursor = app.node().cursor(&page.position, []).encode();
    let mut response = ([(header::CONTENT_TYPE, "application/x-ndjson")], page.lines).into_response();
    let headers = response.headers_mut();
    headers.insert(CURSOR, HeaderValue::from_str(&cursor).expect("a cursor is visible ASCII"));
    if is_stale {
        headers.insert(STALE, HeaderValue::from_static("true"));
    }
    if let Some(wait) = wait {
        let applied = HeaderValue::from_str(&wait.applied()).expect("a word and a number");
        headers.insert(wait::APPLIED, applied);
    }
    Ok(response)
}

/// The vector to begin after, and whether it is behind the cursor.
async fn begin(app: &App, after: Option<&str>) -> Result<(VersionVector, bool), Problem> {
    match after {
        None | Some("") => Ok((VersionVector::default(), false)),
        Some("now") => Ok((app.node().vector(), false)),
        Some(text) => match app.node().find(&parse_cursor(text)?).await {
            Found::Covered(least) => Ok((least, false)),
            Found::Ahead(least) => Ok((least, true)),
            Found::Gone => Err(Problem::CursorGone),
        },
    }
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=CHANGES_MAX).contains(limit));
    limit.ok_or_else(|| Problem::Invalid {
        field: "limit",
        fix: format!("must be a whole number from 1 to {CHANGES_MAX}"),
    })
}

/// One line.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Change)]
pub(super) struct Line<'a> {
    cursor: String,
    #[serde(flatten)]
    what: What<'a>,
}

/// A title, or something that concerns all titles of a profile.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ChangeOf)]
#[serde(untagged)]
pub(super) enum What<'a> {
    Title(&'a News),
    /// Something that concerns all titles of a profile.
    Profile {
        profile: &'a str,
        whole_profile: bool,
    },
}

/// A page while it is filled.
struct Page {
    /// What whoever asks has been told.
    from: VersionVector,
    /// Up to where the index has been read.
    position: VersionVector,
    told: BTreeSet<TitleId>,
    lines: Vec<u8>,
    limit: usize,
}

impl Page {
    fn after(from: VersionVector, limit: usize) -> Self {
        Self { position: from.clone(), from, told: BTreeSet::new(), lines: Vec::new(), limit }
    }

    fn is_full(&self) -> bool {
        self.told.len() >= self.limit || self.lines.len() >= PAGE_BYTES_MAX
    }

    /// Reads on to what is committed, or until the page is full.
    async fn fill(&mut self, app: &App) -> Result<(), ReadError> {
        let upto = app.node().vector();
        for mut span in upto.beyond(&self.position) {
            loop {
                let entries = app.node().changes(span, TAIL_ENTRIES_MAX)?;
                let is_last = entries.len() < TAIL_ENTRIES_MAX;
                for (version, key) in entries {
                    if self.is_full() {
                        return Ok(());
                    }
                    span.after = version;
                    self.position.advance(span.origin, version);
                    self.tell(app, Dot { origin: span.origin, version }, &key, &upto)?;
                }
                if is_last {
                    break;
                }
                yield_now().await;
            }
            let Span { origin, upto, .. } = span;
            self.position.advance(origin, upto);
        }
        Ok(())
    }

    fn tell(&mut self, app: &App, at: Dot, key: &Key, upto: &VersionVector) -> Result<(), ReadError> {
        let title = &key.title;
        if self.told.contains(title) {
            return Ok(());
        }
        if title.is_scope() {
            let profile = title.profile.as_str();
            self.line(app, title.clone(), What::Profile { profile, whole_profile: true });
            return Ok(());
        }
        let state = State::read(app, title)?;
        if !state.is_covered_by(&self.from) && !self.is_told_later(&state, at, upto) {
            self.line(app, title.clone(), What::Title(&state.news));
        }
        Ok(())
    }

    /// Whether another register of a title lies in what is still to be read, and is told there.
    fn is_told_later(&self, state: &State, at: Dot, upto: &VersionVector) -> bool {
        let mut dots = state.title.registers.iter().map(|(_, register)| register.dot);
        dots.any(|dot| {
            let lies_ahead = (dot.origin, dot.version) > (at.origin, at.version);
            lies_ahead && upto.covers(dot) && !self.position.covers(dot)
        })
    }

    fn line(&mut self, app: &App, title: TitleId, what: What<'_>) {
        let line = Line { cursor: app.node().cursor(&self.position, []).encode(), what };
        serde_json::to_writer(&mut self.lines, &line).expect("an answer is texts, numbers and flags");
        self.lines.push(b'\n');
        self.told.insert(title);
    }
}
