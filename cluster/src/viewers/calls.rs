//! What a device asks of the nodes: of the nearest that answers.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{
    film::Film,
    life::{NOBODY_ANSWERS, Screen, Viewer},
    player::ms,
    reach::Stop,
    tally::Last,
};
use crate::api::{Acknowledged, ApiError, Away, Heartbeat, Opened, WhatHappened};

impl Viewer {
    fn route(&self) -> Arc<[Stop]> {
        self.reach.route(&self.audience.regions[self.reach.region].nearest)
    }

    pub(super) async fn ask_to_open(&mut self, film: Film, device: &str) -> Option<(Opened, Instant)> {
        let (profile, content) = (film.profile(), film.content());
        for Stop { region, url } in self.route().iter() {
            let (answer, asked_at) = {
                let _awake = self.audience.resting.read().await;
                let asked_at = Instant::now();
                (self.audience.api.open(url, &profile, &content, device).await, asked_at)
            };
            match answer {
                Ok(opened) => {
                    self.reach.settle(*region);
                    return Some((opened, asked_at));
                }
                Err(error) => self.complain(*region, &error),
            }
        }
        sleep(NOBODY_ANSWERS).await;
        None
    }

    /// Sends a report that was due at a time to the nearest region that takes it.
    pub(super) async fn send(&mut self, screen: &mut Screen, mut heartbeat: Heartbeat, mut due: Instant) {
        let counts_from = screen.player.asked_at();
        for Stop { region, url } in self.route().iter() {
            let came = Instant::now();
            let (answer, sent_at) = {
                let _awake = self.audience.resting.read().await;
                let sent_at = Instant::now();
                heartbeat.sent_elapsed_ms = ms(sent_at.duration_since(counts_from));
                (self.audience.api.heartbeat(url, &heartbeat).await, sent_at)
            };
            // While all viewers are held, no node is to blame.
            due += sent_at.duration_since(came);
            match answer {
                Ok(said) => {
                    self.acknowledged(screen, &heartbeat, said, *region, (due, sent_at));
                    if self.habits.repeats() {
                        self.repeat(&heartbeat).await;
                    }
                    return;
                }
                Err(error) => {
                    self.complain(*region, &error);
                    if let ApiError::Refused(problem) = error
                        && let Some(token) = problem.token
                    {
                        screen.player.adopt(token, sent_at);
                    }
                }
            }
        }
        // Nobody took it: the next report supersedes it, and what stands until then is not known.
        screen.acknowledged = None;
        self.audience.tally.forget(screen.film);
    }

    fn acknowledged(
        &mut self,
        screen: &mut Screen,
        heartbeat: &Heartbeat,
        said: Acknowledged,
        region: usize,
        (due, sent_at): (Instant, Instant),
    ) {
        self.audience.regions[region].meter.acknowledged(sent_at.elapsed());
        let last = said.dot.clone().map(|dot| Last { region, dot, at: Instant::now() });
        self.audience.tally.acknowledged(screen.film, last, due.elapsed());
        if region != self.reach.region {
            self.audience.tally.failed_over();
        }
        screen.acknowledge(heartbeat, said.dot);
        if let Some(token) = said.token {
            screen.player.adopt(token, sent_at);
        }
        self.reach.settle(region);
    }

    /// Sends what was acknowledged once more, to any node; nothing may come of it.
    async fn repeat(&mut self, heartbeat: &Heartbeat) {
        let route = self.route();
        let Stop { region, url } = &route[self.habits.one_of(route.len())];
        let _awake = self.audience.resting.read().await;
        match self.audience.api.heartbeat(url, heartbeat).await {
            Ok(_) => self.audience.tally.repeated(),
            Err(error) => self.complain(*region, &error),
        }
    }

    /// Asks what time it is, by the clock of a node.
    pub(super) async fn ask_for_time(&mut self, film: Film) -> Option<u64> {
        let question = Away { profile: film.profile(), ..Away::default() };
        self.sync(&question).await.map(|(said, _)| said.now_ms)
    }

    /// Says that there was a session, and is given a token for it.
    pub(super) async fn announce(&mut self, away: &Away) -> Option<Arc<str>> {
        let (said, region) = self.sync(away).await?;
        let token = said.tokens.into_iter().next()?;
        match (token.token, token.problem) {
            (Some(token), _) => Some(token),
            (None, problem) => {
                let why = problem.and_then(|problem| problem.detail).unwrap_or_default();
                self.audience.regions[region].meter.failed(format!("no token for what was offline: {why}"));
                None
            }
        }
    }

    /// Says what was done in it; the dot of the last report, if it stands.
    pub(super) async fn tell(&mut self, film: Film, away: &Away) -> Option<String> {
        let (said, region) = self.sync(away).await?;
        let last = said.heartbeats.and_then(|heartbeats| heartbeats.results.into_iter().next_back());
        let dot = last.and_then(|last| last.dot);
        if let Some(dot) = dot.clone() {
            self.audience.tally.stands(film, Last { region, dot, at: Instant::now() });
        }
        dot
    }

    async fn sync(&mut self, away: &Away) -> Option<(WhatHappened, usize)> {
        for Stop { region, url } in self.route().iter() {
            let answer = {
                let _awake = self.audience.resting.read().await;
                self.audience.api.sync(url, away).await
            };
            match answer {
                Ok(said) => {
                    self.reach.settle(*region);
                    return Some((said, *region));
                }
                Err(error) => self.complain(*region, &error),
            }
        }
        None
    }
}
