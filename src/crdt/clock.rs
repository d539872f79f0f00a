//! Hybrid logical clocks (Kulkarni et al. 2014), behind a wrapper that believes nobody.
//!
//! The crate `hybrid-clocks` does the arithmetic of the paper. It counts without a bound, takes any
//! foreign time, and forgets everything at a restart; the wrapper bounds the count to sixteen bits,
//! refuses foreign times beyond [`DRIFT_BOUND`], and starts from a floor that its owner kept.

use std::{fmt, time::Duration};

use hybrid_clocks::{Clock, ManualClock};
use serde::{Deserialize, Serialize};

/// How far ahead a foreign timestamp may be and still move our clock.
///
/// One minute is far beyond what time synchronisation leaves, and small enough that a wrong peer cannot
/// put our versions into another day. Data beyond it is merged all the same; only the clock stays.
pub const DRIFT_BOUND: Duration = Duration::from_mins(1);

/// A moment of system time: whole milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    /// The first millisecond of the year 2200: nothing a viewer does is dated at or beyond it.
    pub const YEAR_2200: Self = Self(7_258_118_400_000);

    /// Makes a moment from milliseconds since the Unix epoch.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// The moment `ms` milliseconds later, or the last one there is.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The moment `ms` milliseconds earlier, or the first one there is.
    #[must_use]
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds since an `earlier` moment, or zero if that is not earlier.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A hybrid logical clock's value: 48 bits of milliseconds, then 16 bits of count, ordered as one number.
///
/// ```text
///  63                                              16 15            0
/// ┌──────────────────────────────────────────────────┬───────────────┐
/// │ milliseconds since the Unix epoch                │ logical count │
/// └──────────────────────────────────────────────────┴───────────────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

const _: () = assert!(size_of::<Timestamp>() == 8);

const LOGICAL_BITS: u32 = 16;
const LOGICAL_MAX: u32 = (1 << LOGICAL_BITS) - 1;
const MS_MAX: u64 = (1 << 48) - 1;

impl Timestamp {
    /// Before every write: a vector that holds it covers nothing.
    pub const ZERO: Self = Self(0);

    /// Makes a timestamp from its parts; milliseconds beyond 48 bits stand at the greatest.
    pub const fn new(wall: WallTime, logical: u16) -> Self {
        let ms = if wall.0 > MS_MAX { MS_MAX } else { wall.0 };
        Self(ms << LOGICAL_BITS | logical as u64)
    }

    /// Makes a timestamp from the number that orders it.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that orders it.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The physical part.
    pub const fn wall(self) -> WallTime {
        WallTime(self.0 >> LOGICAL_BITS)
    }

    /// The logical part.
    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves sixteen bits")]
    pub const fn logical(self) -> u16 {
        (self.0 & LOGICAL_MAX as u64) as u16
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.wall().0, self.logical())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Gives strictly rising timestamps that stay close to the wall and above whatever was observed.
///
/// Time enters as an argument of each call. The clock never goes back, even where the wall does.
///
/// ```
/// use playmark::crdt::{HybridClock, Timestamp, WallTime};
///
/// let mut clock = HybridClock::above(Timestamp::ZERO);
/// let first = clock.tick(WallTime::from_ms(1_000));
/// let second = clock.tick(WallTime::from_ms(900));
/// assert!(second > first);
/// ```
pub struct HybridClock {
    inner: Clock<ManualClock>,
    // Invariant: the greatest timestamp given or observed.
    last: Timestamp,
}

impl HybridClock {
    /// Starts a clock whose every timestamp is above `floor`, the greatest that an earlier life gave.
    ///
    /// # Panics
    /// Never: a manual clock reads a number, which cannot fail.
    pub fn above(floor: Timestamp) -> Self {
        let inner = Clock::manual(0).expect("a manual clock reads a number, which cannot fail");
        let mut clock = Self { inner, last: Timestamp::ZERO };
        clock.raise(floor);
        clock
    }

    /// The greatest timestamp given or observed.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Gives the next timestamp: the paper's rule for a local event or a send.
    ///
    /// # Panics
    /// Never: a manual clock reads a number, which cannot fail.
    pub fn tick(&mut self, wall: WallTime) -> Timestamp {
        self.inner.set_time(wall.0.min(MS_MAX));
        let given = self.inner.now().expect("a manual clock reads a number, which cannot fail");
        if given.count > LOGICAL_MAX {
            // The count is full: go on in the next millisecond, as if the wall had moved.
            self.raise(Timestamp::new(WallTime(given.time + 1), 0));
        } else {
            self.last = Timestamp(given.time << LOGICAL_BITS | u64::from(given.count));
        }
        self.last
    }

    /// Takes note of a foreign timestamp, so that every later one is above it: the paper's receive rule.
    ///
    /// # Errors
    /// A timestamp further ahead of `wall` than [`DRIFT_BOUND`] leaves the clock as it was. What it came
    /// with is to be merged all the same.
    pub fn observe(&mut self, foreign: Timestamp, wall: WallTime) -> Result<(), ClockError> {
        let ahead = Duration::from_millis(foreign.wall().ms_since(wall));
        if ahead > DRIFT_BOUND {
            return Err(ClockError::BeyondDriftBound { ahead });
        }
        self.raise(foreign);
        Ok(())
    }

    fn raise(&mut self, floor: Timestamp) {
        if floor > self.last {
            self.inner.observe(&hybrid_clocks::Timestamp {
                epoch: 0,
                time: floor.wall().0,
                count: u32::from(floor.logical()),
            });
            self.last = floor;
        }
    }
}

impl fmt::Debug for HybridClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HybridClock").field("last", &self.last).finish_non_exhaustive()
    }
}

/// Says why a foreign timestamp did not move the clock; the peer's fault, and nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClockError {
    /// Too far ahead of this replica's wall time.
    #[error("timestamp is {ahead:?} ahead of this replica, beyond the drift bound of {DRIFT_BOUND:?}")]
    BeyondDriftBound {
        /// How far ahead.
        ahead: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> WallTime {
        WallTime::from_ms(ms)
    }

    #[test]
    fn timestamps_rise_while_the_wall_stands_or_goes_back() {
        let mut clock = HybridClock::above(Timestamp::ZERO);
        let mut last = clock.tick(at(5_000));
        for wall in [5_000, 4_000, 0, 5_000, 5_001] {
            let given = clock.tick(at(wall));
            assert!(given > last, "{given} after {last}");
            last = given;
        }
        assert_eq!(last, Timestamp::new(at(5_001), 0));
    }

    #[test]
    fn a_full_count_goes_on_in_the_next_millisecond() {
        let mut clock = HybridClock::above(Timestamp::new(at(7), u16::MAX - 1));
        assert_eq!(clock.tick(at(7)), Timestamp::new(at(7), u16::MAX));
        assert_eq!(clock.tick(at(7)), Timestamp::new(at(8), 0));
        assert_eq!(clock.tick(at(7)), Timestamp::new(at(8), 1));
    }

    #[test]
    fn a_timestamp_beyond_the_drift_bound_is_refused() {
        let mut clock = HybridClock::above(Timestamp::ZERO);
        let far = Timestamp::new(at(1_000 + 60_001), 0);
        assert!(clock.observe(far, at(1_000)).is_err());
        assert_eq!(clock.tick(at(1_000)), Timestamp::new(at(1_000), 0));
    }

    #[test]
    fn what_was_observed_is_below_what_comes_next() {
        let mut clock = HybridClock::above(Timestamp::ZERO);
        let foreign = Timestamp::new(at(30_000), 9);
        clock.observe(foreign, at(1_000)).expect("within the drift bound");
        assert_eq!(clock.tick(at(1_000)), Timestamp::new(at(30_000), 10));
    }

    #[test]
    fn a_floor_survives_a_wall_that_starts_earlier() {
        let floor = Timestamp::new(at(90_000), 3);
        assert!(HybridClock::above(floor).tick(at(10)) > floor);
    }
}
