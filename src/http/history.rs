//! `GET /v1/profiles/{profile}/history`: every title that the viewer had to do with.

use axum::{extract::State, response::Response};
use serde::Serialize;

use crate::{
    http::{
        App, Problem,
        contract::params::{Known, OfProfile},
        lists::{Asked, List, PageView},
        view::{PlaceView, StampView},
    },
    playback::{Seen, Title, page},
};

/// A title of the history.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SeenTitle)]
pub(super) struct SeenView {
    content: String,
    latest: StampView,
    watched: bool,
    plays: usize,
    dismissed: bool,
    completed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceView>,
}

#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/history",
    tag = "places",
    operation_id = "readHistory",
    summary = "Read everything that the viewer had to do with",
    description = "The latest activity of any kind first.",
    params(OfProfile, Asked, Known),
    responses(
        (status = 200, description = "A page of the history.", body = PageView<'_, SeenView>, headers(("ETag"))),
        (status = 304, description = "It is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn read(State(app): State<App>, list: List) -> Result<Response, Problem> {
    if list.group().is_some() {
        let fix = "must be absent: only the row is grouped";
        return Err(Problem::Invalid { field: "group", fix: fix.into() });
    }
    let seen = |content, title: &Title| {
        Seen::of(content, &title.registers, title.scope.fence, &title.policy(app.policy()))
    };
    list.answer::<_, SeenView>(&app, seen, page).await
}

impl From<&Seen> for SeenView {
    fn from(seen: &Seen) -> Self {
        Self {
            content: seen.content.as_str().to_owned(),
            latest: seen.latest.into(),
            watched: seen.watched,
            plays: seen.plays,
            dismissed: seen.dismissed,
            completed: seen.completed,
            place: seen.place.as_ref().map(Into::into),
        }
    }
}
