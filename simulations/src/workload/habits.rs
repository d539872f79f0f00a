//! How people watch, and on what.
//!
//! Every distribution is given by its deciles, in seconds: a tenth of all draws lies evenly between each two
//! neighbours. They are our picture of an evening and of a journey, not a measurement of anybody's viewers.

use playmark::playback::Clock;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{network::chance, profile::pick, time::WallClock};

/// A distribution, by the least value, nine deciles and the greatest, in seconds.
pub(super) struct Deciles([u64; 11]);

impl Deciles {
    pub(super) fn draw_ms(&self, rng: &mut ChaCha8Rng) -> u64 {
        let tenth = rng.random_range(0..10);
        rng.random_range(self.0[tenth] * 1_000..=self.0[tenth + 1] * 1_000)
    }
}

/// How long the viewers are watched.
pub(super) const SPAN_MS: u64 = 7 * 86_400_000;
/// How long a title is.
pub(super) const TITLE_MS: u64 = 2 * 3_600_000;
/// How often a player reports while it plays, and while it stands still.
pub(super) const INTERVAL_MS: u64 = 10_000;
pub(super) const STILL_INTERVAL_MS: u64 = 300_000;
/// How long a viewer watches at one sitting.
pub(super) const SITTING: Deciles = Deciles([10, 60, 180, 300, 500, 800, 1_200, 1_800, 2_700, 4_000, 7_200]);
/// How long until the next sitting: three in ten go on within minutes, mostly on another screen.
pub(super) const GAP: Deciles =
    Deciles([6, 20, 60, 600, 3_600, 7_200, 14_400, 28_800, 50_000, 72_000, 172_800]);
/// How long somebody pauses in between.
pub(super) const PAUSE: Deciles = Deciles([2, 5, 10, 20, 40, 60, 120, 200, 280, 600, 1_800]);
/// How long a screen that was left paused stays on.
pub(super) const LEFT_ON: Deciles =
    Deciles([60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 36_000, 50_000]);
/// How long a device is without a network, in the middle of a film.
pub(super) const DEAD_SPOT: Deciles = Deciles([5, 10, 20, 30, 60, 120, 300, 600, 1_200, 2_400, 7_200]);
/// How long after the end of a sitting a device that was offline is online again.
pub(super) const JOURNEY: Deciles =
    Deciles([30, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 200_000]);
/// How much later a copy of a report arrives that something on the way had kept.
pub(super) const LATE_COPY: Deciles = Deciles([1, 5, 10, 30, 60, 120, 600, 1_800, 3_600, 7_200, 86_400]);
/// How long two regions do not hear each other, and how long they do between.
pub(super) const CUT: Deciles = Deciles([5, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 10_800, 43_200]);
pub(super) const WHOLE: Deciles =
    Deciles([60, 600, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 36_000, 86_400]);

/// Of a hundred reports and answers so many are lost on the way.
pub(super) const LOST_PERCENT: u32 = 2;
/// Of a hundred reports so many arrive once more, late.
pub(super) const COPIED_PERCENT: u32 = 2;
/// Of a hundred requests so many come to another region than the nearest.
pub(super) const ASTRAY_PERCENT: u32 = 5;
/// How long a request or an answer is under way at most.
pub(super) const LATENCY_MS: u64 = 400;
/// How far a node's clock is off at most, either way.
pub(super) const NODE_SKEW_MS: i64 = 500;
/// Of a hundred sittings so many end with a screen left paused, or with a player that dies unheard.
pub(super) const LEFT_PAUSED_PERCENT: u32 = 25;
pub(super) const DIES_PERCENT: u32 = 4;
/// Of a hundred reports so many are a seek or begin a pause.
pub(super) const SEEK_PERCENT: u32 = 2;
pub(super) const PAUSE_PERCENT: u32 = 2;
/// Of a hundred sittings on a device that is carried about so many are offline from the start, and of a
/// hundred reports so many are followed by a dead spot.
pub(super) const OFFLINE_PERCENT: u32 = 20;
pub(super) const DEAD_SPOT_PERCENT: u32 = 1;
/// Of a hundred sittings so many come back to a screen that was left paused, if there is one.
pub(super) const RETURN_PERCENT: u32 = 30;
/// Of a hundred wall clocks that are wrong so many are set right while their device is offline.
pub(super) const SET_RIGHT_PERCENT: u32 = 10;

/// What somebody sits down to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sitting {
    /// Goes on where they were.
    GoesOn,
    /// Goes on a little earlier.
    Rewinds,
    /// Begins again, on purpose.
    Restarts,
    /// The player fails: `0`, `failed`, `stopped` at 0.
    FailedStart,
    /// Looks in for a second or two.
    Peek,
}

impl Sitting {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..100) {
            0..8 => Self::FailedStart,
            8..12 => Self::Peek,
            12..14 => Self::Restarts,
            14..30 => Self::Rewinds,
            _ => Self::GoesOn,
        }
    }
}

/// A device of a household.
#[derive(Clone, Debug)]
pub(super) struct Device {
    /// Carried about: it may be offline.
    pub(super) mobile: bool,
    pub(super) clock: Clock,
    pub(super) wall: WallClock,
    /// The region that is nearest to it.
    pub(super) home: usize,
}

impl Device {
    /// A television and one or two devices that are carried about.
    pub(super) fn household(rng: &mut ChaCha8Rng) -> Vec<Self> {
        let home = rng.random_range(0..3);
        let count = rng.random_range(2..=3);
        (0..count).map(|number| Self::draw(number > 0, home, rng)).collect()
    }

    fn draw(mobile: bool, home: usize, rng: &mut ChaCha8Rng) -> Self {
        // Browsers have no clock that counts sleep; applications do.
        let clock = if chance(rng, 60) { Clock::Boot } else { Clock::Active };
        let offset_ms = wrong_by_ms(rng);
        let wall = WallClock { offset_ms, drift_ppm: rng.random_range(-50..=50) };
        let home = if mobile && chance(rng, 30) { rng.random_range(0..3) } else { home };
        Self { mobile, clock, wall, home }
    }
}

/// Seven wall clocks of ten are right to the second; the others are off by minutes, by hours, or by years.
fn wrong_by_ms(rng: &mut ChaCha8Rng) -> i64 {
    const YEAR_MS: i64 = 365 * 86_400_000;
    let size = match rng.random_range(0..100) {
        0..70 => rng.random_range(0..1_000),
        70..88 => rng.random_range(10_000..900_000),
        88..95 => rng.random_range(1..=12) * 3_600_000,
        _ => pick(rng, &[2, 20, 50]) * YEAR_MS,
    };
    if rng.random() { size } else { -size }
}
