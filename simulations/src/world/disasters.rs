//! What happens to a replica set once: a machine is lost, or an old backup takes the place of its disk.
//!
//! Either voids what that one machine has promised alone; what it has promised as replicated another
//! must keep. At most one disaster befalls a world, since nobody promises more.

use playmark::crdt::ReplicaId;
use rand::Rng;

use super::{Event, Phase, World};
use crate::{
    invariants::{Violation, acknowledged::Promise},
    ledger::Line,
    model,
};

/// What befalls one machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Disaster {
    /// The machine is gone; another one, with another name and nothing on its disk, takes its place.
    Loss,
    /// Its disk is put back to how it was some time ago.
    Restore,
}

impl World {
    /// Plans the disaster, if there is one.
    pub(super) fn plan_disaster(&mut self) {
        if self.profile.disaster.is_none() {
            return;
        }
        let rng = &mut self.random.faults;
        let index = rng.random_range(0..self.nodes.len());
        let strikes = rng.random_range(1..self.profile.faults_ms * 1_000);
        let saved = rng.random_range(0..strikes);
        self.after_us(saved, Event::Backup(index));
        self.after_us(strikes, Event::Disaster(index));
    }

    pub(super) fn backup(&mut self, index: usize) {
        self.tell(&[15, index as u64], || format!("a backup of n{index} is taken"));
        self.nodes[index].back_up();
    }

    pub(super) fn strike(&mut self, index: usize) -> Result<(), Violation> {
        let Some(disaster) = self.profile.disaster.filter(|_| self.phase == Phase::Faults) else {
            return Ok(());
        };
        self.struck = true;
        self.tell(&[16, index as u64], || format!("n{index}: {disaster:?}"));
        self.nodes[index].life = None;
        for (a, b) in self.pairs_of(index) {
            if let Some(&connection) = self.connections.get(&(a, b)) {
                self.broken(a, b, connection);
            }
        }
        match disaster {
            Disaster::Restore => self.nodes[index].restore(&self.ledger)?,
            Disaster::Loss => {
                let id = ReplicaId::from_random(self.random.names.random());
                let orphaned: Vec<_> = self.nodes[index].promises.replicated().cloned().collect();
                self.nodes[index].lose(id);
                orphaned.into_iter().try_for_each(|line| self.inherit(line))?;
            }
        }
        let down = self.random.faults.random_range(0..=self.profile.down_ms * 1_000);
        self.after_us(down, Event::Boot(index));
        Ok(())
    }

    /// Finds the machine that keeps what a lost one has promised as replicated; it is bound to it from here on.
    fn inherit(&mut self, line: Line) -> Result<(), Violation> {
        let keeps = |node: &&mut crate::node::Node| {
            let synced = node.disk.copy();
            synced.cut_power(0);
            model::stands(&synced.platter(), &line)
        };
        let Some(heir) = self.nodes.iter_mut().find(keeps) else {
            let (key, stamp) = (model::name(&line.key), line.stamp);
            let what = format!("{stamp:?} at {key} was replicated, and went with one machine");
            return Err(Violation::new("acknowledged", what));
        };
        let platter = heir.disk.platter();
        heir.promises.give(Promise::Synced, line, &platter)
    }
}
