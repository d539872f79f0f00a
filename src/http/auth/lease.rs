//! Answers that go on: for how long whoever asked may have them.

use std::{future::pending, time::Duration};

use axum::http::{HeaderMap, HeaderValue, header};
use tokio::{sync::watch, time::sleep};

use super::{Denied, Visitor, need::Need};
use crate::{
    crdt::{ProfileId, WallTime},
    http::{App, Problem},
};

/// How long the end of a credential is slept towards in one go: the wall clock, by which it ends, may be set
/// meanwhile.
const SLEPT_AT_ONCE: Duration = Duration::from_secs(30);

/// What somebody has who was let in, for as long as their credential stays one. Where nobody is asked who they
/// are, it never ends.
pub(in crate::http) struct Lease {
    app: App,
    held: Option<Box<Held>>,
}

struct Held {
    /// What `Authorization` says, copied so that it does not keep the whole head in memory.
    credential: HeaderValue,
    need: Need,
    profile: Option<ProfileId>,
    expires: Option<WallTime>,
    changed: watch::Receiver<()>,
    /// Whether the credential is to be looked at again.
    is_doubted: bool,
}

impl Lease {
    /// What a visitor has who asked with these headers, for a profile or for all of them.
    pub(in crate::http) fn of(
        app: &App,
        visitor: &Visitor,
        headers: &HeaderMap,
        profile: Option<&ProfileId>,
    ) -> Self {
        let held = app.gate().auth().and_then(|auth| {
            let credential = HeaderValue::from_bytes(headers.get(header::AUTHORIZATION)?.as_bytes()).ok()?;
            let (need, profile) = (visitor.need(), profile.cloned());
            let (expires, changed) = (visitor.caller().ok()?.expires(), auth.changed.subscribe());
            // It may have changed between the gate and here.
            Some(Box::new(Held { credential, need, profile, expires, changed, is_doubted: true }))
        });
        Self { app: app.clone(), held }
    }

    /// Says why it is over, if it is.
    pub(in crate::http) fn check(&mut self) -> Result<(), Problem> {
        self.held.as_mut().map_or(Ok(()), |held| held.check(&self.app))
    }

    /// Waits until it is over, and says why; for ever, where it has no end. Dropped meanwhile, it loses nothing.
    pub(in crate::http) async fn ended(&mut self) -> Problem {
        let Some(held) = &mut self.held else { return pending().await };
        loop {
            if let Err(why) = held.check(&self.app) {
                return why;
            }
            let now = self.app.node().now().wall;
            let left = held.expires.map(|end| Duration::from_millis(end.as_ms().saturating_sub(now.as_ms())));
            tokio::select! {
                changed = held.changed.changed() => {
                    changed.expect("the gate lives as long as its app");
                    held.is_doubted = true;
                }
                () = sleep(left.unwrap_or(SLEPT_AT_ONCE).min(SLEPT_AT_ONCE)) => {}
            }
        }
    }
}

impl Held {
    fn check(&mut self, app: &App) -> Result<(), Problem> {
        let now = app.node().now().wall;
        if self.expires.is_some_and(|end| now >= end) {
            return Err(Denied::Expired.into());
        }
        if self.is_doubted || self.changed.has_changed().unwrap_or(true) {
            self.changed.mark_unchanged();
            // What is over once stays so, however often it is asked.
            self.is_doubted = true;
            self.judge(app, now)?;
            self.is_doubted = false;
        }
        Ok(())
    }

    /// Asks what the gate asked.
    fn judge(&self, app: &App, now: WallTime) -> Result<(), Problem> {
        let auth = app.gate().auth().expect("nobody holds a lease where nobody is asked");
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, self.credential.clone())]);
        let visitor = Visitor::new(auth.caller(&headers, now), self.need);
        visitor.is_let_in(self.profile.as_ref().map(ProfileId::as_str))
    }
}
