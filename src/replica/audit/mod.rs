//! Truth from the data: replicas compare what they hold, beside what their vectors claim.
//!
//! The problem: a vector says what a replica believes to hold. A row that a disk has lost, a value that has
//! rotted, an entry of the index that is gone, a backup that was put back wrongly: no vector knows of these, and
//! no feed mends them. The mechanism is comparison of digests (Merkle trees at Dynamo, 2007), made to be right while
//! both sides write: a shard is compared only where neither side holds anything that the other's vector does not
//! cover, so that what remains is never a matter of time. What is found different is narrowed down from all to
//! groups of shards, shards, leaves and registers, each against the sums of the moment when the comparison
//! began; a shard that was written since is left for another time.
//!
//! Whoever is ahead in a register lets it *enter again*: its place is logged under a new dot, the register stays
//! as it is, and the feeds carry it like any other write. So there is no second way for registers to travel.
//!
//! Beside it each replica counts its own registers again, a few at a time, for ever: sums that do not fit are
//! rows that were changed behind its back.

mod count;
mod digest;
mod leaf;
mod message;
mod steps;

pub use digest::{Shards, Sum};
pub use message::{Compare, Leaf, Step};

use std::{collections::BTreeMap, ops::Range, time::Duration};

use super::{Message, Replica, Transmit};
use crate::{
    crdt::{Key, Monotonic, Now, ReplicaId, SHARDS},
    store::{Store, StoreError},
};
use digest::{Roots, of_vector};

/// How soon two replicas are compared that have just met, and again where something differed.
pub const COMPARE_SOON: Duration = Duration::from_secs(1);

/// How seldom two replicas are compared at least, where nothing ever differs; the time doubles up to it.
pub const COMPARE_EVERY_MAX: Duration = Duration::from_secs(30);

/// How long a comparison may stand still before it is given up.
const ROUND_WITHIN: Duration = Duration::from_secs(10);

/// What was found out, since the life began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// Comparisons that came to an end.
    pub compared: u64,
    /// Those of them in which something was left to compare and nothing differed.
    pub equal: u64,
    /// Registers that differed from a peer's with no reason for it. They are mended.
    pub differing: u64,
    /// Shards whose registers were changed behind this replica's back.
    pub miscounted: u64,
}

/// What a replica knows for comparing.
#[derive(Debug, Default)]
pub(super) struct Audit {
    // Invariant: of the shards below `counted`, what is committed comes to.
    roots: Roots,
    /// How many of the shards have been counted.
    counted: u16,
    /// The shards that are counted next.
    next: Range<u16>,
    next_count: Monotonic,
    due: BTreeMap<ReplicaId, Due>,
    rounds: BTreeMap<ReplicaId, Round>,
    begun: u64,
    findings: Findings,
}

/// When a peer is compared with again.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Monotonic,
    every: Duration,
}

/// A comparison under way.
#[derive(Debug)]
struct Round {
    number: u64,
    since: Monotonic,
    base: Option<Base>,
    /// What the peer said last, until it is answered.
    heard: Option<Step>,
}

/// What is compared: the sums of one moment, and the shards that say nothing at it.
#[derive(Debug)]
struct Base {
    roots: Roots,
    left_out: Shards,
}

impl Base {
    /// Whether a shard still comes to what is being compared.
    fn holds(&self, roots: &Roots, shard: u16) -> bool {
        shard < SHARDS && self.roots.shard(shard) == roots.shard(shard) && !self.left_out.contains(shard)
    }
}

impl Audit {
    pub(super) fn findings(&self) -> Findings {
        self.findings
    }

    pub(super) fn peer_up(&mut self, peer: ReplicaId, now: Monotonic) {
        self.due.insert(peer, Due { at: now.plus(COMPARE_SOON), every: COMPARE_SOON });
    }

    pub(super) fn peer_down(&mut self, peer: ReplicaId) {
        self.due.remove(&peer);
        self.rounds.remove(&peer);
    }

    fn is_counted(&self) -> bool {
        self.counted == SHARDS
    }

    /// When there is something to do that nobody asked for.
    pub(super) fn due_at(&self, own: ReplicaId) -> Monotonic {
        let begins = self.due.iter().filter(|&(&peer, _)| own < peer && !self.rounds.contains_key(&peer));
        let ends = self.rounds.values().map(|round| round.since.plus(ROUND_WITHIN));
        begins.map(|(_, due)| due.at).chain(ends).fold(self.next_count, Monotonic::min)
    }

    /// Ends a comparison, and says when the next one is.
    fn end(&mut self, peer: ReplicaId, every: impl FnOnce(Duration) -> Duration, now: Monotonic) {
        self.rounds.remove(&peer);
        if let Some(due) = self.due.get_mut(&peer) {
            due.every = every(due.every).clamp(COMPARE_SOON, COMPARE_EVERY_MAX);
            due.at = now.plus(due.every);
        }
    }

    fn found(&mut self, peer: ReplicaId, differing: usize, now: Monotonic) {
        self.findings.compared += 1;
        self.findings.differing += u64::try_from(differing).unwrap_or(u64::MAX);
        self.end(peer, |_| COMPARE_SOON, now);
    }
}

impl<S: Store> Replica<S> {
    /// What comparing with peers, and counting again, has found.
    pub fn findings(&self) -> Findings {
        self.audit.findings()
    }

    /// Takes note of what a peer says; what it asks to be mended is staged.
    pub(super) fn handle_compare(
        &mut self,
        from: ReplicaId,
        compare: Compare,
        now: Now,
    ) -> Result<(), StoreError> {
        let Compare { round: number, began, step } = compare;
        // Of each pair the lesser begins, so that there is one comparison at a time.
        if began == (from > self.options.id) {
            return Ok(());
        }
        if matches!(step, Step::Begin { .. }) {
            let since = now.mono;
            self.audit.rounds.insert(from, Round { number, since, base: None, heard: None });
        }
        let Some(round) = self.audit.rounds.get_mut(&from).filter(|it| it.number == number) else {
            return Ok(());
        };
        round.since = now.mono;
        if let Step::Items(told) = step {
            return self.settle_items(from, &told, now);
        }
        if let Step::Wanted(keys) = step {
            for key in &keys {
                self.mend(key, now)?;
            }
            self.audit.found(from, keys.len(), now.mono);
            return Ok(());
        }
        round.heard = Some(step);
        Ok(())
    }

    /// Compares a leaf's registers with a peer's: what is ahead here enters again, and the rest is asked for.
    fn settle_items(&mut self, from: ReplicaId, told: &[Leaf], now: Now) -> Result<(), StoreError> {
        let Some(base) = self.audit.rounds.get_mut(&from).and_then(|round| round.base.take()) else {
            return Ok(());
        };
        let (mut ahead, mut wanted) = (Vec::new(), Vec::new());
        for told in told.iter().filter(|it| base.holds(&self.audit.roots, it.shard)) {
            let here = self.store.shards(told.shard..told.shard + 1)?;
            told.differences(&here, &mut ahead, &mut wanted);
        }
        for key in &ahead {
            self.mend(key, now)?;
        }
        self.audit.findings.differing += u64::try_from(ahead.len()).unwrap_or(u64::MAX);
        if let Some(round) = self.audit.rounds.get_mut(&from) {
            round.heard = Some(Step::Wanted(wanted));
        }
        Ok(())
    }

    /// Lets what stands under a key enter again.
    fn mend(&mut self, key: &Key, now: Now) -> Result<(), StoreError> {
        if self.stage.register(&self.store, key)?.is_some() {
            let dot = self.next_dot(now.wall);
            self.log_own(dot, key);
        }
        Ok(())
    }

    /// Says what is to be said of comparisons, and counts what is to be counted.
    pub(super) fn poll_compare(&mut self, now: Now) -> Result<Option<Transmit>, StoreError> {
        self.count(now.mono)?;
        self.give_up(now.mono);
        if let Some(to) = self.next_to_compare(now.mono) {
            self.audit.begun += 1;
            let number = now.wall.as_ms().wrapping_add(self.audit.begun);
            let round = Round { number, since: now.mono, base: None, heard: None };
            self.audit.rounds.insert(to, round);
            let differs = self.peers.get(&to).is_none_or(|peer| peer.vector != self.vector);
            return Ok(Some(self.compare(to, number, self.begin(differs)?)));
        }
        let heard = self.audit.rounds.iter_mut().find_map(|(&to, round)| Some((to, round.heard.take()?)));
        let Some((to, heard)) = heard else { return Ok(None) };
        let number = self.audit.rounds[&to].number;
        Ok(self.answer_step(to, heard, now)?.map(|step| self.compare(to, number, step)))
    }

    fn compare(&self, to: ReplicaId, round: u64, step: Step) -> Transmit {
        Transmit { to, message: Message::Compare(Compare { round, began: self.options.id < to, step }) }
    }

    fn next_to_compare(&mut self, now: Monotonic) -> Option<ReplicaId> {
        let (own, can) = (self.options.id, self.audit.is_counted() && self.readiness().is_caught_up());
        let Audit { due, rounds, .. } = &mut self.audit;
        let mut waiting =
            due.iter_mut().filter(|(peer, due)| own < **peer && due.at <= now && !rounds.contains_key(peer));
        if can {
            return waiting.next().map(|(&peer, _)| peer);
        }
        waiting.for_each(|(_, due)| due.at = now.plus(due.every));
        None
    }

    fn give_up(&mut self, now: Monotonic) {
        let still = |round: &Round| now.since(round.since) >= ROUND_WITHIN;
        let stuck: Vec<_> =
            self.audit.rounds.iter().filter(|(_, it)| still(it)).map(|(&peer, _)| peer).collect();
        for peer in stuck {
            self.audit.end(peer, |every| every, now);
        }
    }

    fn begin(&self, with_vector: bool) -> Result<Step, StoreError> {
        let total = (!self.holds_early()?).then(|| self.audit.roots.total(&Shards::default()));
        let vector = with_vector.then(|| self.vector.clone());
        Ok(Step::Begin { hash: of_vector(&self.vector), total, vector })
    }
}
