//! Sums that follow what is committed, and are counted again for ever.

use std::{ops::Range, time::Duration};

use super::{Audit, digest::Sum};
use crate::{
    crdt::{Key, Monotonic, Register, SHARDS},
    replica::Replica,
    store::{Batch, Store, StoreError},
    zoo::{Bug, planted},
};

/// How many registers are counted at a time, more or less: a few milliseconds.
const COUNTED_AT_A_TIME: usize = 1_024;

/// How long it is from one count to the next, until all are counted.
const COUNT_PAUSE: Duration = Duration::from_millis(20);

/// How long it is from one count to the next afterwards.
const RECOUNT_PAUSE: Duration = Duration::from_secs(1);

/// What a batch will change of the sums, once it stands.
pub(in crate::replica) type Recount = Vec<(u16, Option<Register>, Option<Register>)>;

impl Audit {
    /// Follows a batch that stands.
    pub(in crate::replica) fn follow(&mut self, recount: Recount) {
        for (shard, before, after) in recount {
            if shard < self.counted && !(planted(Bug::SumsForgetRemovals) && after.is_none()) {
                self.roots.change(shard, before.as_ref(), after.as_ref());
            }
        }
    }

    /// Takes what a shard's registers come to; says whether it is what was kept.
    pub(super) fn check(&mut self, shard: u16, sum: Sum) -> bool {
        let fits = self.roots.shard(shard) == sum;
        if !fits {
            self.roots.set(shard, sum);
            self.findings.miscounted += 1;
        }
        fits
    }
}

impl<S: Store> Replica<S> {
    /// What a batch will change, to be followed once it stands.
    pub(in crate::replica) fn recount(&self, batch: &Batch) -> Result<Recount, StoreError> {
        let changes = batch.registers.iter();
        changes
            .map(|(key, after)| Ok((key.title.profile.shard(), self.store.register(key)?, after.clone())))
            .collect()
    }

    /// Counts the registers of the next shards, from committed state.
    pub(super) fn count(&mut self, now: Monotonic) -> Result<(), StoreError> {
        if now < self.audit.next_count {
            return Ok(());
        }
        let range = self.audit.next.clone();
        let mut sums = vec![Sum::default(); range.len()];
        let registers = self.store.shards(range.clone())?;
        for (key, register) in &registers {
            sums[usize::from(key.title.profile.shard() - range.start)] += Sum::of(register);
        }
        for (shard, sum) in range.clone().zip(sums) {
            if shard >= self.audit.counted {
                self.audit.roots.set(shard, sum);
            } else if !self.audit.check(shard, sum) {
                self.audit.due.values_mut().for_each(|due| due.at = now);
            }
        }
        self.audit.counted = self.audit.counted.max(range.end);
        self.audit.next = following(&range, registers.len());
        let pause = if self.audit.is_counted() { RECOUNT_PAUSE } else { COUNT_PAUSE };
        self.audit.next_count = now.plus(pause);
        Ok(())
    }

    /// A shard's registers, where they come to what is kept of them.
    pub(super) fn registers_of(&mut self, shard: u16) -> Result<Option<Vec<(Key, Register)>>, StoreError> {
        let registers = self.store.shards(shard..shard + 1)?;
        let sum = Sum::of_all(registers.iter().map(|(_, register)| register));
        Ok(self.audit.check(shard, sum).then_some(registers))
    }
}

/// The shards to be counted after these: more of them where there were few registers, fewer where many.
fn following(range: &Range<u16>, registers: usize) -> Range<u16> {
    let width = range.end.saturating_sub(range.start).max(1);
    let width = if registers < COUNTED_AT_A_TIME { width.saturating_mul(2) } else { (width / 2).max(1) };
    let start = if range.end >= SHARDS { 0 } else { range.end };
    start..start.saturating_add(width).min(SHARDS)
}
