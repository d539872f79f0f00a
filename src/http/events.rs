//! `GET /v1/profiles/{profile}/events`: what changed, as it changes.
//!
//! Server-sent events (HTML standard, 9.2). `resume` brings a title as it stands; its `id` is a cursor, with
//! which any node goes on. `stale` says that this node does not know yet all that was told elsewhere,
//! `reset` that everything must be read anew. Where nothing happens, a comment keeps proxies from hanging up, and
//! moves the cursor. A stream ends with the credential that it was opened under.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{
        Path, Query, State as Of,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::{sync::OwnedSemaphorePermit, time::sleep};

use crate::{
    crdt::{ContentId, ProfileId, TitleId, VersionVector},
    http::{
        App, Problem,
        auth::{Lease, Visitor},
        contract::{
            kinds,
            params::{OfProfile, Resumption},
        },
        news::{State, Told},
    },
    node::{Cursor, Found, ReadError, Subscription},
    playback::SessionId,
};

/// How long nothing is said at most. Common proxies hang up after half a minute of silence or more.
pub const BEAT_EVERY: Duration = Duration::from_secs(15);

/// How long a browser waits before it asks again, in milliseconds: long enough for another node to have
/// been told what the last one took.
const RETRY_MS: u64 = 2_000;

/// How many titles are looked at in one go after a reconnection.
const LOOK_TITLES_MAX: usize = 32;

/// How many titles a profile may have for a reconnection to look for those that changed. Whoever has more is
/// told to read everything anew, which costs both sides less.
pub const RECONNECT_TITLES_MAX: usize = 1_024;

/// About how much is said in one piece. A client that does not read holds up no more than this.
const PIECE_BYTES_MAX: usize = 16 * 1024;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Whose writes are no news.
    #[param(value_type = Option<kinds::Session>)]
    session: Option<String>,
    /// Where to go on, for clients that cannot send the header.
    #[param(value_type = Option<kinds::Cursor>)]
    after: Option<String>,
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/events",
    tag = "following",
    operation_id = "followProfile",
    summary = "Follow a profile",
    description = "Server-sent events, without an end: `resume` brings a title as it stands, `stale` says that this node \
        does not know yet all that was told elsewhere, `reset` that everything must be read anew. Each `id` is a cursor, \
        with which any node goes on.",
    params(OfProfile, Asked, Resumption),
    responses((status = 200, description = "The stream.", content_type = "text/event-stream", body = String)),
    extensions(("x-problems" = json!(["full"]))),
)]
pub(super) async fn follow(
    Of(app): Of<App>,
    Extension(visitor): Extension<Visitor>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(profile) = path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    let Query(Asked { session, after }) =
        query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
    let profile = ProfileId::try_from(profile).map_err(|why| Problem::id("profile", why))?;
    let session = session.as_deref().map(SessionId::parse).transpose();
    let session = session.map_err(|why| Problem::id("session", why))?;
    let cursor = match headers.get(LAST_EVENT_ID) {
        Some(value) => Some(value.to_str().unwrap_or_default().to_owned()),
        None => after,
    };
    // A browser that has not been told any sends an empty one.
    let cursor = cursor.filter(|text| !text.is_empty()).map(|text| parse_cursor(&text)).transpose()?;
    if !app.node().is_ready() {
        return Err(Problem::NotReady);
    }
    let permit = app.stream()?;
    let lease = Lease::of(&app, &visitor, &headers, Some(&profile));
    let subscription = app.node().follow(profile.clone(), session);
    let stage = Stage::Opening(cursor.map(Box::new));
    let events = Events {
        app,
        profile,
        subscription,
        told: Told::default(),
        stage,
        beat: Duration::ZERO,
        lease,
        _permit: permit,
    };
    let pieces = unfold(events, async |mut events| {
        let piece = events.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), events))
    });
    let head =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store"), (NO_BUFFER, "no")];
    Ok((head, Body::from_stream(pieces)).into_response())
}

/// Asks a proxy to pass on each piece as it comes.
pub(super) const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(super) fn parse_cursor(text: &str) -> Result<Cursor, Problem> {
    let fix = "must be a cursor as an event's id or the header Cursor gave it";
    Cursor::decode(text).ok_or_else(|| Problem::Invalid { field: "after", fix: fix.into() })
}

/// One stream.
struct Events {
    app: App,
    profile: ProfileId,
    subscription: Subscription,
    told: Told,
    stage: Stage,
    /// When something is said at the latest, as time since the start of the node.
    beat: Duration,
    lease: Lease,
    _permit: OwnedSemaphorePermit,
}

enum Stage {
    /// Nothing has been said; perhaps it goes on from another stream.
    Opening(Option<Box<Cursor>>),
    /// The profile is looked through for titles that changed since a vector.
    Looking(Look),
    Following,
}

struct Look {
    since: Arc<VersionVector>,
    after: Option<ContentId>,
    titles: usize,
}

impl Look {
    fn since(since: Arc<VersionVector>) -> Stage {
        Stage::Looking(Self { since, after: None, titles: 0 })
    }
}

impl Events {
    /// The next piece; `None` where the stream is at its end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        let mut piece = Vec::new();
        while piece.is_empty() {
            if self.subscription.is_over() {
                return None;
            }
            if let Err(why) = self.lease.check() {
                tracing::debug!(%why, "a stream ends");
                return None;
            }
            self.look_up();
            let done = match &mut self.stage {
                Stage::Opening(cursor) => {
                    let cursor = cursor.take();
                    self.open(cursor, &mut piece).await;
                    Ok(())
                }
                Stage::Looking(_) => self.look(&mut piece).await,
                Stage::Following => self.tell_due(&mut piece).await,
            };
            if let Err(why) = done {
                tracing::error!(%why, "the store cannot be read, and a stream ends");
                return None;
            }
        }
        self.beat = self.app.node().uptime() + self.app.beat_every();
        Some(piece)
    }

    /// Begins, or goes on where another stream ended.
    async fn open(&mut self, cursor: Option<Box<Cursor>>, piece: &mut Vec<u8>) {
        piece.extend_from_slice(format!("retry: {RETRY_MS}\n\n").as_bytes());
        self.stage = Stage::Following;
        let Some(cursor) = cursor else {
            self.say_where(piece);
            return;
        };
        self.told = Told::from_marks(cursor.marks());
        match self.app.node().find(&cursor).await {
            Found::Covered(since) => self.stage = Look::since(since.into()),
            Found::Ahead(since) => {
                self.stage = Look::since(since.into());
                piece.extend_from_slice(b"event: stale\ndata: {}\n\n");
            }
            Found::Gone => self.reset(piece),
        }
    }

    /// Goes back to looking where too much changed at once.
    fn look_up(&mut self) {
        if let Stage::Following = self.stage
            && let Some(since) = self.subscription.rejoin()
        {
            self.stage = Look::since(since);
        }
    }

    /// Looks through a few titles of the profile.
    async fn look(&mut self, piece: &mut Vec<u8>) -> Result<(), ReadError> {
        let Stage::Looking(Look { since, after, titles }) = &self.stage else { return Ok(()) };
        let (since, titles) = (Arc::clone(since), *titles);
        let app = self.app.clone();
        let turn = app.look().await;
        if after.is_none() && (self.is_profile_changed(&since)? || self.has_too_many_titles()?) {
            self.reset(piece);
            return Ok(());
        }
        let found = app.node().titles(&self.profile, after.as_ref(), LOOK_TITLES_MAX)?;
        let titles = titles + found.len();
        if titles > RECONNECT_TITLES_MAX {
            self.reset(piece);
            return Ok(());
        }
        for title in &found {
            self.tell(title, &since, piece)?;
        }
        drop(turn);
        self.stage = match found.into_iter().last() {
            Some(last) => Stage::Looking(Look { since, after: Some(last.content), titles }),
            None => Stage::Following,
        };
        Ok(())
    }

    /// Whether something has changed since a vector that concerns all titles.
    fn is_profile_changed(&self, since: &VersionVector) -> Result<bool, ReadError> {
        let scope = self.app.node().title(&self.profile.scope())?;
        Ok(scope.registers.iter().any(|(_, register)| !since.covers(register.dot)))
    }

    /// Whether the profile has more titles than are looked through: found out before any is told for nothing.
    fn has_too_many_titles(&self) -> Result<bool, ReadError> {
        let names = self.app.node().titles(&self.profile, None, RECONNECT_TITLES_MAX + 1)?;
        Ok(names.len() > RECONNECT_TITLES_MAX)
    }

    /// Tells what is due, or waits until something is.
    async fn tell_due(&mut self, piece: &mut Vec<u8>) -> Result<(), ReadError> {
        if self.subscription.take_whole_profile() {
            self.reset(piece);
        }
        let now = self.app.node().uptime();
        while piece.len() < PIECE_BYTES_MAX
            && let Some(waiting) = self.subscription.take(|content| self.told.due(content.as_str()) <= now)
        {
            let title = TitleId { profile: self.profile.clone(), content: waiting.content };
            self.tell(&title, &waiting.before, piece)?;
        }
        if !piece.is_empty() {
            return Ok(());
        }
        if now >= self.beat {
            piece.extend_from_slice(b":\n");
            self.say_where(piece);
            return Ok(());
        }
        let due = self.subscription.waiting().iter().map(|content| self.told.due(content.as_str())).min();
        let pause = due.unwrap_or(self.beat).min(self.beat).saturating_sub(now);
        tokio::select! {
            () = self.subscription.changed() => {}
            () = sleep(pause) => {}
            _ = self.lease.ended() => {}
        }
        Ok(())
    }

    /// Tells a title as it stands, unless whoever was told all of `before` has been told that.
    fn tell(
        &mut self,
        title: &TitleId,
        before: &VersionVector,
        piece: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        let state = State::read(&self.app, title)?;
        if self.told.is_known(state.mark) || state.is_covered_by(before) {
            return Ok(());
        }
        self.told.tell(state.mark, self.app.node().uptime());
        piece.extend_from_slice(b"event: resume\ndata: ");
        serde_json::to_writer(&mut *piece, &state.news).expect("an answer is texts, numbers and flags");
        piece.push(b'\n');
        self.say_where(piece);
        Ok(())
    }

    /// Tells the client to read everything anew.
    fn reset(&mut self, piece: &mut Vec<u8>) {
        (self.stage, self.told) = (Stage::Following, Told::default());
        piece.extend_from_slice(b"event: reset\ndata: {}\n");
        self.say_where(piece);
    }

    /// Says up to where all has been told; the end of an event, or of none.
    fn say_where(&self, piece: &mut Vec<u8>) {
        let told = match &self.stage {
            Stage::Looking(look) => Arc::clone(&look.since),
            Stage::Opening(_) | Stage::Following => self.subscription.told(),
        };
        let id = self.app.node().cursor(&told, self.told.marks()).encode();
        piece.extend_from_slice(format!("id: {id}\n\n").as_bytes());
    }
}
