//! Tokens for sessions that began without one.

use serde::Serialize;
use serde_json::Value;

use crate::{
    crdt::{ProfileId, TitleId, WallTime},
    http::{App, Problem, auth::Caller, heartbeats::refused},
    playback::{Began, Claims, Offline, Rights, Scope},
};

/// A token, derived. Nothing is stored: the device keeps it beside its samples.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DerivedToken)]
pub(in crate::http) struct Derived {
    session: String,
    token: String,
    anchor_ms: u64,
    expires_ms: u64,
    time_quality: &'static str,
}

/// Derives a token for each session of a profile.
pub(super) fn derive(
    app: &App,
    caller: &Caller,
    profile: &ProfileId,
    sessions: Vec<Result<Offline, Problem>>,
    now: WallTime,
) -> Result<Vec<Value>, Problem> {
    let scope = app.node().scope(profile)?;
    let mut desk = Desk { app, caller, profile, scope, now, room: None };
    let told = sessions.into_iter().map(|session| match session.and_then(|it| desk.derive(it)) {
        Ok(derived) => serde_json::to_value(derived).expect("an answer is texts and numbers"),
        Err(problem) => refused(&problem),
    });
    Ok(told.collect())
}

/// What one request's tokens have in common.
struct Desk<'a> {
    app: &'a App,
    caller: &'a Caller,
    profile: &'a ProfileId,
    scope: Scope,
    now: WallTime,
    /// Whether the profile may have one more title, and how many it may have where not; looked up once.
    room: Option<Result<(), u32>>,
}

impl Desk<'_> {
    fn derive(&mut self, offline: Offline) -> Result<Derived, Problem> {
        let Offline { content, session, device, series, began } = offline;
        let derived = Began { issued: self.caller.issued(), ..began }.derive(self.now)?;
        let title = TitleId { profile: self.profile.clone(), content };
        if self.app.node().title_in(&title, &self.scope)?.registers.is_empty() {
            self.check_room()?;
        }
        let policy = self.app.policy();
        let claims = Claims::derived(title, session, device, Rights::ALL, derived, self.now, policy);
        let claims = Claims { series, ..claims };
        Ok(Derived {
            session: session.to_string(),
            token: self.app.sign(&claims),
            anchor_ms: claims.anchor.as_ms(),
            expires_ms: claims.expires.as_ms(),
            time_quality: claims.quality.as_str(),
        })
    }

    fn check_room(&mut self) -> Result<(), Problem> {
        let room = match self.room {
            Some(room) => room,
            None => match self.app.check_room(self.profile) {
                Ok(()) => Ok(()),
                Err(Problem::TooManyContents { most }) => Err(most),
                Err(other) => return Err(other),
            },
        };
        self.room = Some(room);
        room.map_err(|most| Problem::TooManyContents { most })
    }
}
