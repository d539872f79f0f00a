//! The one place that asks the system what time it is.

use std::time::{Duration, Instant, SystemTime};

use crate::crdt::{Monotonic, Now, WallTime};

/// Tells the time; everything below is told it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    /// By how much system time is taken to be off.
    offset_ms: i64,
}

impl Clock {
    /// Starts the monotonic time.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn start() -> Self {
        Self { started: Instant::now(), offset_ms: 0 }
    }

    /// Tells a system time that is off by so much: for trying out what a wrong clock does.
    #[must_use]
    pub fn off_by(self, offset_ms: i64) -> Self {
        Self { offset_ms, ..self }
    }

    /// Both times of this moment.
    pub fn now(&self) -> Now {
        let mono = Monotonic::since_start(self.since_start());
        let wall = WallTime::from_ms(Self::wall().as_ms().saturating_add_signed(self.offset_ms));
        Now { wall, mono }
    }

    /// The monotonic time alone, as the time since the start.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn since_start(&self) -> Duration {
        Instant::now().duration_since(self.started)
    }

    /// System time. A clock that stands before 1970 says 1970.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn wall() -> WallTime {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        WallTime::from_ms(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}
