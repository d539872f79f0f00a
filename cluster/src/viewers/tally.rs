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

use super::{AckMs, Figures, Quantiles, VisibleMs, film::Film};

/// The longest that is told apart, in microseconds: players give up earlier. What is longer counts as this.
const LONGEST_US: u64 = 60_000_000;

/// Two digits: an error of a hundredth, in some kilobytes.
const DIGITS: u8 = 2;

/// Over how many seconds the rate is taken.
const RATE_SECONDS: usize = 5;

/// How long acknowledgement times are gathered; those of the last whole stretch and of the present one are told.
const STRETCH_SECONDS: u64 = 30;

/// What is counted.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    watching: AtomicU64,
    failed_to_start: AtomicU64,
    watched_offline: AtomicU64,
    repeated: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    acknowledged: u64,
    failed_over: u64,
    /// How long acknowledgements took, in the stretch that goes on and in the one before; and which stretch that is.
    took: [Histogram<u64>; 2],
    stretch: u64,
    /// Acknowledgements in each of the last seconds, the newest last, and which second that is.
    seconds: VecDeque<u64>,
    second: u64,
    /// By how many seconds answers were off.
    off_s: Histogram<u64>,
    visible: BTreeMap<(String, String), Histogram<u64>>,
    lost: Option<u64>,
    /// The report of each film that was acknowledged last, and of each region.
    last: BTreeMap<Film, Last>,
    newest: BTreeMap<usize, (Film, Last)>,
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
            took: [histogram(), histogram()],
            stretch: 0,
            seconds: VecDeque::new(),
            second: 0,
            off_s: histogram(),
            visible: BTreeMap::new(),
            lost: None,
            last: BTreeMap::new(),
            newest: BTreeMap::new(),
        };
        Self {
            began: Instant::now(),
            watching: AtomicU64::new(0),
            failed_to_start: AtomicU64::new(0),
            watched_offline: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            counts: Mutex::new(counts),
        }
    }

    /// A viewer sits down at a screen that plays.
    pub(super) fn sits_down(&self) {
        self.watching.fetch_add(1, Relaxed);
    }

    /// And leaves it.
    pub(super) fn leaves(&self) {
        self.watching.fetch_sub(1, Relaxed);
    }

    /// A session has come to nothing.
    pub(super) fn failed_to_start(&self) {
        self.failed_to_start.fetch_add(1, Relaxed);
    }

    /// A device was watched that was offline.
    pub(super) fn watched_offline(&self) {
        self.watched_offline.fetch_add(1, Relaxed);
    }

    /// A report that had been acknowledged was so once more.
    pub(super) fn repeated(&self) {
        self.repeated.fetch_add(1, Relaxed);
    }

    /// A report was acknowledged, so long after it was due.
    pub(super) fn acknowledged(&self, film: Film, last: Option<Last>, after: Duration) {
        self.acknowledged_in(self.began.elapsed().as_secs(), film, last, after);
    }

    fn acknowledged_in(&self, second: u64, film: Film, last: Option<Last>, after: Duration) {
        let mut counts = self.lock();
        counts.turn_to(second);
        counts.acknowledged += 1;
        counts.took[0].saturating_record(us(after));
        if let Some(newest) = counts.seconds.back_mut() {
            *newest += 1;
        }
        match last {
            Some(last) => counts.stands(film, last),
            None => drop(counts.last.remove(&film)),
        }
    }

    /// A report stands that came with others.
    pub(super) fn stands(&self, film: Film, last: Last) {
        self.lock().stands(film, last);
    }

    /// It is not known any more what stands of a film.
    pub(super) fn forget(&self, film: Film) {
        self.lock().last.remove(&film);
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

    /// The last acknowledged report of each film.
    pub(super) fn last(&self) -> Vec<(Film, Last)> {
        self.lock().last.iter().map(|(film, last)| (*film, last.clone())).collect()
    }

    /// The newest report that was acknowledged in a region.
    pub(super) fn newest_of(&self, region: usize) -> Option<(Film, Last)> {
        self.lock().newest.get(&region).cloned()
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
        let mut all = counts.took[0].clone();
        all.add(&counts.took[1]).expect("both have the same bounds");
        let took = |quantile| ms(all.value_at_quantile(quantile));
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
            failed_starts: self.failed_to_start.load(Relaxed),
            watched_offline: self.watched_offline.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            ack_ms: (!all.is_empty()).then(|| AckMs { p50: took(0.5), p99: took(0.99), p999: took(0.999) }),
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
    fn stands(&mut self, film: Film, last: Last) {
        self.newest.insert(last.region, (film, last.clone()));
        self.last.insert(film, last);
    }

    /// Makes room for a second, and for those between in which nothing came.
    fn turn_to(&mut self, second: u64) {
        let stretch = second / STRETCH_SECONDS;
        if stretch > self.stretch {
            let before = std::mem::replace(&mut self.took[0], histogram());
            self.took[1] = if stretch == self.stretch + 1 { before } else { histogram() };
            self.stretch = stretch;
        }
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

    fn film(viewer: u32) -> Film {
        Film { viewer, number: 0 }
    }

    #[test]
    fn figures_are_those_of_what_was_counted() {
        let tally = Tally::new();
        let last = |region| Some(Last { region, dot: format!("dot {region}"), at: Instant::now() });
        for number in 0..100 {
            tally.acknowledged(film(number), last(usize::from(number % 2 == 1)), Duration::from_millis(2));
        }
        tally.acknowledged_in(0, film(1), None, Duration::from_secs(1));
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
        tally.forget(film(0));
        assert_eq!(tally.last().len(), 98);
        assert_eq!(tally.figures_in(59).ack_ms, Some(took), "until the next stretch is over");
        assert_eq!(tally.figures_in(90).ack_ms, None);
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let tally = Tally::new();
        tally.acknowledged_in(0, film(1), None, Duration::ZERO);
        assert!(tally.figures_in(60).heartbeats_per_s.abs() < 0.001);
    }
}
