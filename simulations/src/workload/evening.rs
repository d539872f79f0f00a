//! What viewers do in a street: sit down, play, pause, seek, leave.

use playmark::{crdt::TitleId, playback::Event};
use rand::Rng;

use super::{
    habits::{
        DEAD_SPOT, DEAD_SPOT_PERCENT, DIES_PERCENT, GAP, INTERVAL_MS, JOURNEY, LEFT_ON, LEFT_PAUSED_PERCENT,
        OFFLINE_PERCENT, PAUSE, PAUSE_PERCENT, RETURN_PERCENT, SEEK_PERCENT, SITTING, SPAN_MS,
        STILL_INTERVAL_MS, Sitting, TITLE_MS,
    },
    happening::{Answered, Happening},
    screen::{Beginning, Phase, Screen},
    street::{RETRY_MS, Street, later},
};
use crate::{network::chance, profile::pick, time::Moment};

/// How long a player that fails tries.
const FAILS_AFTER_MS: u64 = 1_500;
/// After how long a pause a player asks for a fresh line before it plays on.
const REVALIDATE_AFTER_MS: u64 = 300_000;
/// How long a return to the beginning by hand is, at most.
const REWIND_MS_MAX: u64 = 120_000;

impl Street {
    pub(super) fn sits_down(&mut self, viewer: usize, at: Moment) {
        if at.as_ms() >= SPAN_MS {
            return;
        }
        if chance(&mut self.rng, RETURN_PERCENT)
            && let Some(screen) = self.left_on(viewer, at)
        {
            self.screens[screen].to_play_ms = SITTING.draw_ms(&mut self.rng);
            self.screens[screen].phase = Phase::Asking;
            self.screens[screen].turn += 1;
            return self.ask_for_token(screen, at);
        }
        let number = self.rng.random_range(0..self.viewers[viewer].devices.len());
        let to_play_ms = SITTING.draw_ms(&mut self.rng);
        let goes_offline =
            self.viewers[viewer].devices[number].mobile && chance(&mut self.rng, OFFLINE_PERCENT);
        if goes_offline {
            let journey_ms = to_play_ms + JOURNEY.draw_ms(&mut self.rng);
            self.loses_network(viewer, number, later(at, journey_ms));
        }
        self.begins(viewer, number, to_play_ms, at);
    }

    /// A screen of this viewer that was left paused, shows this title and can be reached.
    fn left_on(&self, viewer: usize, at: Moment) -> Option<usize> {
        let title = &self.viewers[viewer].title;
        let is_it = |screen: &Screen| {
            screen.viewer == viewer && screen.phase == Phase::Left && screen.title == *title
        };
        let screen = self.screens.iter().rposition(is_it)?;
        self.is_online(screen, at).then_some(screen)
    }

    fn loses_network(&mut self, viewer: usize, device: usize, until: Moment) {
        let offline_until = &mut self.viewers[viewer].offline_until[device];
        if until > *offline_until {
            *offline_until = until;
            self.plan(until, Happening::Online { viewer, device });
        }
    }

    fn begins(&mut self, viewer: usize, device: usize, to_play_ms: u64, at: Moment) {
        let id = self.new_session();
        let Viewed { title, place_ms } = self.viewed(viewer);
        let sitting = if place_ms > 0 { Sitting::draw(&mut self.rng) } else { Sitting::GoesOn };
        let rewind_ms = self.rng.random_range(0..=REWIND_MS_MAX);
        let position_ms = match sitting {
            Sitting::GoesOn => place_ms,
            Sitting::Rewinds => place_ms.saturating_sub(rewind_ms),
            Sitting::Restarts | Sitting::FailedStart | Sitting::Peek => 0,
        };
        let heard = self.viewers[viewer].heard[device];
        let beginning = Beginning { viewer, device, title, id, sitting, position_ms, to_play_ms, heard };
        let screen = self.screens.len();
        self.screens.push(Screen::new(beginning, &self.viewers[viewer].devices[device], at));
        self.tally.sessions += 1;
        if self.is_online(screen, at) {
            self.ask_for_token(screen, at);
        } else {
            self.tally.offline += 1;
            self.first_samples(screen, at);
        }
    }

    fn viewed(&self, viewer: usize) -> Viewed {
        let title = self.viewers[viewer].title.clone();
        let place_ms = self.truth.get(&title).and_then(|truth| truth.place_ms).unwrap_or_default();
        Viewed { title, place_ms }
    }

    /// What a player says before it has played.
    fn first_samples(&mut self, screen: usize, at: Moment) {
        self.screens[screen].plays_from(at);
        match self.screens[screen].sitting {
            Sitting::FailedStart => {
                self.sample(screen, Event::Playing, at);
                let turn = self.screens[screen].turn;
                self.plan(later(at, FAILS_AFTER_MS), Happening::Plays { screen, turn });
                return;
            }
            Sitting::Restarts => self.screens[screen].seeks(0),
            Sitting::GoesOn | Sitting::Rewinds => {
                // Many players begin at the beginning, and seek on their own to where they go on.
                let place_ms = std::mem::take(&mut self.screens[screen].position_ms);
                if chance(&mut self.rng, 30) {
                    self.sample(screen, Event::Playing, at);
                }
                self.screens[screen].position_ms = place_ms;
            }
            Sitting::Peek => {}
        }
        let event =
            if self.screens[screen].sitting == Sitting::Restarts { Event::Restarted } else { Event::Playing };
        self.sample(screen, event, at);
        let turn = self.screens[screen].turn;
        let wait_ms = match self.screens[screen].sitting {
            Sitting::Peek => self.rng.random_range(500..2_500),
            Sitting::GoesOn | Sitting::Rewinds | Sitting::Restarts | Sitting::FailedStart => INTERVAL_MS,
        };
        self.plan(later(at, wait_ms), Happening::Plays { screen, turn });
    }

    /// Takes a sample of a movement, and sends it.
    fn sample(&mut self, screen: usize, event: Event, at: Moment) {
        let device = self.device(screen).clone();
        let sample = self.screens[screen].moves(event, &device, at);
        self.took(screen, sample, at);
        let it = &self.screens[screen];
        if it.samples[sample].is_activity() {
            let truth = self.truth.get_mut(&it.title).expect("a sample was taken");
            truth.place_ms = Some(it.position_ms);
        }
    }

    /// Says that nothing has moved.
    fn repeat(&mut self, screen: usize, event: Event, at: Moment) {
        let device = self.device(screen).clone();
        let sample = self.screens[screen].repeats(event, &device, at);
        self.took(screen, sample, at);
    }

    fn took(&mut self, screen: usize, sample: usize, at: Moment) {
        self.tally.samples += 1;
        self.truth.entry(self.screens[screen].title.clone()).or_default().underway += 1;
        self.report(screen, sample, RETRY_MS, at);
    }

    /// A player's next report.
    pub(super) fn plays(&mut self, screen: usize, turn: u32, at: Moment) {
        if self.screens[screen].turn != turn {
            return;
        }
        match self.screens[screen].phase {
            Phase::Paused => return self.plays_on(screen, at),
            Phase::Playing => {}
            Phase::Asking | Phase::Left | Phase::Over => return,
        }
        match self.screens[screen].sitting {
            Sitting::FailedStart => {
                self.repeat(screen, Event::Failed, at);
                self.repeat(screen, Event::Stopped, at);
                return self.turns_away(screen, Phase::Over, at);
            }
            Sitting::Peek => {
                self.screens[screen].plays_until(at);
                self.sample(screen, Event::Stopped, at);
                return self.turns_away(screen, Phase::Over, at);
            }
            Sitting::GoesOn | Sitting::Rewinds | Sitting::Restarts => {}
        }
        self.screens[screen].plays_until(at);
        if self.screens[screen].position_ms >= TITLE_MS {
            self.sample(screen, Event::Ended, at);
            self.next_title(self.screens[screen].viewer);
            return self.turns_away(screen, Phase::Over, at);
        }
        if self.screens[screen].to_play_ms == 0 {
            return self.leaves(screen, at);
        }
        self.goes_on(screen, at);
    }

    fn goes_on(&mut self, screen: usize, at: Moment) {
        let turn = self.screens[screen].turn;
        let mut wait_ms = INTERVAL_MS;
        if chance(&mut self.rng, SEEK_PERCENT) {
            let position_ms = self.rng.random_range(0..TITLE_MS - 600_000);
            self.screens[screen].seeks(position_ms);
            self.sample(screen, Event::Seeked, at);
        } else if chance(&mut self.rng, PAUSE_PERCENT) {
            self.sample(screen, Event::Paused, at);
            self.screens[screen].phase = Phase::Paused;
            self.plan(later(at, STILL_INTERVAL_MS), Happening::StandsStill { screen, turn });
            wait_ms = PAUSE.draw_ms(&mut self.rng);
        } else {
            self.sample(screen, Event::Playing, at);
        }
        let Screen { viewer, device, .. } = self.screens[screen];
        if self.viewers[viewer].devices[device].mobile && chance(&mut self.rng, DEAD_SPOT_PERCENT) {
            let until = later(at, DEAD_SPOT.draw_ms(&mut self.rng));
            self.loses_network(viewer, device, until);
        }
        self.plan(later(at, wait_ms), Happening::Plays { screen, turn });
    }

    /// After a pause; a long one asks for a fresh line first, where it can.
    fn plays_on(&mut self, screen: usize, at: Moment) {
        let paused_ms = self.screens[screen].stood_still_ms(at);
        if paused_ms > REVALIDATE_AFTER_MS && self.is_online(screen, at) {
            self.screens[screen].phase = Phase::Asking;
            self.screens[screen].turn += 1;
            return self.ask_for_token(screen, at);
        }
        self.resumes(screen, at);
    }

    fn resumes(&mut self, screen: usize, at: Moment) {
        self.screens[screen].plays_from(at);
        let turn = self.screens[screen].turn;
        self.sample(screen, Event::Playing, at);
        self.plan(later(at, INTERVAL_MS), Happening::Plays { screen, turn });
    }

    fn leaves(&mut self, screen: usize, at: Moment) {
        if chance(&mut self.rng, DIES_PERCENT) {
            // Nobody hears of the last seconds; the truth is where it was last heard of.
            return self.turns_away(screen, Phase::Over, at);
        }
        if !chance(&mut self.rng, LEFT_PAUSED_PERCENT) {
            self.sample(screen, Event::Stopped, at);
            return self.turns_away(screen, Phase::Over, at);
        }
        self.sample(screen, Event::Paused, at);
        self.turns_away(screen, Phase::Left, at);
        let turn = self.screens[screen].turn;
        self.plan(later(at, STILL_INTERVAL_MS), Happening::StandsStill { screen, turn });
        let off = later(at, LEFT_ON.draw_ms(&mut self.rng));
        self.plan(off, Happening::TurnedOff { screen, turn });
    }

    /// The viewer turns away from a screen, and sits down again some time later.
    fn turns_away(&mut self, screen: usize, phase: Phase, at: Moment) {
        self.screens[screen].phase = phase;
        self.screens[screen].turn += 1;
        let next = later(at, GAP.draw_ms(&mut self.rng));
        self.plan(next, Happening::SitsDown(self.screens[screen].viewer));
    }

    fn next_title(&mut self, viewer: usize) {
        let it = &mut self.viewers[viewer];
        it.titles += 1;
        let content = format!("title-{}", it.titles);
        it.title = TitleId::parse(it.profile.as_str(), &content).expect("both are ids");
    }

    pub(super) fn stands_still(&mut self, screen: usize, turn: u32, at: Moment) {
        let it = &self.screens[screen];
        if it.turn == turn && matches!(it.phase, Phase::Paused | Phase::Left) {
            self.repeat(screen, Event::Paused, at);
            self.plan(later(at, STILL_INTERVAL_MS), Happening::StandsStill { screen, turn });
        }
    }

    pub(super) fn turned_off(&mut self, screen: usize, turn: u32, at: Moment) {
        if self.screens[screen].turn != turn {
            return;
        }
        if pick(&mut self.rng, &[true, true, false]) {
            self.repeat(screen, Event::Stopped, at);
        }
        self.screens[screen].phase = Phase::Over;
        self.screens[screen].turn += 1;
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, screen: usize, answered: Answered, sent: Moment, at: Moment) {
        match answered {
            Answered::Taken { sample, fresh } => {
                self.screens[screen].samples[sample].acknowledged = true;
                if let Some(claims) = fresh {
                    self.screens[screen].takes_token(claims, sent);
                }
            }
            Answered::Dated(claims) => {
                self.screens[screen].takes_derived(claims);
                for sample in 0..self.screens[screen].samples.len() {
                    self.report(screen, sample, RETRY_MS, at);
                }
            }
            Answered::Expired if self.screens[screen].phase == Phase::Asking => {
                self.screens[screen].phase = Phase::Over;
                let Screen { viewer, device, to_play_ms, .. } = self.screens[screen];
                self.begins(viewer, device, to_play_ms, at);
            }
            Answered::Expired => {}
            Answered::Token(claims) => {
                let first = self.screens[screen].tokens.is_empty();
                self.screens[screen].takes_token(claims, sent);
                if self.screens[screen].phase != Phase::Asking {
                    return;
                }
                if first { self.first_samples(screen, at) } else { self.resumes(screen, at) }
            }
        }
    }
}

/// What a viewer watches, and where they are in it.
struct Viewed {
    title: TitleId,
    place_ms: u64,
}
