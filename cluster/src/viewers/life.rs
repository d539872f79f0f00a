//! One viewer's life: choose, watch, pause, seek, change the device, go on.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::{
    Audience,
    film::Film,
    habits::{Habits, Whim},
    offline::Offline,
    player::Player,
    reach::Reach,
};
use crate::api::{ApiError, Event, Found, Heartbeat};

/// How long a player that nobody answers waits before it asks all over again.
pub(super) const NOBODY_ANSWERS: Duration = Duration::from_secs(1);

/// How long a player tries that does not get a film to play.
const FAILS_WITHIN: Duration = Duration::from_secs(2);

/// A stop below this says nothing about the place.
const PLACE_FROM_MS: u64 = 1_000;

/// How far a title may stand ahead of a node's clock: beyond, somebody's clock was wrong, and what is done without a node
/// cannot be ordered beside it.
const AHEAD_MS_MAX: u64 = 1_000;

/// A viewer.
pub(super) struct Viewer {
    home: usize,
    pub(super) reach: Reach,
    device: u32,
    interval: Duration,
    pub(super) habits: Habits,
    pub(super) audience: Arc<Audience>,
}

/// What is watched, by which player, and what is known to stand.
pub(super) struct Screen {
    pub(super) film: Film,
    pub(super) player: Player,
    // When the replica set's time line began for this session.
    anchor_ms: u64,
    // The last acknowledged report that says where the viewer is; none after a report whose fate is unknown.
    pub(super) acknowledged: Option<Place>,
    // What another device has still to tell.
    untold: Option<Offline>,
}

/// Where a viewer was, by a report that was acknowledged as this dot.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) position_ms: u64,
    pub(super) dot: String,
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
        let number = u32::try_from(number).expect("a viewer's number is small");
        let mut habits = Habits::new(number, seed, audience.spec.haste);
        let interval = habits.interval(audience.spec.intervals());
        Self { home, reach: Reach::at(home), device: 0, interval, habits, audience }
    }

    pub(super) async fn live(mut self) {
        // Not all at once: players report when they began, which is spread over the interval.
        let first = self.habits.up_to(self.interval);
        sleep(first).await;
        loop {
            self.reach = Reach::at(self.home);
            let film = self.habits.film();
            self.audience.begins(film);
            let Some(mut screen) = self.start(film, None).await else { continue };
            while let Left::ForAnotherDevice = self.watch(&mut screen).await {
                let Some(next) = self.change_device(screen).await else { break };
                screen = next;
            }
        }
    }

    /// Opens a session and begins where the answer says; not always at the first attempt.
    async fn start(&mut self, film: Film, last: Option<&Place>) -> Option<Screen> {
        if self.habits.fails_to_start() {
            let mut screen = self.open(film).await?;
            self.fail(&mut screen).await;
            if let Some(last) = last {
                self.check_place(film, last).await;
            }
        }
        self.open(film).await
    }

    async fn open(&mut self, film: Film) -> Option<Screen> {
        let (opened, asked_at) = self.ask_to_open(film, &self.device_name()).await?;
        let position = opened.resume.map_or(0, |resume| resume.resume_position_ms);
        let position = Duration::from_millis(position);
        let player = Player::start(opened.token, asked_at, film.length(), position, Instant::now());
        Some(Screen { film, player, anchor_ms: opened.anchor_ms, acknowledged: None, untold: None })
    }

    fn device_name(&self) -> String {
        format!("device-{}", self.device)
    }

    /// A player that shows nothing, says that it is at 0, and gives up.
    async fn fail(&mut self, screen: &mut Screen) {
        screen.player.rest_at(Duration::ZERO);
        self.report(screen, Event::Paused).await;
        let tries = self.habits.up_to(FAILS_WITHIN);
        sleep(tries).await;
        self.report(screen, Event::Failed).await;
        self.audience.tally.failed_to_start();
        // Such a session says nothing of where the viewer is.
        self.audience.tally.forget(screen.film);
    }

    /// Watches until the viewer has enough of it, or of the device.
    async fn watch(&mut self, screen: &mut Screen) -> Left {
        self.audience.tally.sits_down();
        let left = self.watch_on(screen).await;
        self.audience.tally.leaves();
        if let Some(offline) = screen.untold.take() {
            self.come_online(screen.film, &offline).await;
        }
        left
    }

    async fn watch_on(&mut self, screen: &mut Screen) -> Left {
        let mut ticks = interval(self.interval);
        // A player that was held up reports once, of where it is, and not once for every time it missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let (after, mut whim) = self.habits.whim();
        let mut whim_at = Instant::now() + after;
        loop {
            let due = tokio::select! {
                due = ticks.tick() => due,
                () = sleep_until(whim_at) => {
                    if let Some(left) = self.follow_whim(screen, whim, whim_at).await {
                        return left;
                    }
                    let (after, next) = self.habits.whim();
                    (whim_at, whim) = (Instant::now() + after, next);
                    ticks.reset();
                    continue;
                }
            };
            let now = Instant::now();
            let event = if screen.player.at_end(now) { Event::Ended } else { Event::Playing };
            let heartbeat = screen.player.sample(event, now);
            self.send(screen, heartbeat, due).await;
            if event == Event::Ended {
                return Left::Done;
            }
        }
    }

    async fn follow_whim(&mut self, screen: &mut Screen, whim: Whim, due: Instant) -> Option<Left> {
        let now = Instant::now();
        let heartbeat = match whim {
            Whim::Pause(_) => screen.player.sample(Event::Paused, now),
            Whim::Rewind(by) => {
                let to = screen.player.position(now).saturating_sub(by);
                screen.player.seek(to, now)
            }
            Whim::Seek(part) => screen.player.seek(screen.film.length().mul_f64(part), now),
            Whim::Leave | Whim::ChangeDevice => screen.player.sample(Event::Stopped, now),
        };
        self.send(screen, heartbeat, due).await;
        match whim {
            Whim::Pause(rests) => {
                sleep(rests).await;
                screen.player.resume(Instant::now());
                None
            }
            Whim::Rewind(_) | Whim::Seek(_) => None,
            Whim::Leave => Some(Left::Done),
            Whim::ChangeDevice => Some(Left::ForAnotherDevice),
        }
    }

    async fn report(&mut self, screen: &mut Screen, event: Event) {
        let now = Instant::now();
        let heartbeat = screen.player.sample(event, now);
        self.send(screen, heartbeat, now).await;
    }

    /// Takes up another device in another region, asks there where to go on, and checks the answer.
    async fn change_device(&mut self, left: Screen) -> Option<Screen> {
        self.travel();
        let last = left.place();
        if let Some(last) = &last {
            self.check_place(left.film, last).await;
        }
        let Some(watched_for) = self.habits.goes_offline() else {
            return self.start(left.film, last.as_ref()).await;
        };
        self.go_offline(left, watched_for).await
    }

    /// Takes up a device that is offline, watches on it, and goes on elsewhere.
    async fn go_offline(&mut self, left: Screen, watched_for: Duration) -> Option<Screen> {
        let film = left.film;
        if !self.can_date(&left).await {
            return self.start(film, None).await;
        }
        let (session, clocks) = (self.habits.session(), self.habits.clocks());
        let position = left.player.position(Instant::now());
        let times = (self.interval, watched_for);
        let offline = Offline::watch(film, session, clocks, position, times).await;
        self.audience.tally.watched_offline();
        if self.habits.tells_late() {
            self.travel();
            let mut screen = self.start(film, None).await?;
            screen.untold = Some(offline);
            return Some(screen);
        }
        let last = self.come_online(film, &offline).await;
        self.travel();
        if let Some(last) = &last {
            self.check_place(film, last).await;
        }
        self.start(film, last.as_ref()).await
    }

    /// Whether what is done without a node can be ordered beside what was done: the title must not stand ahead of the
    /// clock of the node that is asked.
    async fn can_date(&mut self, left: &Screen) -> bool {
        let now_ms = self.ask_for_time(left.film).await;
        now_ms.is_some_and(|now_ms| left.line_ms() <= now_ms + AHEAD_MS_MAX)
    }

    fn travel(&mut self) {
        let others = self.audience.regions.len() - 1;
        let mut region = self.reach.region;
        if others > 0 {
            region = (region + 1 + self.habits.one_of(others)) % (others + 1);
        }
        self.reach = Reach::at(region);
        self.device += 1;
        self.interval = self.habits.interval(self.audience.spec.intervals());
    }

    /// Tells what was done offline; where the viewer was, if that is known to stand.
    async fn come_online(&mut self, film: Film, offline: &Offline) -> Option<Place> {
        let token = self.announce(&offline.announce(film, &self.device_name())).await?;
        let dot = self.tell(film, &offline.tell(film, &token)).await?;
        Some(Place { position_ms: offline.position_ms(), dot })
    }

    async fn check_place(&self, film: Film, last: &Place) {
        let region = &self.audience.regions[self.reach.region];
        let (profile, content) = (film.profile(), film.content());
        let _awake = self.audience.resting.read().await;
        let found = self.audience.api.resume_point(region.first(), &profile, &content, Some(&last.dot)).await;
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
                let Place { position_ms: was, dot } = last;
                let title = film.title();
                counts.wrong(format!(
                    "{title} in {}: {was} ms acknowledged as {dot}, {said} answered",
                    region.name
                ));
            }
            // A region that does not answer gives no wrong answer; the session that is opened next finds another.
            Err(error) => self.complain(self.reach.region, &error),
        }
    }

    pub(super) fn complain(&self, region: usize, error: &ApiError) {
        self.audience.regions[region].meter.failed(error.to_string());
    }
}

impl Screen {
    /// Where the viewer is, as far as the last acknowledged report says so: a session that hardly played does not, nor
    /// does a stop in a title's first second.
    fn place(&self) -> Option<Place> {
        let says_where = self.player.is_engaged();
        self.acknowledged.clone().filter(|last| says_where && last.position_ms >= PLACE_FROM_MS)
    }

    /// Where the session's time line has got to.
    fn line_ms(&self) -> u64 {
        self.anchor_ms + super::player::ms(self.player.asked_at().elapsed())
    }

    /// Takes note of what a report's acknowledgement says.
    pub(super) fn acknowledge(&mut self, heartbeat: &Heartbeat, dot: Option<String>) {
        self.acknowledged = dot.map(|dot| Place { position_ms: heartbeat.position_ms, dot });
    }
}
