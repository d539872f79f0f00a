//! The steps of a comparison, each answered from committed state.

use super::{
    Base,
    digest::{GROUP, LEAVES, Shards, Sum, leaves, of_vector},
    message::{Leaf, Step},
};
use crate::{
    crdt::{Now, ReplicaId, Span, Timestamp, VersionVector},
    replica::Replica,
    store::{Store, StoreError},
    zoo::{Bug, planted},
};

/// How many entries of the index are looked at to find what is on its way; beyond it so much is that there is
/// nothing to compare.
const TOUCHED_ENTRIES_MAX: usize = 16_384;

/// How many groups, and of these how many shards, one comparison looks into; the next finds the others.
const NARROWED_MAX: usize = 4;

/// How many bytes of keys and stamps one comparison tells, and at least a register's.
const ITEMS_BYTES_MAX: usize = 16 * 1024;

impl<S: Store> Replica<S> {
    /// Answers what a peer has said, from committed state; `None` where nothing is left to say.
    pub(super) fn answer_step(
        &mut self,
        to: ReplicaId,
        heard: Step,
        now: Now,
    ) -> Result<Option<Step>, StoreError> {
        let step = match heard {
            Step::Begin { hash, total, vector } => self.answer_begin(to, hash, total, vector)?,
            Step::Vector => Some(self.begin(true)?),
            Step::Touched { vector, shards } => self.answer_touched(to, &vector, shards)?,
            Step::Total { shards, total } => self.answer_total(to, &shards, total),
            Step::Groups(sums) => self.answer_groups(to, &sums),
            Step::Shards(groups) => self.answer_shards(to, &groups)?,
            Step::Leaves(shards) => self.answer_leaves(to, &shards)?,
            Step::Wanted(keys) => Some(Step::Wanted(keys)),
            Step::Equal => {
                self.audit.findings.compared += 1;
                self.audit.findings.equal += 1;
                self.audit.end(to, |every| every * 2, now.mono);
                return Ok(None);
            }
            Step::Busy => {
                self.audit.findings.compared += 1;
                self.audit.end(to, |every| every, now.mono);
                return Ok(None);
            }
            // Those are settled where they are handled.
            Step::Items(_) => return Ok(None),
        };
        let step = step.unwrap_or(Step::Busy);
        if matches!(step, Step::Equal | Step::Busy | Step::Wanted(_)) {
            self.audit.end(to, |every| every, now.mono);
        }
        Ok(Some(step))
    }

    fn answer_begin(
        &mut self,
        to: ReplicaId,
        hash: u64,
        total: Option<Sum>,
        vector: Option<VersionVector>,
    ) -> Result<Option<Step>, StoreError> {
        if !self.audit.is_counted() || !self.readiness().is_caught_up() {
            return Ok(None);
        }
        let is_alike = hash == of_vector(&self.vector) && !self.holds_early()?;
        if is_alike && total == Some(self.audit.roots.total(&Shards::default())) {
            return Ok(Some(Step::Equal));
        }
        let Some(vector) = vector else { return Ok(Some(Step::Vector)) };
        let Some(shards) = self.touched(&vector)? else { return Ok(None) };
        self.set_base(to, shards.clone());
        Ok(Some(Step::Touched { vector: self.vector.clone(), shards }))
    }

    fn answer_touched(
        &mut self,
        to: ReplicaId,
        vector: &VersionVector,
        theirs: Shards,
    ) -> Result<Option<Step>, StoreError> {
        let Some(shards) = self.touched(vector)? else { return Ok(None) };
        let mut left_out = theirs;
        left_out.merge(&shards);
        let total = self.audit.roots.total(&left_out);
        self.set_base(to, left_out);
        Ok(Some(Step::Total { shards, total }))
    }

    fn answer_total(&mut self, to: ReplicaId, theirs: &Shards, total: Sum) -> Option<Step> {
        let base = self.audit.rounds.get_mut(&to)?.base.as_mut()?;
        base.left_out.merge(theirs);
        let ours = base.roots.total(&base.left_out);
        if ours == total && ours == Sum::default() {
            return None;
        }
        Some(if ours == total { Step::Equal } else { Step::Groups(base.roots.groups(&base.left_out)) })
    }

    fn answer_groups(&self, to: ReplicaId, theirs: &[Sum]) -> Option<Step> {
        let Base { roots, left_out } = self.audit.rounds.get(&to)?.base.as_ref()?;
        let differing =
            (0..).zip(roots.groups(left_out)).zip(theirs).filter(|((_, ours), theirs)| ours != *theirs);
        let groups = differing.map(|((group, _), _)| (group, roots.group(group, left_out)));
        let groups: Vec<_> = groups.take(NARROWED_MAX).collect();
        (!groups.is_empty()).then_some(Step::Shards(groups))
    }

    fn answer_shards(
        &mut self,
        to: ReplicaId,
        theirs: &[(u16, Vec<Sum>)],
    ) -> Result<Option<Step>, StoreError> {
        let Some(base) = self.audit.rounds.get_mut(&to).and_then(|round| round.base.take()) else {
            return Ok(None);
        };
        let each = theirs.iter().flat_map(|(group, sums)| (group.saturating_mul(GROUP)..).zip(sums));
        let differing = each
            .filter(|&(shard, sum)| base.holds(&self.audit.roots, shard) && base.roots.shard(shard) != *sum);
        let differing: Vec<u16> = differing.map(|(shard, _)| shard).take(NARROWED_MAX).collect();
        let mut shards = Vec::new();
        for shard in differing {
            shards.extend(self.registers_of(shard)?.map(|registers| (shard, leaves(&registers))));
        }
        self.restore_base(to, base);
        Ok((!shards.is_empty()).then_some(Step::Leaves(shards)))
    }

    fn answer_leaves(
        &mut self,
        to: ReplicaId,
        theirs: &[(u16, Vec<Sum>)],
    ) -> Result<Option<Step>, StoreError> {
        let Some(base) = self.audit.rounds.get_mut(&to).and_then(|round| round.base.take()) else {
            return Ok(None);
        };
        let (mut items, mut room) = (Vec::new(), ITEMS_BYTES_MAX);
        for (shard, sums) in theirs.iter().take(NARROWED_MAX) {
            if !base.holds(&self.audit.roots, *shard) {
                continue;
            }
            let Some(registers) = self.registers_of(*shard)? else { continue };
            let ours = leaves(&registers);
            for leaf in (0..LEAVES).filter(|&it| sums.get(usize::from(it)) != Some(&ours[usize::from(it)])) {
                if room > 0 {
                    items.push(Leaf::of(*shard, leaf, &registers, &mut room, self.audit.begun));
                }
            }
        }
        self.restore_base(to, base);
        Ok((!items.is_empty()).then_some(Step::Items(items)))
    }

    pub(super) fn set_base(&mut self, peer: ReplicaId, left_out: Shards) {
        self.restore_base(peer, Base { roots: self.audit.roots.clone(), left_out });
    }

    fn restore_base(&mut self, peer: ReplicaId, base: Base) {
        if let Some(round) = self.audit.rounds.get_mut(&peer) {
            round.base = Some(base);
        }
    }

    /// Whether anything stands here that this replica's own vector does not cover.
    pub(super) fn holds_early(&self) -> Result<bool, StoreError> {
        for origin in self.early.origins() {
            let span = Span { origin, after: self.vector.upto(origin), upto: Timestamp::from_u64(u64::MAX) };
            if !self.store.changes(span, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The shards in which something is logged that `theirs` does not cover; `None` where that is too much.
    pub(super) fn touched(&self, theirs: &VersionVector) -> Result<Option<Shards>, StoreError> {
        let mut shards = Shards::default();
        if planted(Bug::ComparedWhileOnItsWay) {
            return Ok(Some(shards));
        }
        let mut left = TOUCHED_ENTRIES_MAX;
        let origins = self.vector.iter().map(|(&origin, _)| origin).chain(self.early.origins());
        for origin in origins {
            let span = Span { origin, after: theirs.upto(origin), upto: Timestamp::from_u64(u64::MAX) };
            let entries = self.store.changes(span, left)?;
            left = left.saturating_sub(entries.len());
            if left == 0 {
                return Ok(None);
            }
            for (_, key) in &entries {
                shards.insert(key.title.profile.shard());
            }
        }
        Ok(Some(shards))
    }
}
