//! The heal, and what must be true some time after it.

use std::time::Duration;

use playmark::{
    crdt::{Dot, Key, Register},
    replica::{ENTER_AGAIN_AFTER, plan::AVOID_FOR},
};
use rand::Rng;

use super::{Event, Phase, World, ordered};
use crate::{
    invariants::{Violation, acknowledged::Promise, no_holes, one_copy, rest, resume_point},
    ledger::Line,
    model::{self, Reference},
    node::Node,
    profile::{Mesh, Profile},
};

/// How long all nodes may take, after the heal, until they are equal, beside the time that the narrowest
/// path needs for what they hold.
///
/// The longest way there: a peer passed over for ten seconds, a gateway that brings nothing for six, a feed that stands
/// still for two, a status a second later, each for one hop of a relay.
const CONVERGE_WITHIN: Duration = Duration::from_mins(1);

/// What an item takes on the way beside its value, before compression.
const ITEM_BYTES: usize = 128;

/// How long equal replicas must say nothing but statuses and acknowledgements: longer than early registers
/// wait before they enter again, than anything stays unsynced, than what is then told is under way, and than anybody is
/// passed over who stood still.
const QUIET_FOR: Duration = AVOID_FOR.saturating_add(Duration::from_secs(2));

const _: () = assert!(QUIET_FOR.as_secs() >= ENTER_AGAIN_AFTER.as_secs() + 4);

impl World {
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        let core_first = self.phase == Phase::Faults && self.profile.core_first;
        if core_first {
            self.phase = Phase::CoreHeals;
            let outsiders = self.random.faults.random_range(1..=self.nodes.len() - 2);
            while self.outside.len() < outsiders {
                let index = self.random.faults.random_range(0..self.nodes.len());
                if !self.outside.contains(&index) && self.core_is_linked_without(index) {
                    self.outside.push(index);
                } else if self.profile.mesh != Mesh::Full {
                    break;
                }
            }
        } else {
            self.phase = Phase::AllHeals;
        }
        self.healed_at = self.now;
        self.patience = CONVERGE_WITHIN + self.time_for_all();
        self.players.close();
        let phase = self.phase;
        self.tell(&[12, phase as u64], || format!("{phase:?}"));
        let all: Vec<_> = self.links.keys().copied().collect();
        for (from, to) in all {
            let quality = &mut self.links.get_mut(&(from, to)).expect("it was listed").quality;
            (quality.loss_percent, quality.copies_percent, quality.reorders) = (0, 0, false);
            if phase == Phase::CoreHeals && (self.outside.contains(&from) || self.outside.contains(&to)) {
                self.isolate(from, to);
            } else {
                self.mend(from, to);
            }
        }
        for index in 0..self.nodes.len() {
            self.boot(index)?;
        }
        self.after_us(0, Event::Probe);
        Ok(())
    }

    /// How long a path needs to carry the fullest disk twice, and an entry for every write: no replica
    /// should need more, however much of it is answered in the place of something else.
    fn time_for_all(&self) -> Duration {
        let bytes = |(_, register): (&Key, &Register)| ITEM_BYTES + register.value.len();
        let held =
            self.nodes.iter().map(|node| node.disk.platter().store().registers().map(bytes).sum::<usize>());
        let fullest = held.max().expect("a world has nodes") as u64;
        let entries = self.stats.requests * ITEM_BYTES as u64;
        Duration::from_millis((2 * fullest + entries) / self.profile.quality.bytes_per_ms)
    }

    pub(super) fn core_is_linked_without(&self, index: usize) -> bool {
        match self.profile.mesh {
            Mesh::Full => true,
            // Only an end of the line, or a ray of the star, leaves the others linked.
            Mesh::Line | Mesh::Star => index + 1 == self.nodes.len() && self.outside.is_empty(),
        }
    }

    pub(super) fn core(&self) -> impl Iterator<Item = &Node> {
        let healed = self.phase != Phase::CoreHeals;
        self.nodes.iter().filter(move |node| healed || !self.outside.contains(&node.index))
    }

    pub(super) fn is_converged(&self) -> bool {
        let first = self.core().next().expect("a core has nodes").disk.platter();
        self.core().all(|node| {
            let platter = node.disk.platter();
            let idle = node.life.as_ref().is_some_and(|life| life.inbox.is_empty());
            idle && platter.sum() == first.sum() && platter.vector() == first.vector()
        })
    }

    /// Whether every node knows enough to answer; the last to begin may have to wait for long.
    fn all_answer(&self) -> bool {
        self.nodes.iter().all(|node| node.life.as_ref().is_some_and(|life| life.answers))
    }

    fn is_quiet(&self) -> bool {
        self.converged_at.is_some_and(|at| self.now.since(self.last_busy.max(at)) >= QUIET_FOR)
    }

    pub(super) fn probe(&mut self) -> Result<(), Violation> {
        let since = self.now.since(self.healed_at);
        match self.phase {
            Phase::Faults | Phase::Over => return Ok(()),
            Phase::CoreHeals if self.is_converged() => {
                return self.heal();
            }
            Phase::AllHeals if self.players.are_done() && self.is_converged() && self.all_answer() => {
                self.phase = Phase::Quiet;
                self.converged_at = Some(self.now);
                self.stats.converged_ms = u64::try_from(since.as_millis()).expect("a bound is short");
                self.tell(&[13], || "all are equal".into());
                self.check_all()?;
            }
            Phase::Quiet if self.is_quiet() => {
                self.phase = Phase::Over;
                self.check_all()?;
                self.check_rest()?;
                return Ok(());
            }
            Phase::CoreHeals | Phase::AllHeals | Phase::Quiet => {}
        }
        let bound = if self.phase == Phase::Quiet { self.patience + QUIET_FOR } else { self.patience };
        if since > bound {
            return Err(self.not_converged());
        }
        self.after_us(20_000, Event::Probe);
        Ok(())
    }

    pub(super) fn not_converged(&self) -> Violation {
        let lines = self.core().map(|node| {
            let platter = node.disk.platter();
            let answers = node.life.as_ref().is_some_and(|life| life.answers);
            let (sum, vector) = (platter.sum(), platter.vector());
            format!("n{} answers {answers} sum {sum:x} vector {vector:?}", node.index)
        });
        let lines: Vec<_> = lines.collect();
        let (phase, patience) = (self.phase, self.patience);
        let what = format!("{phase:?} does not end within {patience:?}: {}", lines.join("; "));
        Violation::new("convergence", what)
    }

    /// How far two clocks can be apart; `None` if they jumped, or one is odd.
    fn skew_ms(&self) -> Option<u64> {
        let Profile { jump_every_ms, skew_ms, drift_ppm, odd_clock, .. } = self.profile;
        let drifted = self.now.as_ms() * drift_ppm.unsigned_abs() / 1_000_000;
        (jump_every_ms == 0 && odd_clock.is_none()).then(|| 2 * (skew_ms.unsigned_abs() + drifted + 1))
    }

    fn check_rest(&self) -> Result<(), Violation> {
        if self.profile.mesh == Mesh::Full {
            one_copy::check(&self.nodes)?;
        }
        for node in &self.nodes {
            let Some(life) = &node.life else { continue };
            for peer in self.nodes.iter().filter(|peer| peer.index != node.index) {
                let connection = self.connections.get(&ordered(node.index, peer.index));
                if connection.is_none_or(|connection| self.lossy.contains(connection)) {
                    continue;
                }
                rest::check(&life.replica, peer.id, &peer.disk.platter())?;
            }
        }
        Ok(())
    }

    /// Checks everything against everything.
    pub(super) fn check_all(&self) -> Result<(), Violation> {
        let mut reference = Reference::default();
        let vector = self.nodes[0].disk.platter().vector();
        for (origin, Line { version, key, stamp, value }) in self.ledger.covered(&vector) {
            reference.add(key, *stamp, value, Dot { origin, version: *version });
        }
        for node in &self.nodes {
            for (key, register) in node.disk.platter().store().registers() {
                reference.add(key, register.stamp, &register.value, register.dot);
            }
        }
        reference.prune();
        // What a player was promised by one machine alone may have gone with it.
        let expected = if self.struck { Vec::new() } else { self.players.expected(self.skew_ms()) };
        for node in &self.nodes {
            let platter = node.disk.platter();
            no_holes::check_all(&platter, &self.ledger)?;
            node.promises.check_all(&platter)?;
            if let Some(difference) = reference.difference(&platter) {
                return Err(Violation::new("convergence", format!("n{}: {difference}", node.index)));
            }
            for (title, expected) in &expected {
                resume_point::check(title, expected, &platter)?;
            }
            for other in &self.nodes {
                for line in other.promises.replicated() {
                    if !model::stands(&platter, line) {
                        let what = format!("{:?} was {:?}", line.stamp, Promise::Replicated);
                        return Err(Violation::new("acknowledged", what));
                    }
                }
            }
        }
        Ok(())
    }
}
