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
    /// Whether frames of one lane may overtake each other; those of different lanes always may.
    pub(crate) reorders: bool,
    /// How many bytes pass in a millisecond.
    pub(crate) bytes_per_ms: u64,
}

/// Which of a connection's streams carries a frame; the first goes before the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    Control,
    Parts,
}

/// One direction between two nodes.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) quality: Quality,
    pub(crate) cut: bool,
    control: Queue,
    parts: Queue,
}

/// What waits in one lane.
#[derive(Clone, Copy, Default, Debug)]
struct Queue {
    busy_until: Moment,
    last_arrival: Moment,
}

impl Queue {
    /// Makes the lane busy for another while.
    fn occupy(&mut self, at: Moment, us: u64) {
        self.busy_until = self.busy_until.max(at).plus_us(us);
    }
}

impl Link {
    pub(crate) fn new(quality: Quality) -> Self {
        Self { quality, cut: false, control: Queue::default(), parts: Queue::default() }
    }

    /// When a frame that is sent at `at` arrives: not at all, once or twice.
    pub(crate) fn arrivals(
        &mut self,
        at: Moment,
        lane: Lane,
        bytes: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Moment> {
        if self.cut || chance(rng, self.quality.loss_percent) {
            return Vec::new();
        }
        let bytes = u64::try_from(bytes).expect("a frame is short");
        let us = bytes * 1_000 / self.quality.bytes_per_ms;
        self.parts.occupy(at, us);
        if lane == Lane::Control {
            self.control.occupy(at, us);
        }
        let copies = 1 + usize::from(chance(rng, self.quality.copies_percent));
        (0..copies).map(|_| self.arrival(lane, rng)).collect()
    }

    /// Drops what has not left yet, as the end of a connection does.
    pub(crate) fn drop_queue(&mut self) {
        (self.control, self.parts) = (Queue::default(), Queue::default());
    }

    /// How many bytes wait at `at` for those before them to pass.
    pub(crate) fn queued_bytes(&self, at: Moment) -> u64 {
        let us = u64::try_from(self.parts.busy_until.since(at).as_micros()).expect("a queue is short");
        us * self.quality.bytes_per_ms / 1_000
    }

    fn arrival(&mut self, lane: Lane, rng: &mut ChaCha8Rng) -> Moment {
        let Quality { latency, jitter, reorders, .. } = self.quality;
        let jitter = rng.random_range(0..=jitter.as_micros());
        let added = latency + Duration::from_micros(u64::try_from(jitter).expect("jitter is short"));
        let queue = match lane {
            Lane::Control => &mut self.control,
            Lane::Parts => &mut self.parts,
        };
        let arrival = queue.busy_until.plus(added);
        if reorders {
            return arrival;
        }
        queue.last_arrival = queue.last_arrival.max(arrival);
        queue.last_arrival
    }
}

/// True in `percent` of a hundred cases.
pub(crate) fn chance(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    percent > 0 && rng.random_range(0..100) < percent
}
