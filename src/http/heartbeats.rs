//! `POST /v1/heartbeats`: one heartbeat, or many.
//!
//! All heartbeats of a request are judged, then written in one turn; a bad one refuses itself alone.

use axum::{
    Extension, Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    crdt::{Dot, Merged, WallTime},
    http::{
        App, Problem,
        auth::Visitor,
        body::{self, Heartbeats},
        contract::{
            answers::{Answered, HeartbeatLines, ReportItem},
            kinds, requests,
        },
        door::{Admitted, Door},
        durability::{self, Asked},
        titles::Titles,
        view::ResumeView,
    },
    node::{self, Assurance, Written},
    playback::{self, Answer, Heartbeat, Nothing, Outcome, Promise, settle},
};

const INTERVAL: HeaderName = HeaderName::from_static("heartbeat-interval-ms");

/// What became of one heartbeat.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It stands.
    Stored,
    /// Nothing was to be written, or something later of its session stands.
    Acknowledged,
    /// Another session stands above it.
    Superseded,
}

/// The answer to one heartbeat.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Report)]
pub(super) struct Told {
    result: Verdict,
    /// What stands there.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<kinds::Dot>)]
    dot: Option<Dot>,
    #[serde(flatten)]
    fresh: Fresh,
    /// The place that won.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<ResumeView>,
}

/// A fresh token, where the player should go on under one.
#[derive(Serialize, Default, utoipa::ToSchema)]
#[schema(as = FreshToken)]
pub(super) struct Fresh {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor_ms: Option<u64>,
}

/// The answer to many.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Reports)]
pub(super) struct ToldMany {
    /// In the order of the request.
    #[schema(value_type = Vec<ReportItem>)]
    pub(super) results: Vec<Value>,
    #[serde(flatten)]
    fresh: Fresh,
}

#[utoipa::path(
    post,
    path = "/v1/heartbeats",
    tag = "playing",
    operation_id = "report",
    summary = "Report where a player is",
    description = "One report, a list of them, or one a line. The answer comes after the commit; sent again, to any \
        node, a report under a token changes nothing. Such a report needs no credential.",
    params(Asked),
    request_body(content(
        (requests::Heartbeats = "application/json"),
        (HeartbeatLines = "application/x-ndjson"),
        (HeartbeatLines = "text/plain"),
    )),
    responses(
        (status = 200, description = "One report about which there is something to say, or many.",
            body = Answered, headers(("Dot"), ("Durability"), ("Heartbeat-Interval-Ms"))),
        (status = 204, description = "One report was taken, and there is nothing to say.",
            headers(("Dot"), ("Durability"), ("Heartbeat-Interval-Ms"))),
    ),
    extensions(("x-problems" = json!([
        "too-many-heartbeats", "out-of-order", "bad-token", "token-expired", "unknown-epoch", "not-the-tokens",
        "no-right", "erased", "clock-runs-wild", "beyond-2200", "too-old", "too-many-contents",
    ]))),
)]
pub(super) async fn take(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked = durability::assurance(query)?;
    match body::heartbeats(&headers, body).await? {
        Heartbeats::One(heartbeat) => one(&app, &visitor, heartbeat?, asked).await,
        Heartbeats::Many(heartbeats) => {
            let heartbeats = heartbeats.into_iter().map(|it| it.map_err(Problem::from)).collect();
            let (told, survived) = many(&app, &visitor, heartbeats, asked).await?;
            let mut headers = durability::headers(None, survived);
            headers.insert(INTERVAL, app.heartbeat_interval_ms().into());
            Ok((headers, Json(told)).into_response())
        }
    }
}

async fn one(
    app: &App,
    visitor: &Visitor,
    mut heartbeat: Heartbeat,
    asked: Assurance,
) -> Result<Response, Problem> {
    settle([&mut heartbeat])?;
    let now = app.node().now().wall;
    let admitted = Door::new(app, visitor, now).admit(&heartbeat)?;
    let written = write(app, [&admitted], asked).await?;

    let mut titles = Titles::default();
    let told = tell(app, &admitted, Places::of(&written).next(&admitted), &mut titles)?;
    let answer = fresh(app, &admitted, &mut titles, now)?;
    let interval = app.heartbeat_interval_ms();
    let mut headers = durability::headers(told.dot, written.assurance);
    headers.insert(INTERVAL, interval.into());
    let Some(answer) = answer.filter(|answer| answer.lost || answer.fresh.is_some()) else {
        return Ok((StatusCode::NO_CONTENT, headers).into_response());
    };
    let resume = answer.resume.as_ref().map(|point| ResumeView::new(&admitted.accepted.title, point));
    Ok((headers, Json(Told { fresh: Fresh::sign(app, &answer), resume, ..told })).into_response())
}

/// Judges many heartbeats, writes what they ask for in one turn, and says what that has survived.
///
/// They come by more than one door, and this is the way from each.
pub(super) async fn many(
    app: &App,
    visitor: &Visitor,
    mut heartbeats: Vec<Result<Heartbeat, Problem>>,
    asked: Assurance,
) -> Result<(ToldMany, Assurance), Problem> {
    settle(heartbeats.iter_mut().flatten())?;
    let now = app.node().now().wall;
    let mut door = Door::new(app, visitor, now);
    let admitted: Vec<Result<Admitted, Problem>> =
        heartbeats.into_iter().map(|heartbeat| door.admit(&heartbeat?)).collect();
    let written = write(app, admitted.iter().flatten(), asked).await?;

    let mut titles = Titles::default();
    let mut places = Places::of(&written);
    let mut results = Vec::with_capacity(admitted.len());
    for item in &admitted {
        results.push(match item {
            Ok(admitted) => {
                let told = tell(app, admitted, places.next(admitted), &mut titles)?;
                serde_json::to_value(told).expect("an answer is texts, numbers and flags")
            }
            Err(problem) => refused(problem),
        });
    }
    // The token that comes back belongs to the session of the last heartbeat: the one that goes on.
    let last = admitted.iter().flatten().last();
    let answer = last.map(|last| fresh(app, last, &mut titles, now)).transpose()?.flatten();
    let fresh = answer.map(|answer| Fresh::sign(app, &answer)).unwrap_or_default();
    Ok((ToldMany { results, fresh }, written.assurance))
}

/// What an item is answered with that is refused alone.
pub(super) fn refused(problem: &Problem) -> Value {
    serde_json::json!({"result": "refused", "problem": problem.document()})
}

/// Writes what all of a request's heartbeats ask for, in one turn.
///
/// A completion goes before its place, so that the dot of the place is the greater: who waits for that
/// one has both.
async fn write(
    app: &App,
    admitted: impl IntoIterator<Item = &Admitted>,
    asked: Assurance,
) -> Result<Written, Problem> {
    let (mut writes, mut assurance, mut count) = (Vec::new(), asked, 0);
    for Admitted { accepted, .. } in admitted {
        count += 1;
        assurance = assurance.max(match accepted.promise {
            Promise::Process => Assurance::Process,
            Promise::Synced => Assurance::Synced,
        });
        if let Outcome::Write { place, completion } = &accepted.outcome {
            writes.extend(completion.clone());
            writes.push(place.clone());
        }
    }
    let written = app.node().write(writes, assurance).await?;
    app.node().counters().heartbeats.add(count);
    Ok(written)
}

/// Walks a turn's outcomes beside the heartbeats that asked for them.
struct Places<'a>(std::slice::Iter<'a, node::Outcome>);

impl<'a> Places<'a> {
    fn of(written: &'a Written) -> Self {
        Self(written.outcomes.iter())
    }

    /// What became of a heartbeat's place; `None` where it had nothing to write.
    fn next(&mut self, admitted: &Admitted) -> Option<node::Outcome> {
        match &admitted.accepted.outcome {
            Outcome::Acknowledge(_) => None,
            Outcome::Write { completion, .. } => {
                if completion.is_some() {
                    self.0.next();
                }
                self.0.next().copied()
            }
        }
    }
}

/// Tells a player what became of its heartbeat.
fn tell(
    app: &App,
    admitted: &Admitted,
    place: Option<node::Outcome>,
    titles: &mut Titles,
) -> Result<Told, Problem> {
    let accepted = &admitted.accepted;
    if let Outcome::Acknowledge(Nothing::Incognito | Nothing::Paused) = accepted.outcome {
        return Ok(Told { result: Verdict::Acknowledged, dot: None, fresh: Fresh::default(), resume: None });
    }
    let title = titles.read(app, &accepted.title)?;
    let lost = title.point.as_ref().is_some_and(|it| it.lost_by(accepted.session, accepted.stamp).is_some());
    let result = match place {
        _ if lost => Verdict::Superseded,
        Some(node::Outcome { merged: Merged::Changed, .. }) => Verdict::Stored,
        Some(node::Outcome { merged: Merged::Unchanged, .. }) | None => Verdict::Acknowledged,
    };
    let standing = place.and_then(|place| place.standing);
    let dot = standing.or_else(|| title.standing(accepted.session));
    Ok(Told { result, dot, fresh: Fresh::default(), resume: None })
}

/// Judges whether a player goes on under another token; one without a token has none to change.
fn fresh(
    app: &App,
    admitted: &Admitted,
    titles: &mut Titles,
    now: WallTime,
) -> Result<Option<Answer>, Problem> {
    let Some(claims) = &admitted.claims else { return Ok(None) };
    let found = titles.read(app, &admitted.accepted.title)?;
    let (stamp, sent_ms) = (admitted.accepted.stamp, admitted.sent_elapsed_ms);
    Ok(Some(playback::answer(claims, stamp, sent_ms, &found.title, found.point.as_ref(), now)))
}

impl Fresh {
    fn sign(app: &App, answer: &Answer) -> Self {
        match &answer.fresh {
            Some((claims, why)) => {
                tracing::debug!(session = %claims.session, ?why, "a session goes on under a fresh token");
                Self { token: Some(app.sign(claims)), anchor_ms: Some(claims.anchor.as_ms()) }
            }
            None => Self::default(),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn as_text<S: serde::Serializer>(dot: &Option<Dot>, to: S) -> Result<S::Ok, S::Error> {
    dot.map(|dot| dot.to_string()).serialize(to)
}
