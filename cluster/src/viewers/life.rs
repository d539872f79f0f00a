//! One viewer's life: choose, watch, pause, seek, change the device, go on.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{
    Audience,
    player::{Player, ms},
    tally::Last,
};
use crate::{
    agreement::Title,
    api::{ApiError, Event, Found, Heartbeat, Opened},
};

/// What a viewer has begun; a small number, so that it comes back to what it left.
const TITLES: usize = 4;

/// Chances, at each report, of what a viewer does instead of watching on. In a minute at one report a second
/// most viewers do something, and nobody does nothing else.
const PAUSES: f64 = 0.015;
const SEEKS: f64 = 0.015;
const CHANGES_DEVICE: f64 = 0.01;
const LEAVES: f64 = 0.005;

/// How long a pause lasts at most; long enough for others to read meanwhile, short enough to be seen.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// How long a player that nobody answers waits before it asks all over again.
const NOBODY_ANSWERS: Duration = Duration::from_secs(1);

/// How long a player stays with the region it fled to before it tries its own again.
const AWAY: Duration = Duration::from_secs(10);

/// A stop below this says nothing about the place.
const PLACE_FROM_MS: u64 = 1_000;

/// A viewer.
pub(super) struct Viewer {
    profile: String,
    home: usize,
    // Where the device in hand connects: home, or where the viewer travelled, and where it fled from there.
    region: usize,
    fled: Option<(usize, Instant)>,
    device: u32,
    dice: ChaCha8Rng,
    // When the report in hand was to be sent.
    due: Instant,
    audience: Arc<Audience>,
}

/// What is watched, by which player, and what is known to stand.
struct Watching {
    title: Title,
    player: Player,
    // The last acknowledged report that says where the viewer is, and its dot; none after a report whose fate is unknown.
    acknowledged: Option<(Heartbeat, String)>,
}

/// Why a player stops.
enum Left {
    /// Enough, or it is over.
    Done,
    /// The viewer goes on elsewhere.
    ForAnotherDevice,
}

impl Viewer {
    pub(super) fn new(number: usize, seed: u64, audience: Arc<Audience>) -> Self {
        let home = number % audience.regions.len();
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(u64::try_from(number).expect("a viewer's number is small"));
        Self {
            profile: format!("viewer-{number}"),
            home,
            region: home,
            fled: None,
            device: 0,
            dice,
            due: Instant::now(),
            audience,
        }
    }

    pub(super) async fn live(mut self) {
        // Not all at once: players report when they began, which is spread over the interval.
        sleep(self.audience.interval.mul_f64(self.dice.random())).await;
        loop {
            self.region = self.home;
            let content = format!("film-{}", self.dice.random_range(0..TITLES));
            let title = Title { profile: self.profile.clone(), content };
            self.audience.titles().insert(title.clone());
            let Some(mut watching) = self.open(title).await else { continue };
            while let Left::ForAnotherDevice = self.watch(&mut watching).await {
                let Some(next) = self.change_device(watching).await else { break };
                watching = next;
            }
        }
    }

    /// Opens a session and begins where the answer says.
    async fn open(&mut self, title: Title) -> Option<Watching> {
        let (opened, asked_at) = self.ask_to_open(&title).await?;
        let position = opened.resume.map_or(0, |resume| resume.resume_position_ms);
        let position = Duration::from_millis(position);
        let player = Player::start(opened.token, asked_at, length_of(&title), position, Instant::now());
        Some(Watching { title, player, acknowledged: None })
    }

    async fn ask_to_open(&mut self, title: &Title) -> Option<(Opened, Instant)> {
        let device = format!("device-{}", self.device);
        for region in self.regions_to_try() {
            for url in &self.audience.regions[region].urls {
                let (answer, asked_at) = {
                    let _awake = self.audience.resting.read().await;
                    let asked_at = Instant::now();
                    (self.audience.api.open(url, &title.profile, &title.content, &device).await, asked_at)
                };
                match answer {
                    Ok(opened) => {
                        self.settle(region);
                        return Some((opened, asked_at));
                    }
                    Err(error) => self.complain(region, &error),
                }
            }
        }
        sleep(NOBODY_ANSWERS).await;
        None
    }

    /// Watches until the viewer has enough of it, or of the device.
    async fn watch(&mut self, watching: &mut Watching) -> Left {
        self.audience.tally.sits_down();
        let left = self.watch_on(watching).await;
        self.audience.tally.leaves();
        left
    }

    async fn watch_on(&mut self, watching: &mut Watching) -> Left {
        let mut ticks = interval(self.audience.interval);
        // A player that was held up reports once, of where it is, and not once for every time it missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            self.due = ticks.tick().await;
            let now = Instant::now();
            if watching.player.at_end(now) {
                self.report(watching, Event::Ended).await;
                return Left::Done;
            }
            match self.dice.random::<f64>() {
                luck if luck < PAUSES => self.pause(watching).await,
                luck if luck < PAUSES + SEEKS => {
                    let to = length_of(&watching.title).mul_f64(self.dice.random());
                    let heartbeat = watching.player.seek(to, now);
                    self.send(watching, heartbeat).await;
                }
                luck if luck < PAUSES + SEEKS + LEAVES => {
                    self.report(watching, Event::Stopped).await;
                    return Left::Done;
                }
                luck if luck < PAUSES + SEEKS + LEAVES + CHANGES_DEVICE => {
                    self.report(watching, Event::Stopped).await;
                    return Left::ForAnotherDevice;
                }
                _ => self.report(watching, Event::Playing).await,
            }
        }
    }

    async fn pause(&mut self, watching: &mut Watching) {
        self.report(watching, Event::Paused).await;
        sleep(PAUSE_MAX.mul_f64(self.dice.random())).await;
        watching.player.resume(Instant::now());
    }

    async fn report(&mut self, watching: &mut Watching, event: Event) {
        let heartbeat = watching.player.sample(event, Instant::now());
        self.send(watching, heartbeat).await;
    }

    /// Sends a report to the nearest region that takes it.
    async fn send(&mut self, watching: &mut Watching, mut heartbeat: Heartbeat) {
        let counts_from = watching.player.asked_at();
        for region in self.regions_to_try() {
            for url in &self.audience.regions[region].urls {
                let (answer, sent_at) = {
                    let _awake = self.audience.resting.read().await;
                    let sent_at = Instant::now();
                    heartbeat.sent_elapsed_ms = ms(sent_at.duration_since(counts_from));
                    (self.audience.api.heartbeat(url, &heartbeat).await, sent_at)
                };
                match answer {
                    Ok(said) => {
                        self.audience.regions[region].meter.acknowledged(sent_at.elapsed());
                        let last = said.dot.clone().map(|dot| Last { region, dot, at: Instant::now() });
                        self.audience.tally.acknowledged(&watching.title, last, self.due.elapsed());
                        if region != self.region {
                            self.audience.tally.failed_over();
                        }
                        watching.acknowledged = said.dot.map(|dot| (heartbeat, dot));
                        if let Some(token) = said.token {
                            watching.player.adopt(token, sent_at);
                        }
                        self.settle(region);
                        return;
                    }
                    Err(error) => {
                        self.complain(region, &error);
                        if let ApiError::Refused(problem) = error
                            && let Some(token) = problem.token
                        {
                            watching.player.adopt(token, sent_at);
                        }
                    }
                }
            }
        }
        // Nobody took it: the next report supersedes it, and what stands until then is not known.
        watching.acknowledged = None;
        self.audience.tally.forget(&watching.title);
    }

    /// Takes up another device in another region, asks there where to go on, and checks the answer.
    async fn change_device(&mut self, left: Watching) -> Option<Watching> {
        let others = self.audience.regions.len() - 1;
        if others > 0 {
            self.region = (self.region + self.dice.random_range(1..=others)) % (others + 1);
        }
        self.fled = None;
        self.device += 1;
        // A session that hardly played says nothing of the place, nor does a stop in a title's first second.
        let says_where = left.player.is_engaged();
        let last =
            left.acknowledged.as_ref().filter(|(last, _)| says_where && last.position_ms >= PLACE_FROM_MS);
        if let Some((heartbeat, dot)) = last {
            self.check_place(&left.title, heartbeat, dot).await;
        }
        self.open(left.title).await
    }

    async fn check_place(&self, title: &Title, last: &Heartbeat, dot: &str) {
        let region = &self.audience.regions[self.region];
        let _awake = self.audience.resting.read().await;
        let found =
            self.audience.api.resume_point(&region.urls[0], &title.profile, &title.content, Some(dot)).await;
        let counts = &self.audience.hand_overs;
        match found {
            Ok(found) if found.stale => {
                counts.stale.fetch_add(1, Relaxed);
            }
            Ok(Found { point: Some(point), .. }) if point.position_ms == last.position_ms => {
                self.audience.tally.off_by(0);
                counts.right.fetch_add(1, Relaxed);
            }
            Ok(Found { point, .. }) => {
                let off =
                    point.as_ref().map_or(last.position_ms, |it| it.position_ms.abs_diff(last.position_ms));
                self.audience.tally.off_by(off);
                let said = point.map_or("nothing".to_owned(), |point| format!("{} ms", point.position_ms));
                let was = last.position_ms;
                counts.wrong(format!(
                    "{title} in {}: {was} ms acknowledged as {dot}, {said} answered",
                    region.name
                ));
            }
            // A region that does not answer gives no wrong answer; the session that is opened next finds another.
            Err(error) => region.meter.failed(error.to_string()),
        }
    }

    /// The regions in the order this player turns to them.
    fn regions_to_try(&self) -> Vec<usize> {
        let mut order = self.audience.regions[self.region].nearest.clone();
        if let Some((refuge, since)) = self.fled
            && since.elapsed() < AWAY
        {
            order.retain(|&region| region != refuge);
            order.insert(0, refuge);
        }
        order
    }

    /// Stays with the region that answered.
    fn settle(&mut self, region: usize) {
        if region == self.region {
            self.fled = None;
        } else if self.fled.is_none_or(|(refuge, since)| refuge != region || since.elapsed() >= AWAY) {
            self.fled = Some((region, Instant::now()));
        }
    }

    fn complain(&self, region: usize, error: &ApiError) {
        self.audience.regions[region].meter.failed(error.to_string());
    }
}

/// Between 20 minutes and two hours, the same each time it is asked.
fn length_of(title: &Title) -> Duration {
    let minutes = title.content.bytes().fold(0, |sum, byte| (sum * 31 + u64::from(byte)) % 101);
    Duration::from_secs((20 + minutes) * 60)
}
