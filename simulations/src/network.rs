//! The network: one directed link for each ordered pair of nodes.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::time::Moment;

/// Names one connection of a pair of nodes; frames of an earlier one are never delivered.
pub(crate) type Connection = u64;

/// What a directed link does to what is sent on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    /// The least time on the way.
    pub(crate) latency: Duration,
    /// What chance adds to it at most; frames overtake each other where it is drawn for each alone.
    pub(crate) jitter: Duration,
    /// Of a hundred frames so many are lost.
    pub(crate) loss_percent: u32,
    /// Of a hundred frames so many arrive twice.
    pub(crate) copies_percent: u32,
    /// Whether frames may overtake each other.
    pub(crate) reorders: bool,
    /// How many bytes pass in a millisecond.
    pub(crate) bytes_per_ms: u64,
}

/// One direction between two nodes.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) quality: Quality,
    pub(crate) cut: bool,
    busy_until: Moment,
    last_arrival: Moment,
}

impl Link {
    pub(crate) fn new(quality: Quality) -> Self {
        Self { quality, cut: false, busy_until: Moment::default(), last_arrival: Moment::default() }
    }

    /// When a frame that is sent at `at` arrives: not at all, once or twice.
    pub(crate) fn arrivals(&mut self, at: Moment, bytes: usize, rng: &mut ChaCha8Rng) -> Vec<Moment> {
        if self.cut || chance(rng, self.quality.loss_percent) {
            return Vec::new();
        }
        let bytes = u64::try_from(bytes).expect("a frame is short");
        self.busy_until = self.busy_until.max(at).plus_us(bytes * 1_000 / self.quality.bytes_per_ms);
        let copies = 1 + usize::from(chance(rng, self.quality.copies_percent));
        (0..copies).map(|_| self.arrival(rng)).collect()
    }

    fn arrival(&mut self, rng: &mut ChaCha8Rng) -> Moment {
        let Quality { latency, jitter, reorders, .. } = self.quality;
        let jitter = rng.random_range(0..=jitter.as_micros());
        let added = latency + Duration::from_micros(u64::try_from(jitter).expect("jitter is short"));
        let arrival = self.busy_until.plus(added);
        if reorders {
            return arrival;
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }
}

/// True in `percent` of a hundred cases.
pub(crate) fn chance(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    percent > 0 && rng.random_range(0..100) < percent
}
