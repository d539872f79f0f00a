//! One rate, counted for each key apart.

use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{Quota, RateLimiter, clock, middleware::NoOpMiddleware};

use super::{
    Exceeded,
    states::{STATES_MAX, States},
};
use crate::node::Clock;

/// How long a rate may be saved up by who has been quiet: a page that opens, a phone that comes back.
pub const BURST: u32 = 6;

/// How often those who have been quiet are forgotten.
pub const SHRINK_EVERY: Duration = Duration::from_secs(30);

/// The node's own time, told to governor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told(pub(super) Clock);

impl clock::Clock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let Self(clock) = self;
        clock.since_start()
    }
}

/// In what a rate is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Window {
    Second,
    Minute,
}

impl Window {
    const fn as_duration(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
        }
    }

    /// A minute is a long time to save up by itself.
    const fn burst(self) -> u32 {
        match self {
            Self::Second => BURST,
            Self::Minute => 1,
        }
    }
}

#[derive(Debug)]
pub(super) struct Limiter<K: Clone + Eq + Hash, C: clock::Clock<Instant = Duration>> {
    policy: &'static str,
    quota: NonZeroU32,
    window: Window,
    rate: RateLimiter<K, States<K>, C, NoOpMiddleware<Duration>>,
    shrunk: Mutex<Duration>,
}

impl<K: Clone + Eq + Hash, C: clock::Clock<Instant = Duration>> Limiter<K, C> {
    /// Makes a rate of `quota` a window; none where that is 0.
    pub(super) fn new(policy: &'static str, quota: u32, window: Window, clock: C) -> Option<Self> {
        Self::with_room(policy, quota, window, clock, STATES_MAX)
    }

    fn with_room(policy: &'static str, quota: u32, window: Window, clock: C, room: usize) -> Option<Self> {
        let quota = NonZeroU32::new(quota)?;
        let burst = quota.saturating_mul(NonZeroU32::new(window.burst())?);
        let each = window.as_duration() / quota.get();
        let allowed = Quota::with_period(each)?.allow_burst(burst);
        let rate = RateLimiter::new(allowed, States::new(room), clock);
        Some(Self { policy, quota, window, rate, shrunk: Mutex::default() })
    }

    /// Counts one for this key.
    pub(super) fn check(&self, key: &K) -> Result<(), Exceeded> {
        let now = self.rate.clock().now();
        self.shrink(now);
        self.rate.check_key(key).map_err(|until| Exceeded {
            policy: self.policy,
            quota: self.quota.get(),
            window: self.window.as_duration(),
            wait: until.wait_time_from(now),
        })
    }

    fn shrink(&self, now: Duration) {
        let mut shrunk = self.shrunk.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(*shrunk) >= SHRINK_EVERY {
            *shrunk = now;
            drop(shrunk);
            self.rate.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Hand(Arc<AtomicU64>);

    impl Hand {
        fn turn(&self, ms: u64) {
            self.0.fetch_add(ms, Ordering::Relaxed);
        }
    }

    impl clock::Clock for Hand {
        type Instant = Duration;

        fn now(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn taken(limiter: &Limiter<u8, Hand>, key: u8) -> usize {
        (0..1_000).take_while(|_| limiter.check(&key).is_ok()).count()
    }

    #[test]
    fn a_rate_is_kept_for_each_key_apart_and_comes_back_with_time() {
        let hand = Hand::default();
        let limiter = Limiter::new("test", 10, Window::Second, hand.clone()).expect("a rate");
        assert_eq!(taken(&limiter, 1), 60, "what is saved up");
        assert_eq!(taken(&limiter, 2), 60, "another has its own");
        let exceeded = limiter.check(&1).expect_err("it is used up");
        assert_eq!((exceeded.policy, exceeded.quota), ("test", 10));
        assert_eq!(exceeded.wait, Duration::from_millis(100));
        hand.turn(99);
        assert_eq!(taken(&limiter, 1), 0);
        hand.turn(901);
        assert_eq!(taken(&limiter, 1), 10);
        hand.turn(3_600_000);
        assert_eq!(taken(&limiter, 1), 60, "no more is saved up than that");
    }

    #[test]
    fn a_rate_a_minute_is_saved_up_for_a_minute() {
        let hand = Hand::default();
        let limiter = Limiter::new("test", 30, Window::Minute, hand.clone()).expect("a rate");
        assert_eq!(taken(&limiter, 1), 30);
        hand.turn(2_000);
        assert_eq!(taken(&limiter, 1), 1);
    }

    #[test]
    fn who_finds_no_room_shares_one_state_until_the_quiet_are_forgotten() {
        let hand = Hand::default();
        let limiter = Limiter::with_room("test", 10, Window::Second, hand.clone(), 2).expect("a rate");
        assert!(limiter.check(&1).is_ok() && limiter.check(&2).is_ok());
        assert_eq!(taken(&limiter, 3), 60);
        assert_eq!(taken(&limiter, 4), 0, "it is as late as the other");
        assert_eq!(taken(&limiter, 1), 59, "those who have room keep it");
        hand.turn(u64::try_from(SHRINK_EVERY.as_millis()).expect("a short time"));
        assert_eq!((taken(&limiter, 3), taken(&limiter, 4)), (60, 60));
    }

    #[test]
    fn zero_is_no_rate() {
        assert!(Limiter::<u8, _>::new("test", 0, Window::Second, Hand::default()).is_none());
    }
}
