//! Machines: lives that begin, take turns and end, and what must hold between them.

use playmark::{
    crdt::{Origin, ReplicaId},
    replica::Beginning,
    store::FailedCommit,
    zoo::{Bug, planted},
};
use rand::Rng;

use super::{Event, Phase, World, ordered};
use crate::{
    invariants::{Violation, Watch, convergence, readiness, synced_claims},
    network::chance,
    node::{CrashPoint, Fate, Input, Outcome},
    profile::{Acquaintance, Profile, pick},
    time::Moment,
};

impl World {
    pub(super) fn boot(&mut self, index: usize) -> Result<(), Violation> {
        let isolated = self.phase == Phase::CoreHeals && self.outside.contains(&index);
        if self.nodes[index].life.is_some() || isolated {
            return Ok(());
        }
        let origin = Origin::from_random(self.random.names.random());
        let begins = (self.beginning(index), self.profile.alone_after);
        self.nodes[index].boot(origin, self.profile.linger, begins, self.now)?;
        self.tell(&[1, index as u64], || format!("n{index} begins the life {origin:?}"));
        self.wake(index, self.now);
        Ok(())
    }

    /// In what way a node's next life begins. Where they are no strangers to begin with, the first one founds; and so
    /// does the machine that takes its place, if nobody else has ever known enough to answer.
    fn beginning(&self, index: usize) -> Beginning {
        let others = self.nodes.iter().filter(|node| node.index != index);
        let is_first = index == 0 && (!self.struck || others.into_iter().all(|node| !node.has_answered));
        match (self.profile.acquaintance, is_first) {
            (Acquaintance::Old, _) => Beginning::Alone,
            (Acquaintance::New, true) => Beginning::Founds,
            (Acquaintance::New, false) => Beginning::Joins,
        }
    }

    /// Looks whether a life begins to answer, and whether it may.
    fn look_at_readiness(&mut self, index: usize, committed: bool) -> Result<(), Violation> {
        let node = &mut self.nodes[index];
        let Some(life) = node.life.as_mut().filter(|life| life.replica.readiness().is_caught_up()) else {
            return Ok(());
        };
        node.has_answered |= committed;
        if std::mem::replace(&mut life.answers, true) {
            return Ok(());
        }
        let (begun, lasting) = (life.begun, self.now.since(life.started));
        let links = (index, life.connections.values().copied());
        let (held, alone_after) = (life.replica.vector(), self.profile.alone_after);
        readiness::answers(begun, lasting, alone_after, held, links, &self.meetings)?;
        self.tell(&[18, index as u64], || format!("n{index} has caught up"));
        for (a, b) in self.pairs_of(index) {
            if let Some(&connection) = self.connections.get(&(a, b)) {
                self.meetings.caught_up(connection, index);
            }
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, to: usize, input: Input) {
        let turn_us = self.profile.turn_us;
        let Some(life) = &mut self.nodes[to].life else { return };
        life.inbox.push_back(input);
        let after = self.random.network.random_range(0..=turn_us);
        self.wake(to, self.now.plus_us(after));
    }

    /// Makes sure that a node has a turn at `at` or before.
    pub(super) fn wake(&mut self, index: usize, at: Moment) {
        let at = at.max(self.now).max(self.nodes[index].stalled_until);
        let Some(life) = &mut self.nodes[index].life else { return };
        if life.next_turn.is_none_or(|turn| at < turn) {
            life.next_turn = Some(at);
            self.at(at, Event::Turn(index));
        }
    }

    pub(super) fn turn(&mut self, index: usize) -> Result<(), Violation> {
        let due = self.nodes[index].life.as_ref().and_then(|life| life.next_turn);
        if due != Some(self.now) {
            return Ok(());
        }
        if self.now < self.nodes[index].stalled_until {
            self.nodes[index].life.as_mut().expect("a turn is due in a life").next_turn = None;
            self.wake(index, self.now);
            return Ok(());
        }
        let fate = self.fate();
        let node = &mut self.nodes[index];
        node.life.as_mut().expect("a turn is due in a life").next_turn = None;
        let compared = node.compared();
        let outcome = node.turn(self.now, fate, &mut self.ledger)?;
        self.stats.compared += node.compared().saturating_sub(compared);
        let (frames, answers) = (outcome.frames.len() as u64, outcome.answers.len() as u64);
        let sum = self.nodes[index].disk.platter().sum();
        self.tell(&[2, index as u64, frames, answers, sum], || {
            format!("n{index} turns: {answers} answers, {frames} frames")
        });
        self.look_at_readiness(index, outcome.committed)?;
        self.apply(index, outcome)?;
        self.compare(index)
    }

    pub(super) fn fate(&mut self) -> Fate {
        let Profile { failures_per_myriad, transmits_max, sync_every, .. } = self.profile;
        let mut fate = Fate { transmits_max, sync_every, ..Fate::default() };
        let rng = &mut self.random.faults;
        if self.phase != Phase::Faults {
            fate.transmits_max = usize::MAX;
            return fate;
        }
        if failures_per_myriad > 0 && rng.random_range(0..10_000) < failures_per_myriad {
            match rng.random_range(0..3) {
                0 => fate.failure = Some(FailedCommit::Absent),
                1 => fate.failure = Some(FailedCommit::Present),
                _ => fate.sync_fails = true,
            }
        }
        if self.profile.crash_every_ms > 0 && rng.random_range(0..1_000) < 5 {
            let points = [CrashPoint::Commit, CrashPoint::Answers, CrashPoint::Transmits];
            fate.crash = Some(pick(rng, &points));
        }
        fate
    }

    pub(super) fn apply(&mut self, index: usize, outcome: Outcome) -> Result<(), Violation> {
        if outcome.busy {
            self.last_busy = self.now;
        }
        for (to, connection, bytes) in outcome.frames {
            if let Some(to) = self.index_of(to) {
                self.send(index, to, connection, &bytes)?;
            }
        }
        for answer in outcome.answers {
            if let Some(after) = self.players.answer_delay(&mut self.random.players) {
                self.after_us(after, Event::Answer(answer));
            }
        }
        for (peer, connection) in outcome.closed {
            if let Some(peer) = self.index_of(peer) {
                self.broken(index, peer, connection);
            }
        }
        if outcome.over {
            let power = chance(&mut self.random.faults, self.profile.power_percent);
            return self.end_life(index, power);
        }
        if let Some(at) = outcome.next_turn {
            // What a turn leaves undone waits until the path has room or the processor time.
            let after = 1 + self.random.network.random_range(0..=self.profile.turn_us);
            self.wake(index, at.max(self.now.plus_us(after)));
        }
        Ok(())
    }

    pub(super) fn end_life(&mut self, index: usize, power: bool) -> Result<(), Violation> {
        self.stats.crashes += 1;
        let node = &mut self.nodes[index];
        node.life = None;
        if power {
            let unsynced = node.disk.platter().store().unsynced();
            let keep = self.random.faults.random_range(0..=unsynced);
            let lost = node.cut_power(keep, &self.ledger)?;
            self.tell(&[3, index as u64, lost as u64], || format!("n{index} loses power and {lost} batches"));
        } else {
            node.promises.check_all(&node.disk.platter())?;
            self.tell(&[4, index as u64], || format!("n{index} ends"));
        }
        for (a, b) in self.pairs_of(index) {
            if let Some(&connection) = self.connections.get(&(a, b)) {
                let after = self.random.faults.random_range(0..=1_500_000);
                self.after_us(after, Event::Broken(a, b, connection));
            }
        }
        let down = self.random.faults.random_range(0..=self.profile.down_ms * 1_000);
        self.after_us(down, Event::Boot(index));
        Ok(())
    }

    /// The node of a name; `None` if its machine was lost.
    pub(super) fn index_of(&self, id: ReplicaId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    pub(super) fn compare(&self, index: usize) -> Result<(), Violation> {
        let node = &self.nodes[index];
        let platter = node.disk.platter();
        if let Some(life) = node.life.as_ref().filter(|_| self.watch == Watch::Closely) {
            if *life.replica.vector() != platter.vector() && !planted(Bug::SentBeforeCommit) {
                return Err(Violation::new("vector_true", "the replica's vector is not its store's"));
            }
            for (peer, view) in life.replica.peers() {
                let Some(other) = self.nodes.iter().find(|node| node.id == *peer) else { continue };
                if self.connections.get(&ordered(index, other.index)) == life.connections.get(peer) {
                    synced_claims::check(&view.synced, other.disk.platter().synced())?;
                }
            }
        }
        for other in self.nodes.iter().filter(|other| other.index != index) {
            convergence::check(&platter, &other.disk.platter())?;
        }
        Ok(())
    }
}
