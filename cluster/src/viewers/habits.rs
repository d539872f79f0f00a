//! What viewers do and how often: every distribution in one place, as docs/VIEWERS.md lists them.
//!
//! Our picture of an evening, run fast enough to be seen: whoever watches does something after 22 seconds, on the average, and
//! the times between are exponential, since nothing reminds a viewer of when something was done last.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::film::{FILMS, Film};

/// Throws the dice that a whim needs.
type Draw = fn(&mut Habits) -> Whim;

/// What viewers do, and how often in an hour of watching.
const WHIMS: [(Draw, f64); 5] = [
    (|habits| Whim::Pause(habits.up_to(PAUSE_MAX)), 54.0),
    (|habits| Whim::Rewind(REWIND_MIN + habits.up_to(REWIND_MAX.saturating_sub(REWIND_MIN))), 27.0),
    (|habits| Whim::Seek(habits.dice.random()), 27.0),
    (|_| Whim::Leave, 18.0),
    (|_| Whim::ChangeDevice, 36.0),
];

const HOUR: Duration = Duration::from_hours(1);

/// How long a pause lasts at most; long enough for others to read meanwhile, short enough to be seen.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// How far a viewer goes back who has missed something.
const REWIND_MIN: Duration = Duration::from_secs(5);
const REWIND_MAX: Duration = Duration::from_mins(1);

/// How many of the sessions that begin come to nothing.
const FAILS_TO_START: f64 = 0.05;

/// How many reports are sent once more although they were acknowledged.
const REPEATED: f64 = 0.01;

/// How many devices that are taken up are offline, and of these how many say so only after another one was used.
const OFFLINE: f64 = 0.15;
const OFFLINE_TOLD_LATE: f64 = 0.5;

/// How long is watched offline: long enough to count.
const OFFLINE_MIN: Duration = Duration::from_millis(3_500);
const OFFLINE_MAX: Duration = Duration::from_secs(8);

/// How many wall clocks are right, and how far the others are off at most: within an hour, or by years.
const CLOCK_RIGHT: f64 = 0.5;
const CLOCK_HOURS: f64 = 0.75;
const OFF_BY_AN_HOUR_MS: i64 = 3_600_000;
const OFF_BY_YEARS_MS: i64 = 50 * 365 * 24 * OFF_BY_AN_HOUR_MS;

/// What a viewer does instead of watching on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Whim {
    /// Rests for so long.
    Pause(Duration),
    /// Goes back by so much.
    Rewind(Duration),
    /// Goes to a part of the whole, of 1.
    Seek(f64),
    /// Has enough of it.
    Leave,
    /// Goes on elsewhere.
    ChangeDevice,
}

/// The clocks of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clocks {
    /// The one that counts does so while the device sleeps.
    pub(super) counts_sleep: bool,
    /// How far the one on the wall is off.
    pub(super) off_ms: i64,
}

/// One viewer's dice.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    viewer: u32,
    dice: ChaCha8Rng,
    haste: f64,
}

impl Habits {
    /// The habits of a viewer who lives `haste` times as fast as they are written.
    pub(super) fn new(viewer: u32, seed: u64, haste: f64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(viewer.into());
        Self { viewer, dice, haste }
    }

    /// What is watched next.
    pub(super) fn film(&mut self) -> Film {
        Film { viewer: self.viewer, number: self.dice.random_range(0..FILMS) }
    }

    /// How often a device reports: anything between both, short and long times alike.
    pub(super) fn interval(&mut self, between: [Duration; 2]) -> Duration {
        let [shortest, longest] = between.map(|interval| interval.as_secs_f64());
        Duration::from_secs_f64(shortest * (longest / shortest).powf(self.dice.random()))
    }

    /// A part of a time.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.dice.random())
    }

    /// What the viewer does next, and after how much watching.
    pub(super) fn whim(&mut self) -> (Duration, Whim) {
        let often: f64 = WHIMS.iter().map(|(_, often)| often).sum();
        let after = HOUR.mul_f64(-(1.0 - self.dice.random::<f64>()).ln() / often / self.haste);
        let mut luck = self.dice.random::<f64>() * often;
        let chosen = WHIMS.iter().find(|(_, often)| {
            luck -= often;
            luck < 0.0
        });
        let (whim, _) = chosen.unwrap_or(&WHIMS[0]);
        (after, whim(self))
    }

    /// The session that begins now comes to nothing.
    pub(super) fn fails_to_start(&mut self) -> bool {
        self.dice.random_bool(FAILS_TO_START)
    }

    /// The report is sent once more.
    pub(super) fn repeats(&mut self) -> bool {
        self.dice.random_bool(REPEATED)
    }

    /// The device that is taken up is offline: how long it is watched.
    pub(super) fn goes_offline(&mut self) -> Option<Duration> {
        let is_offline = self.dice.random_bool(OFFLINE);
        is_offline.then(|| OFFLINE_MIN + self.up_to(OFFLINE_MAX.saturating_sub(OFFLINE_MIN)))
    }

    /// It says so only when another one was used since.
    pub(super) fn tells_late(&mut self) -> bool {
        self.dice.random_bool(OFFLINE_TOLD_LATE)
    }

    /// The clocks of a device.
    pub(super) fn clocks(&mut self) -> Clocks {
        let off_ms = match self.dice.random::<f64>() {
            luck if luck < CLOCK_RIGHT => 0,
            luck if luck < CLOCK_HOURS => self.dice.random_range(-OFF_BY_AN_HOUR_MS..=OFF_BY_AN_HOUR_MS),
            _ => self.dice.random_range(-OFF_BY_YEARS_MS..=OFF_BY_YEARS_MS),
        };
        Clocks { counts_sleep: self.dice.random(), off_ms }
    }

    /// One of so many.
    pub(super) fn one_of(&mut self, count: usize) -> usize {
        self.dice.random_range(0..count)
    }

    /// A session that a device makes itself.
    pub(super) fn session(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.dice.random()).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_as_often_as_it_is_written() {
        let mut habits = Habits::new(7, 1, 2.0);
        let whims: Vec<_> = (0..10_000).map(|_| habits.whim()).collect();
        let watched: Duration = whims.iter().map(|(after, _)| *after).sum();
        let hours = watched.as_secs_f64() / 3_600.0 * 2.0;
        let often = |is: fn(&Whim) -> bool| {
            f64::from(u32::try_from(whims.iter().filter(|(_, whim)| is(whim)).count()).expect("few")) / hours
        };
        let close =
            |found: f64, written: f64| assert!((found / written - 1.0).abs() < 0.1, "{found} {written}");
        close(often(|whim| matches!(whim, Whim::Pause(_))), 54.0);
        close(often(|whim| matches!(whim, Whim::Rewind(_))), 27.0);
        close(often(|whim| matches!(whim, Whim::Seek(_))), 27.0);
        close(often(|whim| matches!(whim, Whim::Leave)), 18.0);
        close(often(|whim| matches!(whim, Whim::ChangeDevice)), 36.0);
    }

    #[test]
    fn intervals_lie_between_both_and_half_of_them_below_their_geometric_mean() {
        let mut habits = Habits::new(7, 1, 1.0);
        let between = [1, 60].map(Duration::from_secs);
        let drawn: Vec<_> = (0..1_000).map(|_| habits.interval(between)).collect();
        assert!(drawn.iter().all(|it| (between[0]..=between[1]).contains(it)));
        let short = drawn.iter().filter(|it| it.as_secs_f64() < 60f64.sqrt()).count();
        assert!((450..550).contains(&short), "{short}");
        assert_eq!(habits.interval([between[0]; 2]), between[0]);
    }

    #[test]
    fn half_of_the_clocks_are_right_and_some_are_off_by_years() {
        let mut habits = Habits::new(7, 1, 1.0);
        let drawn: Vec<_> = (0..1_000).map(|_| habits.clocks().off_ms).collect();
        let right = drawn.iter().filter(|&&off| off == 0).count();
        assert!((450..550).contains(&right), "{right}");
        assert!(drawn.iter().any(|off| off.abs() > 365 * 24 * OFF_BY_AN_HOUR_MS));
    }
}
