//! `GET /v1/profiles/{profile}/history`: every title that the viewer had to do with.

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
        view::{PlaceView, StampView},
    },
    playback::{Seen, page},
};

/// A title of the history.
#[derive(Serialize)]
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

pub(super) async fn read(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PageView<SeenView>>, Problem> {
    let profile = lists::profile(path)?;
    let (asked, cut) = Asked::parse(query)?;
    if asked.group.is_some() {
        return Err(Problem::Invalid {
            field: "group",
            fix: "must be absent: only the row is grouped".into(),
        });
    }
    let walked = lists::walk(&app, &profile, |content, title| {
        Seen::of(content, &title.registers, title.scope.fence, &title.policy(app.policy()))
    });
    let walked = walked.await?;
    let page = page(walked.items, cut.after.as_ref(), cut.limit);
    Ok(Json(PageView::new(&profile, &page, walked.is_partial)))
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
