//! One session on one device: what its player counts, keeps and sends.

use playmark::{
    crdt::{TitleId, WallTime},
    playback::{Began, Claims, Clock, ENGAGED, Event, Heartbeat, SessionId},
    zoo::{Bug, planted},
};

use super::habits::{Device, Sitting};
use crate::time::Moment;

/// How long a device stays awake after its last sample, if its clock stands still while it sleeps.
const AWAKE_MS: u64 = 60_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Waits for a token before it plays.
    Asking,
    Playing,
    /// Stands still in the middle of a sitting.
    Paused,
    /// Was left paused.
    Left,
    /// Takes no more samples; some may be on their way.
    Over,
}

/// A token, and the moment from which its holder counts.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) claims: Box<Claims>,
    pub(super) asked: Moment,
}

/// A sample, as the player took it.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Under which token; none yet, where the session began offline.
    token: Option<usize>,
    seq: u32,
    /// From the token's asking, or from the session's beginning, to the last movement.
    elapsed_ms: u64,
    pub(super) position_ms: u64,
    event: Event,
    played_ms: u64,
    deliberate: bool,
    /// The device's wall clock when it made the report.
    pub(super) reported: WallTime,
    pub(super) acknowledged: bool,
    /// Whether a node has taken it.
    pub(super) delivered: bool,
}

impl Sample {
    /// Whether what it tells is where the viewer was, and not a start that failed or a look.
    pub(super) fn is_activity(&self) -> bool {
        self.deliberate || u128::from(self.played_ms) >= ENGAGED.as_millis()
    }
}

/// A session.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) viewer: usize,
    pub(super) device: usize,
    pub(super) title: TitleId,
    pub(super) id: SessionId,
    pub(super) sitting: Sitting,
    pub(super) phase: Phase,
    /// Counts the times it was left or played on, so that what was planned before is known to be stale.
    pub(super) turn: u32,
    pub(super) tokens: Vec<Token>,
    pub(super) samples: Vec<Sample>,
    pub(super) position_ms: u64,
    /// How much more of this sitting there is.
    pub(super) to_play_ms: u64,
    /// When it began, by the truth and by the device's wall clock.
    began: Moment,
    began_wall: WallTime,
    /// The latest time of a node that the device had heard of then.
    heard: Option<WallTime>,
    moved: Moment,
    played_ms: u64,
    deliberate: bool,
}

/// What a screen is begun with.
pub(super) struct Beginning {
    pub(super) viewer: usize,
    pub(super) device: usize,
    pub(super) title: TitleId,
    pub(super) id: SessionId,
    pub(super) sitting: Sitting,
    pub(super) position_ms: u64,
    pub(super) to_play_ms: u64,
    pub(super) heard: Option<WallTime>,
}

impl Screen {
    pub(super) fn new(beginning: Beginning, device: &Device, at: Moment) -> Self {
        let Beginning { viewer, device: number, title, id, sitting, position_ms, to_play_ms, heard } =
            beginning;
        Self {
            viewer,
            device: number,
            title,
            id,
            sitting,
            phase: Phase::Asking,
            turn: 0,
            tokens: Vec::new(),
            samples: Vec::new(),
            position_ms,
            to_play_ms,
            began: at,
            began_wall: device.wall.read(at),
            heard,
            moved: at,
            played_ms: 0,
            deliberate: false,
        }
    }

    /// Begins to play, or goes on.
    pub(super) fn plays_from(&mut self, at: Moment) {
        (self.phase, self.moved) = (Phase::Playing, at);
        self.turn += 1;
    }

    /// Plays until `at`.
    pub(super) fn plays_until(&mut self, at: Moment) {
        let played_ms = ms_between(self.moved, at);
        self.moved = at;
        self.position_ms += played_ms;
        self.played_ms += played_ms;
        self.to_play_ms = self.to_play_ms.saturating_sub(played_ms);
    }

    /// Goes elsewhere, because the viewer wants to.
    pub(super) fn seeks(&mut self, position_ms: u64) {
        (self.position_ms, self.deliberate) = (position_ms, true);
    }

    /// Takes a sample of a movement that has just been made.
    pub(super) fn moves(&mut self, event: Event, device: &Device, at: Moment) -> usize {
        let token = self.tokens.len().checked_sub(1);
        let asked = token.map_or(self.began, |token| self.tokens[token].asked);
        self.push(event, token, ms_between(asked, at), device.wall.read(at))
    }

    /// Takes a sample without movement: it carries the time of the last one, and its token (R5).
    pub(super) fn repeats(&mut self, event: Event, device: &Device, at: Moment) -> usize {
        let last = self.samples.last().expect("something has moved before it stands still");
        let (token, mut elapsed_ms) = (last.token, last.elapsed_ms);
        if planted(Bug::StampWithoutMovement) {
            elapsed_ms = ms_between(token.map_or(self.began, |token| self.tokens[token].asked), at);
        }
        self.push(event, token, elapsed_ms, device.wall.read(at))
    }

    fn push(&mut self, event: Event, token: Option<usize>, elapsed_ms: u64, reported: WallTime) -> usize {
        let seq = u32::try_from(self.samples.len()).expect("a session has few samples") + 1;
        let (position_ms, played_ms, deliberate) = (self.position_ms, self.played_ms, self.deliberate);
        self.samples.push(Sample {
            token,
            seq,
            elapsed_ms,
            position_ms,
            event,
            played_ms,
            deliberate,
            reported,
            acknowledged: false,
            delivered: false,
        });
        self.samples.len() - 1
    }

    /// Takes a token in; one that answers an older question than the newest does is passed over.
    pub(super) fn takes_token(&mut self, claims: Box<Claims>, asked: Moment) {
        if self.tokens.last().is_none_or(|newest| newest.asked < asked) {
            self.tokens.push(Token { claims, asked });
        }
    }

    /// Takes the token of a session that began without one: what was kept goes under it.
    pub(super) fn takes_derived(&mut self, claims: Box<Claims>) {
        if !self.tokens.is_empty() {
            return;
        }
        self.tokens.push(Token { claims, asked: self.began });
        self.samples.iter_mut().for_each(|sample| sample.token = Some(0));
    }

    /// What the player says of its clocks when it has come back.
    pub(super) fn told_of_clocks(&self, device: &Device, at: Moment) -> Began {
        let latest_elapsed_ms = self.samples.last().map_or(0, |sample| sample.elapsed_ms);
        Began {
            clock: device.clock,
            latest_elapsed_ms,
            sent_elapsed_ms: Some(self.counted_ms(device, self.began, latest_elapsed_ms, at)),
            occurred_at: Some(self.began_wall),
            sent_at: Some(device.wall.read(at)),
            last_server_time: self.heard,
            issued: None,
        }
    }

    /// Whether no clock of the device can tell when the session began: the one stood still, and the other was
    /// set.
    pub(super) fn is_undated(&self, device: &Device) -> bool {
        device.clock == Clock::Active && device.wall.read(self.began) != self.began_wall
    }

    /// Whether it asks, or holds samples that have no token yet.
    pub(super) fn waits_for_token(&self) -> bool {
        self.phase == Phase::Asking || (self.tokens.is_empty() && !self.samples.is_empty())
    }

    /// Whether there is no more use for a token.
    pub(super) fn needs_none(&self) -> bool {
        self.phase == Phase::Over && !self.waits_for_token()
    }

    /// How long nothing has moved.
    pub(super) fn stood_still_ms(&self, at: Moment) -> u64 {
        ms_between(self.moved, at)
    }

    /// The newest token, and what the player has counted under it.
    pub(super) fn running(&self, device: &Device, at: Moment) -> Option<(Box<Claims>, u64)> {
        let token = self.tokens.last()?;
        let last_ms = self.samples.last().map_or(0, |sample| sample.elapsed_ms);
        Some((token.claims.clone(), self.counted_ms(device, token.asked, last_ms, at)))
    }

    fn counted_ms(&self, device: &Device, from: Moment, last_ms: u64, at: Moment) -> u64 {
        let gone_by_ms = ms_between(from, at);
        match device.clock {
            Clock::Boot => gone_by_ms,
            Clock::Active if self.phase == Phase::Playing => gone_by_ms,
            Clock::Active => gone_by_ms.min(last_ms + AWAKE_MS),
        }
    }

    /// What the player sends of a sample: it keeps the token it was taken under. `None` without any.
    pub(super) fn report(
        &self,
        sample: usize,
        device: &Device,
        at: Moment,
    ) -> Option<(Box<Claims>, Box<Heartbeat>)> {
        let sample = &self.samples[sample];
        let newest = planted(Bug::NewestTokenOnOldSamples);
        let token = &self.tokens[if newest { self.tokens.len().checked_sub(1) } else { sample.token }?];
        let heartbeat = Heartbeat {
            token: None,
            profile: None,
            content: None,
            session: None,
            device: None,
            series: None,
            seq: Some(sample.seq),
            elapsed_ms: Some(sample.elapsed_ms),
            sent_elapsed_ms: Some(self.counted_ms(device, token.asked, sample.elapsed_ms, at)),
            position_ms: sample.position_ms,
            duration_ms: None,
            credits_ms: None,
            event: sample.event,
            rate_thousandths: 1_000,
            played_ms: Some(sample.played_ms),
            deliberate: sample.deliberate,
        };
        Some((token.claims.clone(), Box::new(heartbeat)))
    }
}

pub(super) fn ms_between(earlier: Moment, later: Moment) -> u64 {
    later.as_ms().saturating_sub(earlier.as_ms())
}
