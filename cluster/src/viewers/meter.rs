//! What the viewers of a region see of it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// Acknowledgement times kept between two looks; at more than this many a look, a sample of them says the same.
const TIMES_MAX: usize = 65_536;

/// Different complaints kept; beyond, all are counted and only the first ones quoted.
const COMPLAINTS_MAX: usize = 8;

/// Counts of one region.
#[derive(Debug, Default)]
pub(super) struct Meter {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    since_last_look: Vec<Duration>,
    acknowledged: u64,
    errors: u64,
    complaints: BTreeMap<String, u64>,
}

/// What was seen since the last look.
#[derive(Debug, Default)]
pub struct Seen {
    /// Heartbeats acknowledged.
    pub acknowledged: u64,
    /// How long half of them took at most.
    pub p50: Option<Duration>,
    /// How long 99 of 100 took at most.
    pub p99: Option<Duration>,
    /// Requests that failed or were declined, since the start.
    pub errors: u64,
    /// What was said, how often, since the start.
    pub complaints: BTreeMap<String, u64>,
}

impl Meter {
    pub(super) fn acknowledged(&self, after: Duration) {
        let mut counts = self.lock();
        counts.acknowledged += 1;
        if counts.since_last_look.len() < TIMES_MAX {
            counts.since_last_look.push(after);
        }
    }

    pub(super) fn failed(&self, complaint: String) {
        let mut counts = self.lock();
        counts.errors += 1;
        if counts.complaints.len() < COMPLAINTS_MAX || counts.complaints.contains_key(&complaint) {
            *counts.complaints.entry(complaint).or_default() += 1;
        }
    }

    /// What was seen since the last call.
    pub(super) fn look(&self) -> Seen {
        let mut counts = self.lock();
        let mut times = mem::take(&mut counts.since_last_look);
        times.sort_unstable();
        Seen {
            acknowledged: mem::take(&mut counts.acknowledged),
            p50: quantile(&times, 50),
            p99: quantile(&times, 99),
            errors: counts.errors,
            complaints: counts.complaints.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("nothing panics while it counts")
    }
}

/// The least of `sorted` that `percent` of a hundred do not exceed.
fn quantile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_what_came_since_the_one_before() {
        let meter = Meter::default();
        for ms in 1..=100 {
            meter.acknowledged(Duration::from_millis(ms));
        }
        meter.failed("nobody listens".to_owned());
        let seen = meter.look();
        assert_eq!(seen.acknowledged, 100);
        assert_eq!(seen.p50, Some(Duration::from_millis(50)));
        assert_eq!(seen.p99, Some(Duration::from_millis(99)));

        let seen = meter.look();
        assert_eq!((seen.acknowledged, seen.p50, seen.errors), (0, None, 1));
        assert_eq!(seen.complaints["nobody listens"], 1);
    }
}
