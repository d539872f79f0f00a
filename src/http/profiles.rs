//! What a viewer orders for a whole profile: its settings, and that all of it be forgotten.

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::task::yield_now;

use crate::{
    crdt::ProfileId,
    http::{
        App, Problem, body,
        commands::{Erasing, give, vantage},
        condition,
        contract::{
            params::{Known, OfProfile, OnlyIf},
            requests,
        },
        durability::{self, Asked},
        lists::{self, TURN_TITLES},
    },
    node::Assurance,
    playback::{Policy, Settings, Write},
};

/// How many of a profile's titles one turn erases by fences of their own. Only titles whose stamps lie ahead
/// of the node's clock have one, so that more than a few are an odd thing to see.
const FENCES_MAX: usize = 1_024;

/// What counts for a profile.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Settings)]
struct SettingsView {
    profile: String,
    #[serde(flatten)]
    counting: CountingView,
}

/// What counts, and by whose word.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Counting)]
pub(super) struct CountingView {
    recording: &'static str,
    completed_percent: u8,
    engaged_ms: u64,
    /// Which of them the profile has settled; the others are the node's.
    settled: Vec<&'static str>,
}

impl CountingView {
    pub(super) fn new(settings: &Settings, policy: &Policy) -> Self {
        let judged_by = settings.over(policy);
        let settled = [
            ("recording", settings.paused),
            ("completed_percent", settings.completed_percent.is_some()),
            ("engaged_ms", settings.engaged_ms.is_some()),
        ];
        Self {
            recording: recording(settings),
            completed_percent: judged_by.completed_percent(),
            engaged_ms: u64::try_from(judged_by.engaged().as_millis()).unwrap_or(u64::MAX),
            settled: settled.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect(),
        }
    }
}

/// Whether anything is kept.
pub(super) fn recording(settings: &Settings) -> &'static str {
    if settings.paused { "paused" } else { "on" }
}

/// `GET /v1/profiles/{profile}/settings`
#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/settings",
    tag = "profiles",
    operation_id = "readSettings",
    summary = "Read what counts for a profile",
    params(OfProfile, Known),
    responses(
        (status = 200, description = "The settings.", body = SettingsView, headers(("ETag"))),
        (status = 304, description = "It is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn settings(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(condition::unless_known(&headers, &read(&app, &lists::profile(path)?)?))
}

/// `PUT /v1/profiles/{profile}/settings`
///
/// The whole of them: what a request leaves out is the node's again.
#[utoipa::path(
    put,
    path = "/v1/profiles/{profile}/settings",
    tag = "profiles",
    operation_id = "settle",
    summary = "Settle what counts for a profile",
    description = "All of it: what a request leaves out is the node's again. Thresholds apply backwards.",
    params(OfProfile, Asked, OnlyIf),
    request_body = requests::Settle,
    responses((status = 200, description = "The settings.",
        body = SettingsView, headers(("Dot"), ("Durability"), ("ETag")))),
    extensions(("x-problems" = json!(["precondition-failed"]))),
)]
pub(super) async fn settle(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (profile, asked) = (lists::profile(path)?, durability::assurance(query)?);
    let settings = Settings::from_value(&body::object(&headers, body).await?)?;
    condition::check(&headers, Some(&condition::etag(&read(&app, &profile)?)))?;
    let scope = profile.scope();
    let found = app.node().title(&scope)?;
    let done = give(&app, vantage(&app, &scope, &found).settings(&settings), asked).await?;
    let view = read(&app, &profile)?;
    Ok((done.headers(), [(header::ETAG, condition::etag(&view))], Json(view)).into_response())
}

fn read(app: &App, profile: &ProfileId) -> Result<SettingsView, Problem> {
    let counting = CountingView::new(&app.node().scope(profile)?.settings, app.policy());
    Ok(SettingsView { profile: profile.as_str().to_owned(), counting })
}

/// `DELETE /v1/profiles/{profile}`
///
/// The titles that lie above the profile's fence have fences of their own, which are written before it: whoever
/// has the last of them has all.
#[utoipa::path(
    delete,
    path = "/v1/profiles/{profile}",
    tag = "profiles",
    operation_id = "eraseProfile",
    summary = "Erase all that is known of a profile",
    description = "For ever, but for its settings. Sent again it is a later erasure, of what was played since.",
    params(OfProfile, Asked),
    responses((status = 202, description = "It is erased here, and will be everywhere.",
        body = Erasing, headers(("Dot"), ("Durability"), ("Location")))),
)]
pub(super) async fn erase(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let (profile, asked) = (lists::profile(path)?, durability::assurance(query)?);
    let scope = profile.scope();
    let found = app.node().title(&scope)?;
    let fence = vantage(&app, &scope, &found).profile_fence();
    let mut fences = fences_above(&app, &profile, &fence).await?;
    fences.push(fence);
    let mut done = None;
    for turn in fences.chunks(FENCES_MAX) {
        let written = app.node().write(turn.to_vec(), asked.max(Assurance::Synced)).await?;
        // Of one life's dots the last covers all.
        let dots = written.outcomes.iter().filter_map(|outcome| outcome.standing);
        done = dots.max_by_key(|dot| dot.version).map(|dot| (dot, written.assurance));
    }
    let (dot, survived) = done.expect("a profile's fence stands, or a greater one");
    Ok(Erasing::answer(dot, survived))
}

/// Fences for the titles that hold anything above a profile's fence.
async fn fences_above(app: &App, profile: &ProfileId, fence: &Write) -> Result<Vec<Write>, Problem> {
    let (mut fences, mut after) = (Vec::new(), None);
    loop {
        let titles = app.node().titles(profile, after.as_ref(), TURN_TITLES)?;
        for title in &titles {
            let found = app.node().title(title)?;
            if found.registers.iter().any(|(_, register)| register.stamp > fence.stamp) {
                fences.push(vantage(app, title, &found).fence());
            }
        }
        if titles.len() < TURN_TITLES {
            return Ok(fences);
        }
        after = titles.into_iter().next_back().map(|title| title.content);
        yield_now().await;
    }
}
