//! What happens to one packet on one line: when it arrives, whether twice, or why never.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{topology::LineSpec, wan::Change};

/// A tenth of a second at 400 Mbit/s of full packets: what fits into a long line, and no more than a router would keep.
const QUEUE_PACKETS: usize = 4_096;

/// What an Ethernet frame leaves for a UDP payload over IPv4; a longer packet does not cross a WAN.
pub(super) const DATAGRAM_BYTES_MAX: usize = 1_500 - 20 - 8;

/// The dice and the clock of one direction. Pure: time is handed in, as time since the relay's start.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    delay: Duration,
    jitter: Duration,
    loss: f64,
    copies: f64,
    reorder: f64,
    bits_per_s: Option<f64>,
    queue_packets: usize,
    dice: ChaCha8Rng,
    // The line carries one packet after another: when it has carried the last one that came in.
    free_at: Duration,
    // Packets leave in the order they came in, whatever the jitter, unless the dice say otherwise.
    last_arrival: Duration,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It arrives at this time, and a second time at that.
    Arrives {
        /// When it arrives.
        at: Duration,
        /// When its copy arrives.
        copy: Option<Duration>,
    },
    /// The dice took it.
    Lost,
    /// The line was full.
    Full,
    /// It is longer than what a WAN carries.
    TooLong,
}

impl Shape {
    pub(super) fn new(line: Option<&LineSpec>, seed: u64) -> Self {
        let percent = |of: fn(&LineSpec) -> f64| line.map_or(0.0, of) / 100.0;
        Self {
            delay: line.map_or(Duration::ZERO, LineSpec::delay),
            jitter: Duration::from_secs_f64(line.map_or(0.0, |line| line.jitter_ms) / 1e3),
            loss: percent(|line| line.loss_percent),
            copies: percent(|line| line.copy_percent),
            reorder: percent(|line| line.reorder_percent),
            bits_per_s: line.and_then(|line| line.rate_mbit).map(|mbit| mbit * 1e6),
            queue_packets: line.and_then(|line| line.queue_packets).unwrap_or(QUEUE_PACKETS),
            dice: ChaCha8Rng::seed_from_u64(seed),
            free_at: Duration::ZERO,
            last_arrival: Duration::ZERO,
        }
    }

    /// Changes the weather from here on; what is not named stays.
    pub(super) fn alter(&mut self, change: Change) {
        self.delay = change.delay.unwrap_or(self.delay);
        self.loss = change.loss_percent.map_or(self.loss, |percent| percent / 100.0);
        self.bits_per_s = change.rate_mbit.map(|mbit| mbit * 1e6).or(self.bits_per_s);
    }

    /// How long a packet is under way, how much chance adds, and of a hundred how many are lost.
    pub(super) fn weather(&self) -> (Duration, Duration, f64) {
        (self.delay, self.jitter, self.loss * 100.0)
    }

    /// Takes the place of another shape, with what that one has on its way.
    pub(super) fn follow(&mut self, other: &Self) {
        (self.free_at, self.last_arrival) = (other.free_at, other.last_arrival);
    }

    /// Decides on a packet of `bytes` that comes in at `now`, while `waiting` others are in the line.
    pub(super) fn fate(&mut self, now: Duration, bytes: usize, waiting: usize) -> Fate {
        if bytes > DATAGRAM_BYTES_MAX {
            return Fate::TooLong;
        }
        if waiting >= self.queue_packets {
            return Fate::Full;
        }
        if self.dice.random_bool(self.loss) {
            return Fate::Lost;
        }
        self.free_at = self.free_at.max(now) + self.carrying_time(bytes);
        let at = self.arrival();
        let copy = self.dice.random_bool(self.copies).then(|| self.arrival());
        Fate::Arrives { at, copy }
    }

    fn arrival(&mut self) -> Duration {
        let due = self.free_at + self.delay + self.jitter.mul_f64(self.dice.random());
        if self.dice.random_bool(self.reorder) {
            // Late by once more the jitter (or a millisecond), while those behind it keep their time.
            return due + self.jitter.max(Duration::from_millis(1));
        }
        self.last_arrival = self.last_arrival.max(due);
        self.last_arrival
    }

    fn carrying_time(&self, bytes: usize) -> Duration {
        let bits = f64::from(u32::try_from(bytes * 8).expect("a packet is far below 512 MiB"));
        self.bits_per_s.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bits / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(line: &str, seed: u64) -> Shape {
        let line: LineSpec =
            toml::from_str(&format!("from = 'eu'\nto = 'us'\n{line}")).expect("a line's keys and values");
        Shape::new(Some(&line), seed)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn fates(shape: &mut Shape, count: u64) -> Vec<Fate> {
        (0..count).map(|n| shape.fate(ms(n), 1_200, 0)).collect()
    }

    fn arrivals(fates: &[Fate]) -> Vec<Duration> {
        let at = |fate: &Fate| match *fate {
            Fate::Arrives { at, .. } => Some(at),
            Fate::Lost | Fate::Full | Fate::TooLong => None,
        };
        fates.iter().filter_map(at).collect()
    }

    #[test]
    fn a_packet_is_under_way_for_the_delay_and_at_most_the_jitter() {
        let mut shape = shape("delay_ms = 40\njitter_ms = 10", 1);
        for (n, at) in (0..).zip(arrivals(&fates(&mut shape, 500))) {
            assert!((ms(n + 40)..=ms(n + 50)).contains(&at), "packet {n} arrived at {at:?}");
        }
    }

    #[test]
    fn jitter_alone_never_reorders_and_the_dice_for_it_do() {
        let orderly = arrivals(&fates(&mut shape("jitter_ms = 10", 1), 500));
        assert!(orderly.is_sorted());
        let wild = arrivals(&fates(&mut shape("jitter_ms = 10\nreorder_percent = 10", 1), 500));
        assert!(!wild.is_sorted());
    }

    #[test]
    fn the_share_lost_is_the_share_asked_for_and_the_seed_says_which() {
        let lost = |seed| fates(&mut shape("loss_percent = 10", seed), 10_000);
        let count = lost(1).iter().filter(|fate| **fate == Fate::Lost).count();
        assert!((900..1_100).contains(&count), "{count} of 10,000 were lost");
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1), lost(2));
    }

    #[test]
    fn the_share_copied_is_the_share_asked_for() {
        let fates = fates(&mut shape("copy_percent = 50", 3), 1_000);
        let copied = fates.iter().filter(|fate| matches!(fate, Fate::Arrives { copy: Some(_), .. })).count();
        assert!((450..550).contains(&copied), "{copied} of 1,000 were copied");
    }

    #[test]
    fn a_full_line_drops_and_a_packet_too_long_for_a_wan_never_crosses() {
        let mut shape = shape("queue_packets = 3", 1);
        assert!(matches!(shape.fate(ms(0), 1_200, 2), Fate::Arrives { .. }));
        assert_eq!(shape.fate(ms(0), 1_200, 3), Fate::Full);
        assert_eq!(shape.fate(ms(0), DATAGRAM_BYTES_MAX + 1, 0), Fate::TooLong);
    }

    #[test]
    fn a_line_carries_one_packet_after_another_at_its_rate() {
        // 1,250 bytes are 10,000 bits: 10 ms each at 1 Mbit/s.
        let mut shape = shape("rate_mbit = 1", 1);
        let at = (0..3).map(|_| shape.fate(ms(0), 1_250, 0)).collect::<Vec<_>>();
        assert_eq!(arrivals(&at), [ms(10), ms(20), ms(30)]);
    }

    #[test]
    fn weather_that_is_changed_holds_for_what_comes_in_later_and_keeps_the_order() {
        let mut changed = shape("delay_ms = 100", 1);
        let at = |fate| match fate {
            Fate::Arrives { at, .. } => at,
            Fate::Lost | Fate::Full | Fate::TooLong => panic!("{fate:?}"),
        };
        assert_eq!(at(changed.fate(Duration::ZERO, 100, 0)), Duration::from_millis(100));
        changed.alter(Change { delay: Some(Duration::from_millis(10)), ..Change::default() });
        let later = at(changed.fate(Duration::from_millis(1), 100, 0));
        assert_eq!(later, Duration::from_millis(100), "it does not overtake");
        assert_eq!(at(changed.fate(Duration::from_secs(1), 100, 0)), Duration::from_millis(1_010));
        changed.alter(Change { loss_percent: Some(100.0), ..Change::default() });
        assert_eq!(changed.fate(Duration::from_secs(2), 100, 0), Fate::Lost);
        let mut made = shape("delay_ms = 100", 1);
        made.follow(&changed);
        assert_eq!(at(made.fate(Duration::from_secs(3), 100, 0)), Duration::from_millis(3_100));
    }
}
