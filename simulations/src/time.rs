//! Virtual time.

use std::{fmt, time::Duration};

use playmark::crdt::WallTime;

/// The wall time at which every simulated world begins, by a clock that is right.
pub(crate) const BEGINNING: WallTime = WallTime::from_ms(1_760_000_000_000);

/// A moment of virtual time: microseconds since the world began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const fn ms(ms: u64) -> Self {
        Self(ms * 1_000)
    }

    pub(crate) const fn as_us(self) -> u64 {
        self.0
    }

    pub(crate) const fn as_ms(self) -> u64 {
        self.0 / 1_000
    }

    pub(crate) fn plus(self, later: Duration) -> Self {
        Self(self.0 + u64::try_from(later.as_micros()).expect("a world ends within its first thousand years"))
    }

    pub(crate) const fn plus_us(self, us: u64) -> Self {
        Self(self.0 + us)
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// The system clock of one machine: skewed, drifting, and sometimes set forward or back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    /// How far it is off, in milliseconds.
    pub(crate) offset_ms: i64,
    /// How much too fast it runs, in parts per million.
    pub(crate) drift_ppm: i64,
}

impl WallClock {
    pub(crate) fn read(self, at: Moment) -> WallTime {
        let elapsed = i64::try_from(at.as_ms()).expect("a world ends within its first thousand years");
        let shown = elapsed + elapsed * self.drift_ppm / 1_000_000 + self.offset_ms;
        let beginning = i64::try_from(BEGINNING.as_ms()).expect("the beginning is in our age");
        WallTime::from_ms(u64::try_from(beginning + shown).expect("no jump goes behind the epoch"))
    }
}
