//! Whether this node's clock agrees with its peers'.
//!
//! The problem: a clock that is off by an hour dates sessions and tokens an hour wrongly. Nothing is lost by that, for
//! stamps never go below what was shown (R7), but titles run ahead of everybody else's time. The mechanism: each status names its
//! sender's system time, and when it comes, half a round trip has gone by (Cristian 1989). A peer that says otherwise
//! may be wrong itself; where those who agree with each other and not with this node are more than those who agree
//! with it, itself among them, this node is wrong, and takes no writes until it is right.
//!
//! What was refused: to correct one's own clock by the peers'. That is the time service's to do, and two masters make no time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::crdt::{ReplicaId, WallTime};

/// How far clocks are apart that agree, beside what half a round trip leaves open.
pub const AGREE_WITHIN: Duration = Duration::from_millis(250);

/// How far a clock must be off, beyond half a round trip, before it counts as wrong: far more than a time service leaves,
/// and less than a viewer needs to change devices.
pub const OFF_BEYOND: Duration = Duration::from_secs(2);

/// How many readings of a peer are kept; the one that was least on its way counts. What was held up before it was read only
/// makes a peer's clock seem slow.
const READINGS_MAX: usize = 4;

/// Nothing is off.
const AGREES: i64 = 0;

/// By how much this node's clock is off; cheap to look at, by every request.
#[derive(Clone, Default, Debug)]
pub(super) struct OffBoard(Arc<AtomicI64>);

impl OffBoard {
    pub(super) fn read(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|off| *off != AGREES)
    }
}

/// What peers' clocks say.
#[derive(Debug)]
pub(super) struct Synchrony {
    board: OffBoard,
    peers: BTreeMap<ReplicaId, VecDeque<Reading>>,
}

/// A peer's clock less this node's.
#[derive(Clone, Copy, Debug)]
struct Reading {
    ahead_ms: i64,
    /// It may be this much more or less.
    give_ms: i64,
}

impl Synchrony {
    pub(super) fn new(board: OffBoard) -> Self {
        Self { board, peers: BTreeMap::new() }
    }

    /// A peer says what time it is; `rtt` is the round trip of its link.
    pub(super) fn heard(&mut self, peer: ReplicaId, theirs: WallTime, ours: WallTime, rtt: Duration) {
        let give_ms = ms(rtt) / 2;
        let ahead_ms = signed(theirs).saturating_sub(signed(ours)).saturating_add(give_ms);
        let readings = self.peers.entry(peer).or_default();
        readings.push_back(Reading { ahead_ms, give_ms });
        readings.drain(..readings.len().saturating_sub(READINGS_MAX));
        self.judge();
    }

    /// A peer's link has ended.
    pub(super) fn gone(&mut self, peer: ReplicaId) {
        self.peers.remove(&peer);
        self.judge();
    }

    fn judge(&self) {
        let off_ms = self.off_ms().unwrap_or(AGREES);
        let before = self.board.0.swap(off_ms, Ordering::AcqRel);
        match (before, off_ms) {
            (AGREES, AGREES) => {}
            (AGREES, _) => {
                tracing::error!(
                    off_ms,
                    "this node's clock is off its peers': it takes no writes until it is set"
                );
            }
            (_, AGREES) => tracing::info!("this node's clock agrees with its peers' again"),
            (_, _) => {}
        }
    }

    /// By how much this node's clock is off, if it is the one that is wrong: above 0 where it is ahead.
    fn off_ms(&self) -> Option<i64> {
        let least_held_up =
            |readings: &VecDeque<Reading>| readings.iter().copied().max_by_key(|it| it.ahead_ms);
        let mut peers: Vec<_> = self.peers.values().filter_map(least_held_up).collect();
        peers.sort_unstable_by_key(|it| it.ahead_ms);
        let beyond = |it: &&Reading| it.ahead_ms.abs() > ms(OFF_BEYOND) + it.give_ms;
        let with_us = 1 + peers.iter().filter(|it| !beyond(it)).count();
        let groups = peers.iter().filter(beyond).map(|one| {
            let agrees = |it: &&Reading| {
                (0..=ms(AGREE_WITHIN) + it.give_ms.max(one.give_ms)).contains(&(it.ahead_ms - one.ahead_ms))
            };
            (peers.iter().filter(beyond).filter(agrees).count(), one.ahead_ms)
        });
        let (size, ahead_ms) = groups.max_by_key(|(size, _)| *size)?;
        (size >= 2 && size > with_us).then_some(-ahead_ms)
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn signed(wall: WallTime) -> i64 {
    i64::try_from(wall.as_ms()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_ms(1_000_000_000);
    const RTT: Duration = Duration::from_millis(100);

    /// What a node finds whose peers' clocks are ahead of its own by these.
    fn off(ahead_ms: &[i64]) -> Option<i64> {
        let board = OffBoard::default();
        let mut synchrony = Synchrony::new(board.clone());
        for (number, ahead_ms) in (0..).zip(ahead_ms) {
            hear(&mut synchrony, number, *ahead_ms);
        }
        board.read()
    }

    fn hear(synchrony: &mut Synchrony, peer: u128, ahead_ms: i64) {
        // Half the round trip has gone by since it was said.
        let theirs = WallTime::from_ms(NOW.as_ms().saturating_add_signed(ahead_ms - 50));
        synchrony.heard(ReplicaId::from_random(peer), theirs, NOW, RTT);
    }

    #[test]
    fn a_clock_is_wrong_where_two_others_agree_and_more_do_than_agree_with_it() {
        assert_eq!(off(&[]), None);
        assert_eq!(off(&[10, -40]), None);
        assert_eq!(off(&[-3_600_000, -3_600_100]), Some(3_600_100), "an hour ahead of both");
        assert_eq!(off(&[5_000, 5_200]), Some(-5_000));
    }

    #[test]
    fn one_that_is_wrong_alone_makes_nobody_else_so() {
        assert_eq!(off(&[3_600_000]), None, "it may be the other one");
        assert_eq!(off(&[0, 3_600_000]), None);
        assert_eq!(off(&[5_000, -5_000]), None, "three that differ know nothing");
        assert_eq!(off(&[0, 0, 9_000, 9_000]), None, "two that are wrong alike, and three that are right");
        assert_eq!(off(&[9_000, 9_000, 9_000, 0]), Some(-9_000));
    }

    #[test]
    fn what_half_a_round_trip_leaves_open_is_no_reason() {
        assert_eq!(off(&[2_050, 2_050]), None);
        assert_eq!(off(&[2_051, 2_051]), Some(-2_051));
    }

    #[test]
    fn what_was_held_up_on_its_way_is_passed_over_and_a_clock_that_was_set_is_believed_soon() {
        let board = OffBoard::default();
        let mut synchrony = Synchrony::new(board.clone());
        for peer in 0..2 {
            hear(&mut synchrony, peer, 0);
            hear(&mut synchrony, peer, -60_000);
        }
        assert_eq!(board.read(), None, "this process stood still for a minute, and reads what had come");
        for _ in 1..READINGS_MAX {
            (0..2).for_each(|peer| hear(&mut synchrony, peer, -60_000));
        }
        assert_eq!(board.read(), Some(60_000));
        synchrony.gone(ReplicaId::from_random(0));
        assert_eq!(board.read(), None, "one alone says nothing");
    }
}
