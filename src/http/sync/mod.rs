//! `POST /v1/sync`: a device that was away says what it did, and hears what was done.
//!
//! The problem: a device comes back with hours of samples and commands, clocks that are wrong in ways of
//! their own, and a link that drops the answer as often as not; what it did must neither win nor lose for that.
//! The mechanism: one request with up to four parts, each of which any node takes any number of times. Its
//! sessions are answered with tokens, which are derived from its clocks and stored nowhere but on the device
//! (R3). Samples and commands come under tokens, and so are the same registers wherever and how often they
//! arrive (R2). A cursor brings the profile's titles that have changed since. Items stand or fall alone.
//!
//! What was refused: reports and commands that only their arrival could date. Those have doors of their own,
//! and a repetition there is another event; here nothing is.

mod changes;
mod commands;
mod tokens;

pub use changes::SYNC_CHANGES_MAX;
pub(super) use tokens::Derived;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use self::{
    changes::{Missed, Since},
    commands::{Clerk, Command},
};
use crate::{
    crdt::ProfileId,
    http::{
        App, Problem,
        auth::{Scope, Visitor},
        body,
        contract::{
            answers::{ReportItem, TokenItem},
            requests,
        },
        durability,
        heartbeats::{self, ToldMany},
        sessions,
    },
    node::Assurance,
    playback::{Clocks, Heartbeat, Offline},
};

/// How many sessions one request may ask tokens for: a long flight's, on every device of a family.
pub const SYNC_SESSIONS_MAX: usize = 64;

/// How many commands one request may bring; each is a turn of its own.
pub const SYNC_COMMANDS_MAX: usize = 64;

/// The least: a device drops what was acknowledged, and nothing comes after that would heal the loss.
const ASSURANCE: Assurance = Assurance::Synced;

/// A request, each of its items as far as it could be read.
struct Asked {
    profile: ProfileId,
    sessions: Option<Vec<Result<Offline, Problem>>>,
    heartbeats: Option<Vec<Result<Heartbeat, Problem>>>,
    commands: Option<Vec<Result<Command, Problem>>>,
    since: Option<Since>,
}

/// The answer: a part for each that was asked for, its items in the same order.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Synced)]
struct Told {
    /// The node's time, of which the device has now heard.
    now_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<TokenItem>>)]
    tokens: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeats: Option<ToldMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ReportItem>>)]
    commands: Option<Vec<Value>>,
    #[serde(flatten)]
    #[schema(value_type = Missed)]
    missed: Option<Missed>,
}

#[utoipa::path(
    post,
    path = "/v1/sync",
    tag = "playing",
    operation_id = "sync",
    summary = "Come back online",
    description = "A device that was away says what it did and hears what it missed. Every part may be left out, and \
        sent again, to any node: nothing happens twice. Its items stand or fall alone. \
        With commands it takes the scope `write` too, with a cursor `read` or `events`.",
    params(durability::Asked),
    request_body = requests::Sync,
    responses((status = 200, description = "A part for each that was asked for, its items in the same order.",
        body = Told, headers(("Durability")))),
    extensions(("x-problems" = json!(["too-many-heartbeats", "out-of-order"]))),
)]
pub(super) async fn take(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    query: Result<Query<durability::Asked>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let assurance = durability::assurance(query)?.max(ASSURANCE);
    let Asked { profile, sessions, heartbeats, commands, since } =
        Asked::parse(body::object(&headers, body).await?)?;
    // Whoever may not have all of it gets none of it, before anything is done.
    let caller = visitor.may(&[Scope::Play], &profile)?;
    if commands.is_some() {
        visitor.may(&[Scope::Write], &profile)?;
    }
    if since.is_some() {
        visitor.may(&[Scope::Read, Scope::Events], &profile)?;
    }
    if sessions.is_some() {
        app.gate().limits().session(caller, &profile)?;
    }

    let now = app.node().now().wall;
    let tokens = match sessions {
        Some(sessions) => Some(tokens::derive(&app, caller, &profile, sessions, now)?),
        None => None,
    };
    let mut survived = Survived::default();
    let heartbeats = match heartbeats {
        Some(heartbeats) => {
            let (told, its) = heartbeats::many(&app, &visitor, heartbeats, assurance).await?;
            survived.and(its);
            Some(told)
        }
        None => None,
    };
    let commands = match commands {
        Some(commands) => {
            let clerk = Clerk { app: &app, visitor: &visitor, profile: &profile, assurance };
            Some(clerk.carry_out(commands, &mut survived).await)
        }
        None => None,
    };
    // Last, so that what the device has just said is in it.
    let missed = match since {
        Some(since) => Some(Missed::read(&app, &profile, since).await?),
        None => None,
    };
    let told = Told { now_ms: now.as_ms(), tokens, heartbeats, commands, missed };
    Ok((durability::headers(None, survived.least()), Json(told)).into_response())
}

/// What the least of a request's writes has survived.
#[derive(Default)]
struct Survived(Option<Assurance>);

impl Survived {
    /// Adds a turn's; one that had nothing to write says nothing.
    fn and(&mut self, its: Assurance) {
        if its >= ASSURANCE {
            self.0 = Some(self.0.map_or(its, |least| least.min(its)));
        }
    }

    /// What stands without having been written has survived what it was acknowledged with before.
    fn least(self) -> Assurance {
        self.0.unwrap_or(ASSURANCE)
    }
}

impl Asked {
    fn parse(mut asked: Value) -> Result<Self, Problem> {
        let profile = sessions::text(&asked, "profile")?.unwrap_or_default();
        let profile = ProfileId::parse(profile).map_err(|why| Problem::id("profile", why))?;
        let since = sessions::text(&asked, "cursor")?.map(Since::parse).transpose()?;
        let clocks = &asked["clocks"];
        if !(clocks.is_object() || clocks.is_null()) {
            return Err(Problem::Invalid { field: "clocks", fix: "must be an object".into() });
        }
        let clocks = Clocks::from_value(clocks)?;
        let sessions = list(&mut asked, "sessions", SYNC_SESSIONS_MAX)?;
        let commands = list(&mut asked, "commands", SYNC_COMMANDS_MAX)?;
        let heartbeats = list(&mut asked, "heartbeats", usize::MAX)?;
        if let Some(heartbeats) = &heartbeats {
            body::check_count(heartbeats.len())?;
        }
        let session = |said: Value| Ok(Offline::from_value(&said, &clocks)?);
        let command = |said: Value| Command::parse(&said);
        Ok(Self {
            sessions: sessions.map(|it| it.into_iter().map(session).collect()),
            heartbeats: heartbeats.map(|it| it.into_iter().map(|said| sample(&profile, said)).collect()),
            commands: commands.map(|it| it.into_iter().map(command).collect()),
            profile,
            since,
        })
    }
}

/// Reads a sample that is dated by its token, which must be of this profile.
fn sample(profile: &ProfileId, said: Value) -> Result<Heartbeat, Problem> {
    let mut heartbeat = Heartbeat::from_value(said)?;
    let missing = |field, fix: &str| Err(Problem::Invalid { field, fix: format!("is missing: {fix}") });
    if heartbeat.token.is_none() {
        return missing("token", "ask for one with `sessions`, and keep it beside the sample");
    }
    if heartbeat.elapsed_ms.is_none() {
        return missing("elapsed_ms", "send the time from asking for the token to taking the sample");
    }
    heartbeat.profile.get_or_insert_with(|| profile.clone());
    Ok(heartbeat)
}

fn list(asked: &mut Value, field: &'static str, max: usize) -> Result<Option<Vec<Value>>, Problem> {
    match asked.get_mut(field).map(Value::take) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) if items.len() <= max => Ok(Some(items)),
        Some(Value::Array(items)) => {
            let fix =
                format!("must have at most {max} items, and has {}; send the rest after it", items.len());
            Err(Problem::Invalid { field, fix })
        }
        Some(_) => Err(Problem::Invalid { field, fix: "must be a list".into() }),
    }
}
