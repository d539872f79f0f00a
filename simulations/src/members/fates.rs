//! What befalls the members, and the world between them.

use std::time::Duration;

use playmark::membership::Kept;
use rand::Rng;

use super::{CALM_WITHIN, Event, PATIENCE, World};
use crate::network::chance;

impl World {
    /// Starts a member, or starts it again.
    pub(super) fn begin(&mut self, member: usize) {
        if self.machines[member].lives.is_some() {
            return;
        }
        // Links of its last life that others have not given up yet lead to nobody.
        for other in self.machines[member].links.clone() {
            self.unlink(member, other);
        }
        let wall_ms = self.clock(member).wall.as_ms();
        self.machines[member].begin(wall_ms, &mut self.rng);
        self.trace.event(self.now, &[member as u64], b"begins", || format!("m{member} begins"));
        let life = self.machines[member].lives.as_ref().map_or(0, |it| it.number);
        self.after(Duration::ZERO, Event::Dials { member, life });
    }

    /// Something happens to one member.
    pub(super) fn fate(&mut self) {
        let member = self.rng.random_range(0..self.machines.len());
        if self.machines[member].lives.is_some() && !self.calm {
            match self.rng.random_range(0..10) {
                0..3 => self.leave(member),
                3..5 => {
                    self.end(member, PATIENCE);
                    self.machines[member].lose_disk(&mut self.rng);
                }
                _ => self.end(member, PATIENCE),
            }
            // Some are away for longer than it takes to be declared down.
            let away = if chance(&mut self.rng, 50) { 1_000 } else { 40_000 };
            let away = self.rng.random_range(0..away);
            self.after(Duration::from_millis(away), Event::Returns(member));
        }
        self.fate_later();
    }

    fn leave(&mut self, member: usize) {
        let now = self.clock(member);
        if let Some(lives) = &mut self.machines[member].lives {
            lives.membership.leave(now);
        }
        self.flush(member);
        let (replica, linked) = (self.machines[member].replica, self.machines[member].links.clone());
        self.end(member, Duration::ZERO);
        for other in linked.into_iter().filter(|&other| self.is_open(member, other)).collect::<Vec<_>>() {
            let now = self.clock(other);
            if let Some(lives) = &mut self.machines[other].lives {
                lives.membership.handle_peer_left(replica, now);
            }
            self.flush(other);
        }
    }

    /// Ends a life; its links are given up by the others after their patience.
    fn end(&mut self, member: usize, patience: Duration) {
        self.stats.crashes += 1;
        self.trace.event(self.now, &[member as u64], b"ends", || format!("m{member} ends"));
        let machine = &mut self.machines[member];
        if let Some(lives) = machine.lives.take() {
            let members = lives.membership.members().clone();
            machine.kept = Kept { life: lives.hello.life, members }.encode();
        }
        for other in machine.links.clone() {
            if patience.is_zero() {
                self.unlink(member, other);
            } else {
                self.after(patience, Event::Fades { one: member, other });
            }
        }
    }

    /// Cuts the world in two.
    pub(super) fn cut(&mut self) {
        if self.calm {
            return;
        }
        for side in 0..self.sides.len() {
            self.sides[side] = chance(&mut self.rng, 50);
        }
        self.trace.event(self.now, &[], b"cut", || format!("cut: {:?}", self.sides));
        for one in 0..self.machines.len() {
            let apart = self.machines[one].links.iter().copied().filter(|&other| !self.is_open(one, other));
            for other in apart.filter(|&other| one < other).collect::<Vec<_>>() {
                self.after(PATIENCE, Event::Fades { one, other });
            }
        }
        let for_ms = self.rng.random_range(1_000..60_000);
        self.after(Duration::from_millis(for_ms), Event::Heal);
    }

    pub(super) fn heal(&mut self) {
        self.sides.fill(false);
        self.cut_later();
    }

    /// Everybody comes back, every path is open, and nothing is lost any more.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        self.sides.fill(false);
        for member in 0..self.machines.len() {
            self.begin(member);
        }
        self.after(CALM_WITHIN, Event::End);
    }

    pub(super) fn fate_later(&mut self) {
        self.later(self.profile.churn_every_ms, Event::Fate);
    }

    pub(super) fn cut_later(&mut self) {
        self.later(self.profile.cut_every_ms, Event::Cut);
    }

    fn later(&mut self, mean_ms: u64, event: Event) {
        if mean_ms > 0 && !self.calm {
            let after = self.rng.random_range(0..2 * mean_ms);
            self.after(Duration::from_millis(after), event);
        }
    }
}
