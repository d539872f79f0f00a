//! What may be tuned without two replicas ever disagreeing: it is applied at the door and when reading.

use std::time::Duration;

use crate::playback::{Event, Sample};

/// How long a session has played before its heartbeats move from `glimpse` to `session`.
///
/// Long enough that a failed start and the `0` before a seek are none, and short enough that nobody
/// misses it. A constant of the protocol: it chooses a slot, and slots must not depend on settings.
pub const ENGAGED: Duration = Duration::from_secs(3);

/// How old what a viewer did may be when it is first told to anyone.
///
/// A season abroad without a network. A value of the whole replica set: fences and keys live as long.
pub const MAX_OFFLINE_AGE: Duration = Duration::from_hours(90 * 24);

/// What the door and the reader go by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    // Invariant: at least `ENGAGED`.
    engaged: Duration,
    // Invariant: 1 to 100.
    completed_percent: u8,
    /// How long a session may go on under one authorisation. More spares players a new session; less
    /// takes a right back sooner. A day covers a binge.
    pub token_lifetime: Duration,
    /// How often players are asked to report. More spares the network; less loses less when a player dies.
    pub heartbeat_interval: Duration,
    /// See [`MAX_OFFLINE_AGE`].
    pub max_offline_age: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            engaged: ENGAGED,
            completed_percent: 95,
            token_lifetime: Duration::from_hours(24),
            heartbeat_interval: Duration::from_secs(1),
            max_offline_age: MAX_OFFLINE_AGE,
        }
    }
}

impl Policy {
    /// Sets how long a session must have played before it can win.
    ///
    /// # Errors
    /// Less than [`ENGAGED`] would let a failed start win over a real place.
    pub fn with_engaged(self, engaged: Duration) -> Result<Self, PolicyError> {
        if engaged < ENGAGED {
            return Err(PolicyError::EngagedTooShort { engaged });
        }
        Ok(Self { engaged, ..self })
    }

    /// Sets the share of a title's length from which it counts as completed.
    ///
    /// # Errors
    /// Nothing outside 1 to 100 is such a share.
    pub fn with_completed_percent(self, completed_percent: u8) -> Result<Self, PolicyError> {
        if !(1..=100).contains(&completed_percent) {
            return Err(PolicyError::NotAPercentage { completed_percent });
        }
        Ok(Self { completed_percent, ..self })
    }

    /// How long a session must have played before it can win.
    pub fn engaged(&self) -> Duration {
        self.engaged
    }

    /// The share of a title's length from which it counts as completed.
    pub fn completed_percent(&self) -> u8 {
        self.completed_percent
    }

    /// Says whether a session whose greater register says `sample` has played, or done something on purpose.
    pub(super) fn is_engaged(&self, sample: &Sample) -> bool {
        sample.deliberate || Duration::from_millis(sample.played_ms) >= self.engaged
    }

    /// Says whether a sample lies beyond where a session that plays from the start becomes engaged.
    pub(super) fn is_beyond_start(&self, sample: &Sample) -> bool {
        Duration::from_millis(sample.position_ms) >= self.engaged
    }

    /// Says whether a sample is past the end.
    pub(super) fn is_past_end(&self, sample: &Sample) -> bool {
        self.end(sample).is_some()
    }

    /// Finds by what a sample is past the end: the credits marker, the threshold or both.
    ///
    /// Where neither is known, only the player's own word remains: the title `ended`.
    pub(super) fn end(&self, sample: &Sample) -> Option<End> {
        let position = u128::from(sample.position_ms);
        let duration = sample.duration_ms.filter(|&ms| ms > 0);
        let threshold = duration.map(|ms| u128::from(ms) * u128::from(self.completed_percent));
        if threshold.is_none() && sample.credits_ms.is_none() {
            return (sample.event == Event::Ended).then_some(End::Told);
        }
        let credits =
            sample.credits_ms.filter(|&marker| position >= u128::from(marker)).map(|_| End::Credits);
        credits.or_else(|| threshold.filter(|threshold| position * 100 >= *threshold).map(|_| End::Threshold))
    }
}

/// By what a place is past the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The credits' marker.
    Credits,
    /// The policy's share of the length.
    Threshold,
    /// The player's word, of a title of which neither is known.
    Told,
}

/// Says why a policy cannot be had; the operator's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// Below the constant of the protocol.
    #[error("engaged after {engaged:?}, and it must be {ENGAGED:?} or more")]
    EngagedTooShort {
        /// As asked for.
        engaged: Duration,
    },
    /// Zero, or more than the whole.
    #[error("completed at {completed_percent} percent, and it must be 1 to 100")]
    NotAPercentage {
        /// As asked for.
        completed_percent: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::sample::tests::playing;

    #[test]
    fn a_policy_below_the_protocols_threshold_is_refused() {
        assert!(Policy::default().with_engaged(Duration::from_millis(2_999)).is_err());
        assert!(Policy::default().with_engaged(ENGAGED).is_ok());
        for percent in [0, 101] {
            assert!(Policy::default().with_completed_percent(percent).is_err());
        }
    }

    #[test]
    fn the_end_is_the_credits_or_the_threshold_or_the_players_word() {
        let policy = Policy::default();
        let check = |position, duration, credits, event, past| {
            let sample = Sample {
                position_ms: position,
                duration_ms: duration,
                credits_ms: credits,
                event,
                ..playing(0)
            };
            assert_eq!(policy.is_past_end(&sample), past, "{sample:?}");
        };
        check(949, Some(1_000), None, Event::Playing, false);
        check(950, Some(1_000), None, Event::Playing, true);
        check(900, Some(1_000), Some(900), Event::Playing, true);
        check(899, None, Some(900), Event::Playing, false);
        check(950, Some(1_000), Some(970), Event::Playing, true);
        check(0, Some(1_000), None, Event::Ended, false);
        check(7, None, None, Event::Ended, true);
        check(7, Some(0), None, Event::Playing, false);
        check(u64::MAX, Some(u64::MAX), None, Event::Playing, true);
    }
}
