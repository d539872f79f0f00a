//! The door as a request sees it: what the node knows of each heartbeat, looked up once a request.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    crdt::{Stamp, TitleId, WallTime},
    http::{
        App, Problem,
        auth::{Scope, Visitor},
    },
    node::ReadError,
    playback::{
        Accepted, Claims, Heartbeat, Known, Outcome, Refused, Sample, Sender, SessionId, Settings, accept,
        slot,
    },
};

/// A heartbeat that was let in.
pub(super) struct Admitted {
    pub(super) accepted: Accepted,
    /// On whose word; `None` is its own.
    pub(super) claims: Option<Arc<Claims>>,
    /// The player's clock when it sent.
    pub(super) sent_elapsed_ms: u64,
}

/// What a title's reports are held against.
#[derive(Clone)]
struct Bar {
    /// The greater of its own and its profile's fence.
    fence: Option<Stamp>,
    settings: Settings,
}

/// Judges a request's heartbeats one after the other, at one moment.
pub(super) struct Door<'a> {
    app: &'a App,
    visitor: &'a Visitor,
    now: WallTime,
    bars: BTreeMap<TitleId, Bar>,
    /// What stands of a session, with what this request adds to it.
    current: BTreeMap<(TitleId, SessionId), Option<(Stamp, Sample)>>,
}

impl<'a> Door<'a> {
    pub(super) fn new(app: &'a App, visitor: &'a Visitor, now: WallTime) -> Self {
        let (bars, current) = (BTreeMap::new(), BTreeMap::new());
        Self { app, visitor, now, bars, current }
    }

    pub(super) fn admit(&mut self, heartbeat: &Heartbeat) -> Result<Admitted, Problem> {
        let verify = |token| self.app.tokens().verify(token, self.now);
        let claims = heartbeat.token.as_deref().map(verify).transpose()?;
        let place = match &claims {
            Some(claims) => (claims.title.clone(), claims.session),
            None => self.unsigned(heartbeat)?,
        };
        if heartbeat.wants_current() {
            self.look_up(&place)?;
        }
        let Bar { fence, settings } = self.bar(&place.0)?;
        let current = self.current.get(&place).and_then(Option::as_ref);
        let current = current.map(|(stamp, sample)| (*stamp, sample));
        let known = Known { fence, current, paused: settings.paused };
        let sender = match &claims {
            Some(claims) => Sender::Signed(claims),
            None => Sender::Unsigned { title: &place.0, session: place.1 },
        };
        let accepted = accept(heartbeat, sender, known, self.now, &settings.over(self.app.policy()));
        let sent_elapsed_ms = heartbeat.sent_elapsed_ms.unwrap_or_default();
        let accepted = accepted.map_err(|why| self.refused(why, claims.as_deref(), sent_elapsed_ms))?;
        self.keep_current(&place, &accepted);
        Ok(Admitted { accepted, claims, sent_elapsed_ms })
    }

    /// Whose report it is that no token speaks for; whoever brings it must be allowed to.
    fn unsigned(&self, heartbeat: &Heartbeat) -> Result<(TitleId, SessionId), Problem> {
        let place = heartbeat.unsigned()?;
        self.visitor.may(&[Scope::Play], &place.0.profile)?;
        if self.app.node().title(&place.0)?.registers.is_empty() {
            self.app.check_room(&place.0.profile)?;
        }
        Ok(place)
    }

    fn bar(&mut self, title: &TitleId) -> Result<Bar, ReadError> {
        if let Some(bar) = self.bars.get(title) {
            return Ok(bar.clone());
        }
        let own = self.app.node().register(&title.key(slot::FENCE))?.map(|register| register.stamp);
        let scope = self.app.node().scope(&title.profile)?;
        let bar = Bar { fence: own.max(scope.fence), settings: scope.settings };
        self.bars.insert(title.clone(), bar.clone());
        Ok(bar)
    }

    /// Finds the greater register of a session, by which a report without a time of its own is judged.
    fn look_up(&mut self, place: &(TitleId, SessionId)) -> Result<(), ReadError> {
        if self.current.contains_key(place) {
            return Ok(());
        }
        let title = self.app.node().title(&place.0)?;
        let greater = title.of_session(place.1);
        let greater = greater.and_then(|it| Some((it.stamp, Sample::decode(&it.value).ok()?)));
        self.current.insert(place.clone(), greater);
        Ok(())
    }

    /// Later heartbeats of the request see what earlier ones of their session say.
    fn keep_current(&mut self, place: &(TitleId, SessionId), accepted: &Accepted) {
        let Outcome::Write { place: write, .. } = &accepted.outcome else { return };
        if let Some(current) = self.current.get_mut(place)
            && current.as_ref().is_none_or(|(stamp, _)| *stamp < write.stamp)
        {
            *current = Sample::decode(&write.value).ok().map(|sample| (write.stamp, sample));
        }
    }

    /// Adds a fresh token where one helps: to a player whose clock runs wild.
    fn refused(&self, why: Refused, claims: Option<&Claims>, sent_elapsed_ms: u64) -> Problem {
        let fresh = claims.filter(|_| matches!(why, Refused::ClockRunsWild { .. })).and_then(|claims| {
            let shown = self.app.node().title(&claims.title).ok()?.shown_to(claims.session);
            let fresh = claims.renewed(sent_elapsed_ms, &shown, self.now)?;
            Some((self.app.sign(&fresh), fresh.anchor.as_ms()))
        });
        Problem::Refused { why, fresh }
    }
}
