//! What all viewers together have seen, counted up.
//!
//! How long an acknowledgement took is counted from when its report was due, and not from when it was sent: a node that
//! holds a player up makes the reports that wait behind late as well, and they say so (Tene 2015, coordinated omission).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::{AckMs, Figures, Quantiles, VisibleMs};
use crate::agreement::Title;

/// The longest that is told apart, in microseconds: players give up earlier. What is longer counts as this.
const LONGEST_US: u64 = 60_000_000;

/// Two digits: an error of a hundredth, in some kilobytes.
const DIGITS: u8 = 2;

/// Over how many seconds the rate is taken.
const RATE_SECONDS: usize = 5;

/// What is counted.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    watching: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    acknowledged: u64,
    failed_over: u64,
    took: Histogram<u64>,
    /// Acknowledgements in each of the last seconds, the newest last, and which second that is.
    seconds: VecDeque<u64>,
    second: u64,
    /// By how many seconds answers were off.
    off_s: Histogram<u64>,
    visible: BTreeMap<(String, String), Histogram<u64>>,
    lost: Option<u64>,
    /// Of each title the dot of the report that was acknowledged last, and how many rounds ago by region.
    last: BTreeMap<Title, Last>,
}

/// A report that was acknowledged.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Last {
    /// Where.
    pub(super) region: usize,
    /// As which write.
    pub(super) dot: String,
    /// When.
    pub(super) at: Instant,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are in order")
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(LONGEST_US)
}

#[expect(clippy::cast_precision_loss, reason = "a time that is shown with a digit or two")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

impl Tally {
    pub(super) fn new() -> Self {
        let counts = Counts {
            acknowledged: 0,
            failed_over: 0,
            took: histogram(),
            seconds: VecDeque::new(),
            second: 0,
            off_s: histogram(),
            visible: BTreeMap::new(),
            lost: None,
            last: BTreeMap::new(),
        };
        Self { began: Instant::now(), watching: AtomicU64::new(0), counts: Mutex::new(counts) }
    }

    /// A viewer sits down at a screen that plays.
    pub(super) fn sits_down(&self) {
        self.watching.fetch_add(1, Relaxed);
    }

    /// And leaves it.
    pub(super) fn leaves(&self) {
        self.watching.fetch_sub(1, Relaxed);
    }

    /// A report was acknowledged, so long after it was due.
    pub(super) fn acknowledged(&self, title: &Title, last: Option<Last>, after: Duration) {
        self.acknowledged_in(self.began.elapsed().as_secs(), title, last, after);
    }

    fn acknowledged_in(&self, second: u64, title: &Title, last: Option<Last>, after: Duration) {
        let mut counts = self.lock();
        counts.acknowledged += 1;
        counts.took.saturating_record(us(after));
        counts.turn_to(second);
        if let Some(newest) = counts.seconds.back_mut() {
            *newest += 1;
        }
        match last {
            Some(last) => counts.last.insert(title.clone(), last),
            None => counts.last.remove(title),
        };
    }

    /// It is not known any more what stands of a title.
    pub(super) fn forget(&self, title: &Title) {
        self.lock().last.remove(title);
    }

    /// A player turned to another region than its own.
    pub(super) fn failed_over(&self) {
        self.lock().failed_over += 1;
    }

    /// An answer was off by so much.
    pub(super) fn off_by(&self, off_ms: u64) {
        self.lock().off_s.saturating_record(off_ms / 1_000);
    }

    /// A report of one region was first seen in another so long after its acknowledgement.
    pub(super) fn visible(&self, from: &str, to: &str, after: Duration) {
        let mut counts = self.lock();
        let pair = (from.to_owned(), to.to_owned());
        counts.visible.entry(pair).or_insert_with(histogram).saturating_record(us(after));
    }

    /// So many acknowledged reports were missing when last it was looked, at rest.
    pub(super) fn lost(&self, lost: u64) {
        self.lock().lost = Some(lost);
    }

    /// The last acknowledged report of each title.
    pub(super) fn last(&self) -> Vec<(Title, Last)> {
        self.lock().last.iter().map(|(title, last)| (title.clone(), last.clone())).collect()
    }

    /// The newest report that was acknowledged in a region.
    pub(super) fn newest_of(&self, region: usize) -> Option<(Title, Last)> {
        let counts = self.lock();
        let of_region = counts.last.iter().filter(|(_, last)| last.region == region);
        of_region.max_by_key(|(_, last)| last.at).map(|(title, last)| (title.clone(), last.clone()))
    }

    /// All of it, beside what only others know.
    pub(super) fn figures(&self) -> Figures {
        self.figures_in(self.began.elapsed().as_secs())
    }

    fn figures_in(&self, second: u64) -> Figures {
        let mut counts = self.lock();
        counts.turn_to(second);
        // The second that goes on is not over.
        let whole = counts.seconds.len().saturating_sub(1);
        #[expect(clippy::cast_precision_loss, reason = "a rate that is shown with a digit")]
        let rate = counts.seconds.iter().take(whole).sum::<u64>() as f64 / whole.max(1) as f64;
        let took = |quantile| ms(counts.took.value_at_quantile(quantile));
        let visible = |((from, to), times): (&(String, String), &Histogram<u64>)| VisibleMs {
            from: from.clone(),
            to: to.clone(),
            p50: ms(times.value_at_quantile(0.5)),
            p99: ms(times.value_at_quantile(0.99)),
        };
        #[expect(clippy::cast_precision_loss, reason = "whole seconds")]
        let off = |quantile| counts.off_s.value_at_quantile(quantile) as f64;
        Figures {
            watching: self.watching.load(Relaxed),
            heartbeats_per_s: rate,
            acknowledged: counts.acknowledged,
            failed_over: counts.failed_over,
            ack_ms: (!counts.took.is_empty()).then(|| AckMs {
                p50: took(0.5),
                p99: took(0.99),
                p999: took(0.999),
            }),
            wrong_seconds: (!counts.off_s.is_empty()).then(|| Quantiles { p50: off(0.5), p99: off(0.99) }),
            acknowledged_lost: counts.lost,
            visible_ms: counts.visible.iter().map(visible).collect(),
            ..Figures::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("nothing panics while it counts")
    }
}

impl Counts {
    /// Makes room for a second, and for those between in which nothing came.
    fn turn_to(&mut self, second: u64) {
        // Whoever was overtaken on the way to the counts is counted in the second that it is by now.
        let passed = if self.seconds.is_empty() { 1 } else { second.saturating_sub(self.second) };
        for _ in 0..passed.min(RATE_SECONDS as u64 + 1) {
            self.seconds.push_back(0);
        }
        let excess = self.seconds.len().saturating_sub(RATE_SECONDS + 1);
        self.seconds.drain(..excess);
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(name: &str) -> Title {
        Title { profile: name.to_owned(), content: "film".to_owned() }
    }

    #[test]
    fn figures_are_those_of_what_was_counted() {
        let tally = Tally::new();
        let last = |region| Some(Last { region, dot: format!("dot {region}"), at: Instant::now() });
        for number in 0..100 {
            tally.acknowledged(
                &title(&format!("viewer {number}")),
                last(number % 2),
                Duration::from_millis(2),
            );
        }
        tally.acknowledged_in(0, &title("viewer 1"), None, Duration::from_secs(1));
        tally.sits_down();
        tally.failed_over();
        tally.off_by(3_400);
        tally.visible("eu", "us", Duration::from_millis(50));
        let figures = tally.figures_in(1);
        assert_eq!((figures.watching, figures.acknowledged, figures.failed_over), (1, 101, 1));
        assert!((figures.heartbeats_per_s - 101.0).abs() < 0.01, "{}", figures.heartbeats_per_s);
        let took = figures.ack_ms.expect("some were acknowledged");
        assert!((1.9..2.1).contains(&took.p50) && took.p999 > 900.0, "{took:?}");
        assert_eq!(figures.wrong_seconds, Some(Quantiles { p50: 3.0, p99: 3.0 }));
        assert!((49.0..51.0).contains(&figures.visible_ms[0].p50));
        assert_eq!(figures.acknowledged_lost, None, "nobody has looked");
        tally.lost(0);
        assert_eq!(tally.figures().acknowledged_lost, Some(0));
        assert_eq!(tally.newest_of(0).expect("one of them").1.dot, "dot 0");
        tally.forget(&title("viewer 0"));
        assert_eq!(tally.last().len(), 98);
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let tally = Tally::new();
        tally.acknowledged_in(0, &title("ada"), None, Duration::ZERO);
        assert!(tally.figures_in(60).heartbeats_per_s.abs() < 0.001);
    }
}
