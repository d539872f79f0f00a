//! Viewers who go from one screen to the next, and the players on those screens.
//!
//! Everything a player says goes through the real rules of `playback`: it opens a session at some node,
//! counts its time from the moment it asked, keeps each sample with the token it was taken under, and
//! sends it to any node, again and again, until it is acknowledged. The oracle knows when the viewer
//! really did what.

mod oracle;
mod session;

use std::collections::BTreeMap;

use playmark::{crdt::TitleId, playback::SessionId};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(crate) use self::oracle::Expected;
use self::session::{Fate, Sample, Session, State};
use crate::{
    network::chance,
    profile::pick,
    request::{Answer, Open, PlayerId, Report, Request},
    time::Moment,
};

/// How long a player waits for an answer before it asks another node.
const RETRY_MS: u64 = 400;

/// After how many refusals a player gives a sample up.
const REFUSALS_MAX: u32 = 20;

/// What viewers do, and over what network their players report.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Habits {
    pub(crate) viewers: usize,
    /// How many sessions a viewer opens at most, one after the other.
    pub(crate) sessions: usize,
    /// How many samples a session has at most.
    pub(crate) samples: u32,
    /// The mean time between two samples.
    pub(crate) interval_ms: u64,
    /// How long a viewer takes at most from one screen to the next; sometimes a screen plays on meanwhile.
    pub(crate) pause_ms: u64,
    /// Of a hundred samples so many begin a time without a network.
    pub(crate) offline_percent: u32,
    pub(crate) latency_ms: u64,
    /// Of a hundred requests and answers so many are lost.
    pub(crate) loss_percent: u32,
    /// Of a hundred samples so many are sent once more, much later.
    pub(crate) late_percent: u32,
}

/// All viewers of a world.
#[derive(Debug)]
pub(crate) struct Players {
    habits: Habits,
    nodes: usize,
    sessions: Vec<Session>,
    /// How many sessions each viewer may still open.
    left: BTreeMap<TitleId, usize>,
    /// The fault phase is over: whoever plays stops.
    closing: bool,
}

/// What a player wants of the world.
#[derive(Debug)]
pub(crate) enum Wish {
    /// A request is to reach a node.
    Send { at: Moment, node: usize, request: Request },
    /// The player is to be called again.
    Wake { at: Moment, player: PlayerId },
    /// A sample is to be sent again, if it has not been acknowledged, or anyway.
    Resend { at: Moment, player: PlayerId, sample: usize, late: bool },
}

impl Players {
    /// Makes the viewers; each begins to watch at some time.
    pub(crate) fn new(habits: Habits, nodes: usize, rng: &mut ChaCha8Rng) -> (Self, Vec<Wish>) {
        let mut players = Self { habits, nodes, sessions: Vec::new(), left: BTreeMap::new(), closing: false };
        let mut wishes = Vec::new();
        for viewer in 0..habits.viewers {
            let title = TitleId::parse("bob", &format!("show-{viewer}")).expect("both are ids");
            players.left.insert(title.clone(), rng.random_range(1..=habits.sessions));
            wishes.extend(players.sit_down(title, Moment::default(), rng));
        }
        (players, wishes)
    }

    /// The fault phase is over.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether everybody has stopped, and every sample was acknowledged or given up.
    pub(crate) fn are_done(&self) -> bool {
        self.sessions.iter().all(Session::is_done)
    }

    /// A viewer turns to another screen, some time after `at`.
    fn sit_down(&mut self, title: TitleId, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        let left = self.left.get_mut(&title).expect("every title has a viewer");
        if *left == 0 || self.closing {
            return Vec::new();
        }
        *left -= 1;
        let player = self.sessions.len();
        let id = SessionId::from_random(rng.random());
        self.sessions.push(Session::new(title, id, rng.random_range(1..=self.habits.samples)));
        let at = at.plus_us(rng.random_range(0..=self.habits.pause_ms * 1_000));
        vec![Wish::Wake { at, player }]
    }

    /// A player's turn.
    pub(crate) fn wake(&mut self, player: PlayerId, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        match self.sessions[player].state {
            State::Opening if self.closing => {
                self.sessions[player].state = State::Over;
                Vec::new()
            }
            State::Opening => self.ask(player, at, rng),
            State::Playing => self.play(player, at, rng),
            State::Left => {
                self.sessions[player].close(at, rng);
                self.flush(player, at, rng)
            }
            State::Over => Vec::new(),
        }
    }

    /// Asks for a token, and again if no answer comes.
    fn ask(&mut self, player: PlayerId, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        let mut wishes = self.ask_once(player, at, rng);
        wishes.push(Wish::Wake { at: at.plus_us(RETRY_MS * 1_000), player });
        wishes
    }

    fn ask_once(&mut self, player: PlayerId, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        let session = &self.sessions[player];
        let running = session.newest().map(|token| (token.claims.clone(), token.elapsed_ms(at)));
        let (title, id) = (session.title.clone(), session.id);
        let open = Open { player, title, session: id, running, asked: at };
        let node = rng.random_range(0..self.nodes);
        self.send(at, node, Request::Open(open), rng).into_iter().collect()
    }

    /// Takes a sample, sends it, and sees what the viewer does next.
    fn play(&mut self, player: PlayerId, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let session = &mut self.sessions[player];
        if session.is_offline(at) {
            session.take_sample(at, rng);
        } else {
            if session.comes_back(at) {
                // A player asks for a fresh token when its network is back.
                wishes.extend(self.ask_once(player, at, rng));
            }
            let session = &mut self.sessions[player];
            if chance(rng, self.habits.offline_percent) {
                session.goes_offline(at.plus_us(rng.random_range(0..=self.habits.interval_ms * 6_000)));
            }
            session.take_sample(at, rng);
        }
        let session = &mut self.sessions[player];
        if session.has_all_samples() || self.closing {
            session.leave(at, rng);
            if session.state == State::Left {
                let pause = if self.closing { 0 } else { self.habits.pause_ms * 2_000 };
                wishes.push(Wish::Wake { at: at.plus_us(rng.random_range(0..=pause)), player });
            }
            let title = session.title.clone();
            wishes.extend(self.sit_down(title, at, rng));
        } else {
            let interval = rng.random_range(1..=self.habits.interval_ms * 2_000);
            wishes.push(Wish::Wake { at: at.plus_us(interval), player });
            // Now and then the next screen is turned on while this one plays.
            if chance(rng, 3) {
                let title = session.title.clone();
                wishes.extend(self.sit_down(title, at, rng));
            }
        }
        wishes.extend(self.flush(player, at, rng));
        wishes
    }

    /// Sends what has not been sent; offline nothing is.
    fn flush(&mut self, player: PlayerId, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        let session = &self.sessions[player];
        if session.is_offline(at) && session.state == State::Playing {
            return Vec::new();
        }
        let unsent = self.sessions[player].take_unsent();
        unsent.into_iter().flat_map(|sample| self.report(player, sample, at, rng)).collect()
    }

    /// Sends a sample to some node, and plans to send it again.
    fn report(&mut self, player: PlayerId, sample: usize, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        let mut wishes = self.report_once(player, sample, at, rng);
        let retry = at.plus_us(rng.random_range(RETRY_MS * 500..=RETRY_MS * 1_500));
        wishes.push(Wish::Resend { at: retry, player, sample, late: false });
        if chance(rng, self.habits.late_percent) {
            let late = at.plus_us(rng.random_range(0..=4_000_000));
            wishes.push(Wish::Resend { at: late, player, sample, late: true });
        }
        wishes
    }

    fn report_once(
        &mut self,
        player: PlayerId,
        sample: usize,
        at: Moment,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Wish> {
        let (claims, heartbeat) = self.sessions[player].report(sample, at);
        let node = rng.random_range(0..self.nodes);
        let report = Report { player, sample, claims: Box::new(claims), heartbeat: Box::new(heartbeat) };
        self.send(at, node, Request::Report(report), rng).into_iter().collect()
    }

    /// Sends a sample again.
    pub(crate) fn resend(
        &mut self,
        player: PlayerId,
        sample: usize,
        late: bool,
        at: Moment,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Wish> {
        if late {
            return self.report_once(player, sample, at, rng);
        }
        if self.sessions[player].is_settled(sample) {
            return Vec::new();
        }
        let mut wishes = self.report_once(player, sample, at, rng);
        let retry = at.plus_us(rng.random_range(RETRY_MS * 500..=RETRY_MS * 1_500));
        wishes.push(Wish::Resend { at: retry, player, sample, late: false });
        wishes
    }

    fn send(&self, at: Moment, node: usize, request: Request, rng: &mut ChaCha8Rng) -> Option<Wish> {
        if chance(rng, self.habits.loss_percent) {
            return None;
        }
        let at = at.plus_us(rng.random_range(0..=self.habits.latency_ms * 1_000));
        Some(Wish::Send { at, node, request })
    }

    /// How long an answer is under way; `None` if it is lost.
    pub(crate) fn answer_delay(&self, rng: &mut ChaCha8Rng) -> Option<u64> {
        let lost = chance(rng, self.habits.loss_percent);
        (!lost).then(|| rng.random_range(0..=self.habits.latency_ms * 1_000))
    }

    /// An answer has come.
    pub(crate) fn answered(&mut self, answer: Answer, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Wish> {
        match answer {
            Answer::Stored => Vec::new(),
            Answer::Opened { player, claims, asked, opened } => {
                let first =
                    self.sessions[player].opened(claims, asked, opened, pick(rng, &[20_000, 600_000]));
                first.then_some(Wish::Wake { at, player }).into_iter().collect()
            }
            Answer::Acknowledged(player, sample) => {
                self.sessions[player].acknowledged(sample);
                Vec::new()
            }
            Answer::Refused(player, sample) => {
                self.sessions[player].refused(sample, REFUSALS_MAX);
                Vec::new()
            }
        }
    }
}
