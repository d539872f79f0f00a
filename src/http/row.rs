//! `GET /v1/profiles/{profile}/continue-watching`: the row.

use axum::{
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::HeaderMap,
    response::Response,
};
use serde::Serialize;

use crate::{
    http::{
        App, Problem,
        lists::{Asked, List},
        view::PlaceView,
    },
    playback::{Cursor, Grouping, Started, Title, row},
};

/// A title of the row.
#[derive(Serialize)]
pub(super) struct StartedView {
    content: String,
    #[serde(flatten)]
    place: PlaceView,
    resume_position_ms: u64,
    watched: bool,
    dot: String,
}

pub(super) async fn read(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let list = List::parse(path, query)?;
    let grouping = match list.group() {
        None => Grouping::Titles,
        Some("series") => Grouping::Series,
        Some(_) => return Err(Problem::Invalid { field: "group", fix: "must be series, or absent".into() }),
    };
    let policy = app.policy();
    let started = |content, title: &Title| Started::of(content, title.resume(policy)?, &title.policy(policy));
    let row = |started, after: Option<&Cursor>, limit| row(started, grouping, after, limit);
    list.answer::<_, StartedView>(&app, &headers, started, row).await
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
