//! The picture for those who watch: drawn once, sent to all.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream::unfold;
use tokio::sync::{Semaphore, watch};

/// Pages that watch at a time; whoever comes beyond is told to come again, with 503.
pub(super) const WATCHERS_MAX: usize = 32;

/// How soon who was turned away may come again, in seconds.
const COME_AGAIN_S: &str = "5";

/// The picture as text; none before the first is drawn. Who is slow to read misses pictures and gets the newest.
pub(super) type Latest = watch::Receiver<Option<Arc<str>>>;

/// Shows pictures.
#[derive(Clone, Debug)]
pub(super) struct Gallery {
    latest: Latest,
    room: Arc<Semaphore>,
}

impl Gallery {
    pub(super) fn new(latest: Latest) -> Self {
        Self { latest, room: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }
}

/// The newest picture.
pub(super) async fn one(State(mut gallery): State<Gallery>) -> Response {
    let Some(picture) = newest(&mut gallery.latest).await else { return ending() };
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, picture.to_string()).into_response()
}

/// The newest picture, and each that follows.
pub(super) async fn all(State(gallery): State<Gallery>) -> Response {
    let Ok(permit) = gallery.room.try_acquire_owned() else {
        let head = [(header::RETRY_AFTER, COME_AGAIN_S)];
        return (StatusCode::SERVICE_UNAVAILABLE, head, "too many pages watch already\n").into_response();
    };
    let mut latest = gallery.latest;
    latest.mark_changed();
    let events = unfold((latest, permit), async |(mut latest, permit)| {
        latest.changed().await.ok()?;
        let picture = newest(&mut latest).await?;
        let event = Event::default().event("picture").data(&*picture);
        Some((Ok::<_, Infallible>(event), (latest, permit)))
    });
    Sse::new(events).into_response()
}

/// Waits for the first; nothing where no more are drawn.
async fn newest(latest: &mut Latest) -> Option<Arc<str>> {
    latest.wait_for(Option::is_some).await.ok()?.clone()
}

fn ending() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the cluster ends\n").into_response()
}
