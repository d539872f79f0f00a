//! One session on one screen.

use playmark::{
    crdt::{Stamp, TitleId, WallTime},
    playback::{Claims, Event, Heartbeat, Promise, SessionId},
    zoo::{Bug, planted},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{network::chance, profile::pick, time::Moment};

/// How much faster than the world's clock the films of its viewers run, so that a session of seconds can
/// have played for long.
const SPEED: u64 = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It has no token yet.
    Opening,
    Playing,
    /// It was left paused.
    Left,
    /// It takes no more samples; some may be unacknowledged.
    Over,
}

/// A token, and the moment from which its holder counts.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) claims: Box<Claims>,
    asked: Moment,
    /// How long the node took to open it, from the asking on.
    pub(super) delay_ms: u64,
}

/// A session, as the player knows it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) title: TitleId,
    pub(super) id: SessionId,
    pub(super) state: State,
    pub(super) tokens: Vec<Token>,
    pub(super) samples: Vec<Sample>,
    to_take: u32,
    position_ms: u64,
    played_ms: u64,
    deliberate: bool,
    paused: bool,
    last_taken: Moment,
    offline_until: Option<Moment>,
}

/// A sample, as the player took it, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    token: usize,
    seq: u32,
    /// By the token's count; of the last movement, where there is none.
    elapsed_ms: u64,
    pub(super) position_ms: u64,
    event: Event,
    pub(super) played_ms: u64,
    pub(super) deliberate: bool,
    /// When the viewer really did it.
    pub(super) moved: Moment,
    pub(super) fate: Fate,
    refusals: u32,
}

/// What became of a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Unsent,
    Sent,
    Acknowledged,
    /// Turned away so often that its player gives up.
    GivenUp,
}

impl Sample {
    /// Whether its acknowledgement promises to survive a power cut.
    pub(super) fn is_synced(&self) -> bool {
        self.event.promise() == Promise::Synced
    }
}

impl Token {
    pub(super) fn elapsed_ms(&self, at: Moment) -> u64 {
        u64::try_from(at.since(self.asked).as_millis()).expect("a session is short")
    }
}

impl Session {
    pub(super) fn new(title: TitleId, id: SessionId, to_take: u32) -> Self {
        Self {
            title,
            id,
            state: State::Opening,
            tokens: Vec::new(),
            samples: Vec::new(),
            to_take,
            position_ms: 0,
            played_ms: 0,
            deliberate: false,
            paused: false,
            last_taken: Moment::default(),
            offline_until: None,
        }
    }

    pub(super) fn newest(&self) -> Option<&Token> {
        self.tokens.last()
    }

    /// Takes a token in; says whether it is the first. One that answers an older question is passed over.
    pub(super) fn opened(
        &mut self,
        claims: Box<Claims>,
        asked: Moment,
        opened: Moment,
        position_ms: u64,
    ) -> bool {
        let first = self.tokens.is_empty();
        let is_newer = self.newest().is_none_or(|token| token.asked < asked);
        if self.state == State::Over || !is_newer {
            return false;
        }
        let delay_ms = u64::try_from(opened.since(asked).as_millis()).expect("an answer is quick");
        self.tokens.push(Token { claims, asked, delay_ms });
        if first {
            (self.state, self.position_ms, self.last_taken) = (State::Playing, position_ms, opened);
        }
        first
    }

    pub(super) fn is_offline(&self, at: Moment) -> bool {
        self.offline_until.is_some_and(|until| at < until)
    }

    pub(super) fn goes_offline(&mut self, until: Moment) {
        self.offline_until = Some(until);
    }

    /// Whether the network is back, told once.
    pub(super) fn comes_back(&mut self, at: Moment) -> bool {
        self.offline_until.take_if(|until| *until <= at).is_some()
    }

    pub(super) fn has_all_samples(&self) -> bool {
        u32::try_from(self.samples.len()).expect("a session has few samples") >= self.to_take
    }

    pub(super) fn take_sample(&mut self, at: Moment, rng: &mut ChaCha8Rng) {
        let since_last = u64::try_from(at.since(self.last_taken).as_millis()).expect("a session is short");
        self.last_taken = at;
        let event = match rng.random_range(0..10) {
            0 => Event::Seeked,
            1 if !self.samples.is_empty() => Event::Paused,
            _ => Event::Playing,
        };
        if event == Event::Paused {
            self.paused = true;
            return self.repeat(event, at);
        }
        if event == Event::Seeked {
            self.position_ms = rng.random_range(10_000..5_000_000);
            self.deliberate = true;
        } else if !self.paused {
            self.position_ms += since_last * SPEED;
            self.played_ms += since_last * SPEED;
        }
        self.paused = false;
        let token = self.tokens.len() - 1;
        let elapsed_ms = self.tokens[token].elapsed_ms(at);
        self.push(token, elapsed_ms, event, at);
    }

    /// The viewer turns away: the player is closed, or left paused and closed some time after.
    pub(super) fn leave(&mut self, at: Moment, rng: &mut ChaCha8Rng) {
        self.offline_until = None;
        let event = pick(rng, &[Event::Stopped, Event::Paused]);
        self.repeat(event, at);
        self.state = if event == Event::Paused { State::Left } else { State::Over };
    }

    /// A player that was left paused is closed, if anybody ever does.
    pub(super) fn close(&mut self, at: Moment, rng: &mut ChaCha8Rng) {
        if chance(rng, 70) {
            self.repeat(Event::Stopped, at);
        }
        self.state = State::Over;
    }

    /// A report without movement: it carries the time of the last one, and its token (R5).
    fn repeat(&mut self, event: Event, at: Moment) {
        let last = self.samples.last().expect("something has moved before it stands still");
        let (token, mut elapsed_ms, moved) = (last.token, last.elapsed_ms, last.moved);
        if planted(Bug::StampWithoutMovement) {
            elapsed_ms = self.tokens[token].elapsed_ms(at);
        }
        self.push(token, elapsed_ms, event, moved);
    }

    fn push(&mut self, token: usize, elapsed_ms: u64, event: Event, moved: Moment) {
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
            moved,
            fate: Fate::Unsent,
            refusals: 0,
        });
    }

    pub(super) fn take_unsent(&mut self) -> Vec<usize> {
        let is_unsent = |&index: &usize| self.samples[index].fate == Fate::Unsent;
        let unsent: Vec<_> = (0..self.samples.len()).filter(is_unsent).collect();
        for &index in &unsent {
            self.samples[index].fate = Fate::Sent;
        }
        unsent
    }

    /// What the player sends: the sample with the token it was taken under.
    pub(super) fn report(&self, sample: usize, at: Moment) -> (Claims, Heartbeat) {
        let sample = &self.samples[sample];
        let newest = planted(Bug::NewestTokenOnOldSamples);
        let token = &self.tokens[if newest { self.tokens.len() - 1 } else { sample.token }];
        let heartbeat = Heartbeat {
            token: None,
            profile: None,
            content: None,
            session: None,
            device: None,
            seq: Some(sample.seq),
            elapsed_ms: Some(sample.elapsed_ms),
            sent_elapsed_ms: Some(token.elapsed_ms(at).max(sample.elapsed_ms)),
            position_ms: sample.position_ms,
            duration_ms: None,
            credits_ms: None,
            event: sample.event,
            rate_thousandths: 1_000,
            played_ms: Some(sample.played_ms),
            deliberate: sample.deliberate,
            series: None,
        };
        ((*token.claims).clone(), heartbeat)
    }

    pub(super) fn acknowledged(&mut self, sample: usize) {
        self.samples[sample].fate = Fate::Acknowledged;
    }

    pub(super) fn refused(&mut self, sample: usize, refusals_max: u32) {
        let sample = &mut self.samples[sample];
        sample.refusals += 1;
        if sample.refusals >= refusals_max && sample.fate == Fate::Sent {
            sample.fate = Fate::GivenUp;
        }
    }

    pub(super) fn is_settled(&self, sample: usize) -> bool {
        matches!(self.samples[sample].fate, Fate::Acknowledged | Fate::GivenUp)
    }

    pub(super) fn is_done(&self) -> bool {
        match self.state {
            State::Opening | State::Playing | State::Left => false,
            State::Over => (0..self.samples.len()).all(|sample| self.is_settled(sample)),
        }
    }

    /// When the viewer did it, by the rule: anchor and elapsed time.
    pub(super) fn stamp(&self, sample: &Sample) -> Stamp {
        let time: WallTime = self.tokens[sample.token].claims.anchor.plus_ms(sample.elapsed_ms);
        Stamp { time, counter: sample.seq, writer: *self.id.as_bytes() }
    }
}
