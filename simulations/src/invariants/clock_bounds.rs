//! A version is above everything that its writer had observed within the drift bound, and not further
//! ahead of what the writer's wall has shown than that bound: one wrong peer does not move a clock for good.

use std::time::Duration;

use playmark::crdt::{DRIFT_BOUND, Timestamp, WallTime};

use super::Violation;

/// What one life's clock has been told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    floor: Timestamp,
    ceiling: WallTime,
}

impl Told {
    /// A life that begins on a store which has given `given`.
    pub(crate) fn beginning(given: Timestamp, wall: WallTime) -> Self {
        Self { floor: given, ceiling: given.wall().max(wall) }
    }

    /// A turn begins at this wall time.
    pub(crate) fn wall(&mut self, wall: WallTime) {
        self.ceiling = self.ceiling.max(wall);
    }

    /// A foreign position has come; it may be passed over, and then the clock may stay.
    pub(crate) fn hear_of(&mut self, foreign: Timestamp, wall: WallTime) {
        if Duration::from_millis(foreign.wall().ms_since(wall)) <= DRIFT_BOUND {
            self.ceiling = self.ceiling.max(foreign.wall());
        }
    }

    /// A foreign position was moved to at this wall time.
    pub(crate) fn observe(&mut self, foreign: Timestamp, wall: WallTime) {
        let ahead = Duration::from_millis(foreign.wall().ms_since(wall));
        if ahead <= DRIFT_BOUND {
            self.floor = self.floor.max(foreign);
            self.ceiling = self.ceiling.max(foreign.wall());
        }
    }

    /// Checks a version that was given.
    pub(crate) fn check(&mut self, version: Timestamp) -> Result<(), Violation> {
        // One millisecond, for a count that is full.
        let ahead = version.wall() > self.ceiling.plus_ms(1);
        if version <= self.floor || ahead {
            let Self { floor, ceiling } = self;
            let what =
                format!("version {version} with a floor of {floor} and a ceiling of {}", ceiling.as_ms());
            return Err(Violation::new("clock_bounds", what));
        }
        self.floor = version;
        Ok(())
    }
}
