//! A street of viewers, hour by hour.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use playmark::{
    crdt::{ProfileId, TitleId, WallTime},
    playback::{Claims, Heartbeat, SessionId},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    habits::{
        ASTRAY_PERCENT, COPIED_PERCENT, CUT, Device, LATE_COPY, LATENCY_MS, LOST_PERCENT, NODE_SKEW_MS,
        SET_RIGHT_PERCENT, SPAN_MS, WHOLE,
    },
    happening::{Answered, Asked, Happening},
    regions::{Regions, Reply},
    screen::Screen,
    tally::Tally,
};
use crate::{
    network::chance,
    time::{Moment, WallClock},
};

/// How long a player waits for an answer before it asks again, and how long at most.
pub(super) const RETRY_MS: u64 = 2_000;
const RETRY_MS_MAX: u64 = 120_000;

/// A viewer.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) profile: ProfileId,
    pub(super) devices: Vec<Device>,
    /// Until when each device is offline.
    pub(super) offline_until: Vec<Moment>,
    /// The latest time of a node that each device has heard of.
    pub(super) heard: Vec<Option<WallTime>>,
    pub(super) title: TitleId,
    pub(super) titles: u32,
}

/// What is true of a title.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Truth {
    /// Where the viewer was last.
    pub(super) place_ms: Option<u64>,
    /// How many samples no node has taken yet.
    pub(super) underway: usize,
    /// See [`Screen::is_undated`].
    pub(super) undated: bool,
}

/// Some viewers, their screens, and three regions.
pub(super) struct Street {
    pub(super) rng: ChaCha8Rng,
    pub(super) viewers: Vec<Viewer>,
    pub(super) screens: Vec<Screen>,
    pub(super) truth: BTreeMap<TitleId, Truth>,
    regions: Regions,
    queue: BinaryHeap<Reverse<(Moment, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    planned: u64,
    pub(super) tally: Tally,
}

impl Street {
    /// The street with this number; cuts and clocks are the same in all streets of a seed.
    pub(super) fn new(seed: u64, number: u64, viewers: u64) -> Self {
        let mut weather = ChaCha8Rng::seed_from_u64(seed);
        let mut clock =
            || WallClock { offset_ms: weather.random_range(-NODE_SKEW_MS..=NODE_SKEW_MS), drift_ppm: 0 };
        let regions = Regions::new([clock(), clock(), clock()]);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number + 1);
        let mut street = Self {
            rng,
            viewers: Vec::new(),
            screens: Vec::new(),
            truth: BTreeMap::new(),
            regions,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            planned: 0,
            tally: Tally::default(),
        };
        street.plan_cuts(&mut weather);
        for viewer in 0..viewers {
            street.moves_in(number * viewers + viewer);
        }
        street
    }

    fn plan_cuts(&mut self, weather: &mut ChaCha8Rng) {
        let mut at = Moment::default();
        while at.as_ms() < SPAN_MS {
            at = later(at, WHOLE.draw_ms(weather));
            self.plan(at, Happening::Links([weather.random(), weather.random(), weather.random()]));
            at = later(at, CUT.draw_ms(weather));
            self.plan(at, Happening::Links([false; 3]));
        }
    }

    fn moves_in(&mut self, number: u64) {
        let profile = ProfileId::parse(&format!("viewer-{number}")).expect("an id");
        let devices = Device::household(&mut self.rng);
        let count = devices.len();
        let title = TitleId::parse(profile.as_str(), "title-0").expect("both are ids");
        let viewer = self.viewers.len();
        self.viewers.push(Viewer {
            profile,
            devices,
            offline_until: vec![Moment::default(); count],
            heard: vec![None; count],
            title,
            titles: 0,
        });
        let first = self.rng.random_range(1..SPAN_MS / 2);
        self.plan(Moment::ms(first), Happening::SitsDown(viewer));
    }

    /// Lives through the week, and until all has been told; then asks every node about every title.
    pub(super) fn run(mut self) -> Tally {
        let mut now = Moment::default();
        while let Some(Reverse((at, number))) = self.queue.pop() {
            now = at;
            let happening = self.happenings.remove(&number).expect("what is planned happens once");
            self.happen(happening, at);
        }
        self.regions.cut([false; 3], now);
        for (title, truth) in std::mem::take(&mut self.truth) {
            assert_eq!(truth.underway, 0, "players ask until they are answered");
            self.ask_at_rest(&title, truth);
        }
        self.tally
    }

    fn ask_at_rest(&mut self, title: &TitleId, truth: Truth) {
        let Some(place_ms) = truth.place_ms else { return };
        for at in 0..3 {
            let answers = self.regions.positions_ms(at, title);
            let scores = if truth.undated { &mut self.tally.undated } else { &mut self.tally.at_rest };
            let before = scores.0[0].wrong_ms.len();
            scores.count(place_ms, answers);
            if !truth.undated && scores.0[0].wrong_ms.len() > before {
                let why = format!("{title} at node {at}: {:?}, and the viewer was at {place_ms}", answers[0]);
                self.tally.wrong.push(why);
            }
        }
    }

    pub(super) fn plan(&mut self, at: Moment, happening: Happening) {
        self.planned += 1;
        self.queue.push(Reverse((at, self.planned)));
        self.happenings.insert(self.planned, happening);
    }

    fn happen(&mut self, happening: Happening, at: Moment) {
        match happening {
            Happening::SitsDown(viewer) => self.sits_down(viewer, at),
            Happening::Plays { screen, turn } => self.plays(screen, turn, at),
            Happening::StandsStill { screen, turn } => self.stands_still(screen, turn, at),
            Happening::TurnedOff { screen, turn } => self.turned_off(screen, turn, at),
            Happening::Online { viewer, device } => self.online(viewer, device, at),
            Happening::Again { screen, sample, after_ms } => self.again(screen, sample, after_ms, at),
            Happening::Arrives { screen, node, asked, sent } => self.arrives(screen, node, asked, sent, at),
            Happening::Answer { screen, answered, sent, server } => {
                let Screen { viewer, device, .. } = self.screens[screen];
                self.viewers[viewer].heard[device] = self.viewers[viewer].heard[device].max(Some(server));
                self.answered(screen, answered, sent, at);
            }
            Happening::Links(cut) => self.regions.cut(cut, at),
        }
    }

    pub(super) fn is_online(&self, screen: usize, at: Moment) -> bool {
        let Screen { viewer, device, .. } = self.screens[screen];
        self.viewers[viewer].offline_until[device] <= at
    }

    pub(super) fn device(&self, screen: usize) -> &Device {
        let Screen { viewer, device, .. } = self.screens[screen];
        &self.viewers[viewer].devices[device]
    }

    /// A device's network is back: what it kept is sent.
    fn online(&mut self, viewer: usize, device: usize, at: Moment) {
        if self.viewers[viewer].offline_until[device] > at {
            return;
        }
        let wall = &mut self.viewers[viewer].devices[device].wall;
        if wall.offset_ms.abs() > 1_000 && chance(&mut self.rng, SET_RIGHT_PERCENT) {
            wall.offset_ms = 0;
        }
        for screen in 0..self.screens.len() {
            let it = &self.screens[screen];
            if (it.viewer, it.device) != (viewer, device) {
                continue;
            }
            // Whoever runs asks for a fresh line; what was kept stays under the line it was taken on.
            self.ask_for_token(screen, at);
            let kept = self.screens[screen].samples.iter().enumerate();
            let kept: Vec<_> = kept.filter(|(_, sample)| !sample.acknowledged).map(|it| it.0).collect();
            for sample in kept {
                self.report(screen, sample, RETRY_MS, at);
            }
        }
    }

    /// Asks for a token or, where the session began without one, for its date; again until it is answered.
    pub(super) fn ask_for_token(&mut self, screen: usize, at: Moment) {
        let it = &self.screens[screen];
        let began_offline = it.tokens.is_empty() && !it.samples.is_empty();
        if it.needs_none() || !self.is_online(screen, at) {
            return;
        }
        let device = self.device(screen);
        let asked = if began_offline {
            Asked::Date(it.told_of_clocks(device, at))
        } else {
            Asked::Token { running: it.running(device, at) }
        };
        if began_offline && it.is_undated(device) {
            self.truth.entry(it.title.clone()).or_default().undated = true;
        }
        self.send(screen, asked, at);
        let again = Happening::Again { screen, sample: None, after_ms: RETRY_MS };
        self.plan(later(at, RETRY_MS), again);
    }

    /// Sends a sample, if it has a token and the device a network; again until it is acknowledged.
    pub(super) fn report(&mut self, screen: usize, sample: usize, retry_ms: u64, at: Moment) {
        if !self.is_online(screen, at) || self.screens[screen].samples[sample].acknowledged {
            return;
        }
        let Some((claims, heartbeat)) = self.screens[screen].report(sample, self.device(screen), at) else {
            return;
        };
        let asked = Asked::Report { sample, claims, heartbeat };
        if chance(&mut self.rng, COPIED_PERCENT) {
            let late = later(at, LATE_COPY.draw_ms(&mut self.rng));
            let node = self.rng.random_range(0..3);
            self.plan(late, Happening::Arrives { screen, node, asked: asked.clone(), sent: None });
        }
        self.send(screen, asked, at);
        let after_ms = (retry_ms * 2).min(RETRY_MS_MAX);
        self.plan(later(at, retry_ms), Happening::Again { screen, sample: Some(sample), after_ms });
    }

    fn again(&mut self, screen: usize, sample: Option<usize>, after_ms: u64, at: Moment) {
        match sample {
            Some(sample) => self.report(screen, sample, after_ms, at),
            None if self.screens[screen].waits_for_token() => self.ask_for_token(screen, at),
            None => {}
        }
    }

    fn send(&mut self, screen: usize, asked: Asked, at: Moment) {
        let home = self.device(screen).home;
        let astray = chance(&mut self.rng, ASTRAY_PERCENT);
        let node = if astray { self.rng.random_range(0..3) } else { home };
        if let Some(arrives) = self.on_the_way(at) {
            self.plan(arrives, Happening::Arrives { screen, node, asked, sent: Some(at) });
        }
    }

    fn on_the_way(&mut self, at: Moment) -> Option<Moment> {
        let lost = chance(&mut self.rng, LOST_PERCENT);
        (!lost).then(|| later(at, self.rng.random_range(10..=LATENCY_MS)))
    }

    fn arrives(&mut self, screen: usize, node: usize, asked: Asked, sent: Option<Moment>, at: Moment) {
        let (title, session) = (self.screens[screen].title.clone(), self.screens[screen].id);
        let answered = match asked {
            Asked::Token { running: Some((claims, sent_ms)) } => {
                let fresh = self.regions.renew(node, at, &claims, sent_ms);
                fresh.map_or(Answered::Expired, |claims| Answered::Token(Box::new(claims)))
            }
            Asked::Token { running: None } => {
                self.looks(node, &title);
                let claims = self.regions.open(node, at, &title, session);
                Answered::Token(Box::new(claims))
            }
            Asked::Date(began) => {
                Answered::Dated(Box::new(self.regions.derive(node, at, &title, session, &began)))
            }
            Asked::Report { sample, claims, heartbeat } => {
                self.takes(screen, sample, node, &claims, &heartbeat, at)
            }
        };
        let server = self.regions.wall(node, at);
        if let (Some(sent), Some(back)) = (sent, self.on_the_way(at)) {
            self.plan(back, Happening::Answer { screen, answered, sent, server });
        }
    }

    /// A viewer who sits down sees the place: the hand-over.
    fn looks(&mut self, node: usize, title: &TitleId) {
        let truth = self.truth.get(title).copied().unwrap_or_default();
        let Some(place_ms) = truth.place_ms.filter(|_| !truth.undated) else { return };
        let answers = self.regions.positions_ms(node, title);
        self.tally.hand_overs.count(place_ms, answers);
        if truth.underway == 0 && self.regions.is_whole() {
            self.tally.informed.count(place_ms, answers);
        }
    }

    fn takes(
        &mut self,
        screen: usize,
        sample: usize,
        node: usize,
        claims: &Claims,
        heartbeat: &Heartbeat,
        at: Moment,
    ) -> Answered {
        self.tally.arrivals += 1;
        let it = &mut self.screens[screen];
        if !std::mem::replace(&mut it.samples[sample].delivered, true) {
            self.truth.get_mut(&it.title).expect("a sample was taken").underway -= 1;
        }
        let reported = it.samples[sample].reported;
        let fresh = match self.regions.take(node, at, claims, heartbeat, reported) {
            Reply::Taken(fresh) => fresh,
            Reply::Refused(why) => {
                self.tally.refused += 1;
                self.tally.wrong.push(format!("{}: turned away: {why}", it.title));
                None
            }
        };
        Answered::Taken { sample, fresh }
    }

    /// A session's name, drawn like everything else.
    pub(super) fn new_session(&mut self) -> SessionId {
        SessionId::from_random(self.rng.random())
    }
}

pub(super) fn later(at: Moment, ms: u64) -> Moment {
    at.plus_us(ms * 1_000)
}
