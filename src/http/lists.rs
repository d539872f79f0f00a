//! Lists of a profile's titles: how one is walked, and what is asked of a page.

use axum::{
    extract::{FromRequestParts, Path, Query, rejection::PathRejection},
    http::{HeaderMap, request::Parts},
    response::Response,
};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use crate::{
    crdt::{ContentId, ProfileId},
    http::{App, Problem, condition, contract::kinds},
    playback::{Cursor, PAGE_DEFAULT, PAGE_MAX, Page, Title},
};

/// How many titles of a profile one list looks at, in the order of their ids: one a day for 27 years.
///
/// What lies beyond it is in no list, and the list says that it is partial. An export has no such bound.
pub const LISTED_MAX: usize = 10_000;

/// After how many titles other requests have their turn: about half a millisecond from memory.
pub(super) const TURN_TITLES: usize = 64;

/// What is asked of a page.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// How many titles the page has at most.
    #[param(value_type = Option<kinds::Limit>)]
    limit: Option<String>,
    /// `next` of the page before, as it came.
    cursor: Option<String>,
    /// `series`: of the titles that name the same series only the latest. For the row alone.
    group: Option<String>,
}

/// Which page of whose list, and what the request knows of it.
pub(super) struct List {
    headers: HeaderMap,
    profile: ProfileId,
    after: Option<Cursor>,
    limit: usize,
    group: Option<String>,
}

/// A page as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Page)]
pub(super) struct PageView<'a, T> {
    profile: &'a str,
    titles: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Whether the profile has more titles than a list looks at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// What was found on a walk.
struct Walked<T> {
    items: Vec<T>,
    is_partial: bool,
}

impl FromRequestParts<App> for List {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let profile = profile(Path::from_request_parts(parts, app).await)?;
        let query = Query::<Asked>::from_request_parts(parts, app).await;
        let Query(asked) = query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
        let limit = asked.limit.as_deref().map(parse_limit).transpose()?.unwrap_or(PAGE_DEFAULT);
        let after = asked.cursor.as_deref().map(Cursor::parse).transpose();
        let after = after.map_err(|why| Problem::Invalid { field: "cursor", fix: why.to_string() })?;
        Ok(Self { headers: parts.headers.clone(), profile, after, limit, group: asked.group })
    }
}

impl List {
    /// By what its titles are to be put together.
    pub(super) fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Answers with the page that `cut` makes of what `sum_up` makes of the profile's titles, or that it is the
    /// one that the request knows.
    pub(super) async fn answer<T, V>(
        &self,
        app: &App,
        sum_up: impl Fn(ContentId, &Title) -> Option<T>,
        cut: impl FnOnce(Vec<T>, Option<&Cursor>, usize) -> Page<T>,
    ) -> Result<Response, Problem>
    where
        V: Serialize + for<'a> From<&'a T>,
    {
        let Walked { items, is_partial } = walk(app, &self.profile, sum_up).await?;
        let page = cut(items, self.after.as_ref(), self.limit);
        let view: PageView<'_, V> = PageView {
            profile: self.profile.as_str(),
            titles: page.items.iter().map(Into::into).collect(),
            next: page.next.as_ref().map(Cursor::to_text),
            partial: is_partial,
        };
        Ok(condition::unless_known(&self.headers, &view))
    }
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Problem::Invalid { field: "limit", fix: format!("must be 1 to {PAGE_MAX}") })
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
async fn walk<T>(
    app: &App,
    profile: &ProfileId,
    sum_up: impl Fn(ContentId, &Title) -> Option<T>,
) -> Result<Walked<T>, Problem> {
    let scope = app.node().scope(profile)?;
    let (mut items, mut looked_at, mut after) = (Vec::new(), 0, None);
    loop {
        let titles = app.node().whole_titles(profile, after.as_ref(), TURN_TITLES, &scope)?;
        for (id, title) in &titles {
            if looked_at == LISTED_MAX {
                return Ok(Walked { items, is_partial: true });
            }
            looked_at += 1;
            items.extend(sum_up(id.content.clone(), title));
        }
        if titles.len() < TURN_TITLES {
            return Ok(Walked { items, is_partial: false });
        }
        after = titles.into_iter().next_back().map(|(id, _)| id.content);
        yield_now().await;
    }
}
