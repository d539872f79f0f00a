//! Lists of a profile's titles: how one is walked, and what is asked of a page.

use axum::extract::{
    Path, Query,
    rejection::{PathRejection, QueryRejection},
};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use crate::{
    crdt::{ContentId, ProfileId},
    http::{App, Problem},
    playback::{Cursor, PAGE_DEFAULT, PAGE_MAX, Page, Title},
};

/// How many titles of a profile one list looks at, in the order of their ids: one a day for 27 years.
///
/// What lies beyond it is in no list, and the list says that it is partial. An export has no such bound.
pub const LISTED_MAX: usize = 10_000;

/// After how many titles other requests have their turn: about half a millisecond from memory.
pub(super) const TURN_TITLES: usize = 64;

/// What is asked of a page.
#[derive(Deserialize)]
pub(super) struct Asked {
    limit: Option<String>,
    cursor: Option<String>,
    pub(super) group: Option<String>,
}

/// Which page of a list.
pub(super) struct Cut {
    pub(super) after: Option<Cursor>,
    pub(super) limit: usize,
}

/// A page as clients see it.
#[derive(Serialize)]
pub(super) struct PageView<T> {
    profile: String,
    titles: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Whether the profile has more titles than a list looks at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// What was found on a walk.
pub(super) struct Walked<T> {
    pub(super) items: Vec<T>,
    pub(super) is_partial: bool,
}

impl Asked {
    /// Reads the query of a list.
    pub(super) fn parse(query: Result<Query<Self>, QueryRejection>) -> Result<(Self, Cut), Problem> {
        let Query(asked) = query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
        let limit = asked.limit.as_deref().map(parse_limit).transpose()?.unwrap_or(PAGE_DEFAULT);
        let after = asked.cursor.as_deref().map(Cursor::parse).transpose();
        let after = after.map_err(|why| Problem::Invalid { field: "cursor", fix: why.to_string() })?;
        Ok((asked, Cut { after, limit }))
    }
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Problem::Invalid { field: "limit", fix: format!("must be 1 to {PAGE_MAX}") })
}

impl<T> PageView<T> {
    pub(super) fn new<U>(profile: &ProfileId, page: &Page<U>, is_partial: bool) -> Self
    where
        T: for<'a> From<&'a U>,
    {
        Self {
            profile: profile.as_str().to_owned(),
            titles: page.items.iter().map(Into::into).collect(),
            next: page.next.as_ref().map(Cursor::to_text),
            partial: is_partial,
        }
    }
}

/// Takes a part of the path as a profile.
pub(super) fn profile(path: Result<Path<String>, PathRejection>) -> Result<ProfileId, Problem> {
    let Path(profile) = path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    profile.try_into().map_err(|why| Problem::id("profile", why))
}

/// Reads a profile's titles one after the other, up to [`LISTED_MAX`], and keeps what `sum_up` makes of each.
///
/// Each title is read from one committed state; the list as a whole is not, and what is played while it is
/// being read may stand in it as it was or as it is.
pub(super) async fn walk<T>(
    app: &App,
    profile: &ProfileId,
    sum_up: impl Fn(ContentId, &Title) -> Option<T>,
) -> Result<Walked<T>, Problem> {
    let scope = app.node().scope(profile)?;
    let (mut items, mut looked_at, mut after) = (Vec::new(), 0, None);
    loop {
        let titles = app.node().titles(profile, after.as_ref(), TURN_TITLES)?;
        for title in &titles {
            if looked_at == LISTED_MAX {
                return Ok(Walked { items, is_partial: true });
            }
            looked_at += 1;
            items.extend(sum_up(title.content.clone(), &app.node().title_in(title, &scope)?));
        }
        if titles.len() < TURN_TITLES {
            return Ok(Walked { items, is_partial: false });
        }
        after = titles.into_iter().next_back().map(|title| title.content);
        yield_now().await;
    }
}
