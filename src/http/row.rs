//! `GET /v1/profiles/{profile}/continue-watching`: the row.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
};
use serde::Serialize;

use crate::{
    http::{
        App, Problem,
        lists::{self, Asked, PageView},
        view::PlaceView,
    },
    playback::{Grouping, Started, row},
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
) -> Result<Json<PageView<StartedView>>, Problem> {
    let profile = lists::profile(path)?;
    let (asked, cut) = Asked::parse(query)?;
    let grouping = match asked.group.as_deref() {
        None => Grouping::Titles,
        Some("series") => Grouping::Series,
        Some(_) => return Err(Problem::Invalid { field: "group", fix: "must be series, or absent".into() }),
    };
    let policy = app.policy();
    let walked = lists::walk(&app, &profile, |content, title| {
        Started::of(content, title.resume(policy)?, &title.policy(policy))
    });
    let walked = walked.await?;
    let page = row(walked.items, grouping, cut.after.as_ref(), cut.limit);
    Ok(Json(PageView::new(&profile, &page, walked.is_partial)))
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
