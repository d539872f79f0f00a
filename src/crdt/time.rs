//! Time as an argument.

use std::time::Duration;

use crate::crdt::WallTime;

/// Time since the start of the process, for timers only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// Makes a moment from the time since the start.
    pub const fn since_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The moment `later` after this one.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// The time since an `earlier` moment; zero if that is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both times of one moment: the wall's, which may jump, and the monotonic one, which does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// System time.
    pub wall: WallTime,
    /// Time for timers.
    pub mono: Monotonic,
}

impl Now {
    /// A moment of a test: `ms` after both the epoch and the start.
    pub const fn at_ms(ms: u64) -> Self {
        Self { wall: WallTime::from_ms(ms), mono: Monotonic(Duration::from_millis(ms)) }
    }
}
