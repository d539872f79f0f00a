//! `GET /v1/profiles/{profile}/continue-watching`: the row.

use axum::{extract::State, response::Response};
use serde::Serialize;

use crate::{
    http::{
        App, Problem,
        contract::params::{Known, OfProfile},
        lists::{Asked, List, PageView},
        view::PlaceView,
    },
    playback::{Cursor, Grouping, Started, Title, row},
};

/// A title of the row.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StartedTitle)]
pub(super) struct StartedView {
    content: String,
    #[serde(flatten)]
    place: PlaceView,
    resume_position_ms: u64,
    watched: bool,
    dot: String,
}

#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/continue-watching",
    tag = "places",
    operation_id = "continueWatching",
    summary = "Read the row: what the viewer can go on with",
    description = "The latest activity first. What is played while somebody pages moves to the front of a fresh list.",
    params(OfProfile, Asked, Known),
    responses(
        (status = 200, description = "A page of the row.", body = PageView<'_, StartedView>, headers(("ETag"))),
        (status = 304, description = "It is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn read(State(app): State<App>, list: List) -> Result<Response, Problem> {
    let grouping = match list.group() {
        None => Grouping::Titles,
        Some("series") => Grouping::Series,
        Some(_) => return Err(Problem::Invalid { field: "group", fix: "must be series, or absent".into() }),
    };
    let policy = app.policy();
    let started = |content, title: &Title| Started::of(content, title.resume(policy)?, &title.policy(policy));
    let row = |started, after: Option<&Cursor>, limit| row(started, grouping, after, limit);
    list.answer::<_, StartedView>(&app, started, row).await
}

impl From<&Started> for StartedView {
    fn from(Started { content, place, watched, series }: &Started) -> Self {
        Self {
            content: content.as_str().to_owned(),
            place: PlaceView::from(place).of_series(series.as_ref()),
            resume_position_ms: place.sample.position_ms,
            watched: *watched,
            dot: place.dot.to_string(),
        }
    }
}
