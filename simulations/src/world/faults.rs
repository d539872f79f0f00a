//! What goes wrong, and what is asked meanwhile.

use rand::Rng;

use super::{Event, Phase, World, pairs};
use crate::{
    invariants::Violation,
    model,
    network::chance,
    node::Input,
    players::Wish,
    profile::pick,
    request::{Answer, Request},
};

impl World {
    pub(super) fn cut(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        let pairs = pairs(&self.profile);
        let (a, b) = pick(&mut self.random.faults, &pairs);
        let directions = match self.random.faults.random_range(0..3) {
            0 => vec![(a, b), (b, a)],
            1 => vec![(a, b)],
            _ => vec![(b, a)],
        };
        for (from, to) in directions {
            self.cut_link(from, to);
            let until = self.random.faults.random_range(0..=self.profile.cut_ms * 2_000);
            self.after_us(until, Event::Mend(from, to));
        }
        if chance(&mut self.random.faults, self.profile.seen_percent)
            && let Some(&connection) = self.connections.get(&(a, b))
        {
            let after = self.random.faults.random_range(0..=1_000_000);
            self.after_us(after, Event::Broken(a, b, connection));
        }
        self.schedule_next(self.profile.cut_every_ms, Event::Cut);
    }

    pub(super) fn crash_some(&mut self) -> Result<(), Violation> {
        if self.phase != Phase::Faults {
            return Ok(());
        }
        let index = self.random.faults.random_range(0..self.nodes.len());
        let power = chance(&mut self.random.faults, self.profile.power_percent);
        if self.nodes[index].life.is_some() {
            self.end_life(index, power)?;
        }
        self.schedule_next(self.profile.crash_every_ms, Event::Crash);
        Ok(())
    }

    /// A process stands still for a while, as under a debugger or a hypervisor that is busy elsewhere.
    pub(super) fn stall(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        let index = self.random.faults.random_range(0..self.nodes.len());
        let until = self.now.plus_us(self.random.faults.random_range(0..=2_000_000));
        self.tell(&[17, index as u64], || format!("n{index} stands still until {until}"));
        self.nodes[index].stalled_until = until;
        self.schedule_next(self.profile.stall_every_ms, Event::Stall);
    }

    pub(super) fn jump(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        let index = self.random.faults.random_range(0..self.nodes.len());
        let by = pick(&mut self.random.faults, &[-100_000, -3_000, -200, 200, 3_000, 100_000]);
        self.nodes[index].clock.offset_ms += by;
        self.tell(&[10, index as u64], || format!("the clock of n{index} jumps by {by} ms"));
        self.schedule_next(self.profile.jump_every_ms, Event::Jump);
    }

    /// Does what players want.
    pub(super) fn grant(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Send { at, node, request } => self.at(at, Event::Client(node, request)),
                Wish::Wake { at, player } => self.at(at, Event::Player(player)),
                Wish::Resend { at, player, sample, late } => {
                    self.at(at, Event::Resend { player, sample, late });
                }
            }
        }
    }

    pub(super) fn client(&mut self, index: usize, request: Request) {
        self.stats.requests += 1;
        let (what, player, sample) = match &request {
            Request::Open(open) => ("a token", open.player, 0),
            Request::Report(report) => ("a sample", report.player, report.sample as u64),
            Request::Write(_) => unreachable!("players do not write past the door"),
        };
        self.tell(&[14, index as u64, player as u64, sample], || {
            let told = match &request {
                Request::Report(report) => format!("{:?}", report.heartbeat),
                Request::Open(_) | Request::Write(_) => String::new(),
            };
            format!("player {player} asks n{index} to take {what} ({sample}) {told}")
        });
        self.deliver(index, Input::Request(request));
    }

    pub(super) fn answered(&mut self, answer: Answer) {
        let wishes = self.players.answered(answer, self.now, &mut self.random.players);
        self.grant(wishes);
    }

    pub(super) fn write(&mut self) {
        if self.writers.are_done() || self.phase != Phase::Faults {
            return;
        }
        let burst = self.writers.burst(self.now, &mut self.random.load);
        let index = self.random.load.random_range(0..self.nodes.len());
        for request in burst {
            self.stats.requests += 1;
            let key = model::name(&request.key);
            let stamp = request.stamp;
            let request = Request::Write(request);
            self.tell(&[11, index as u64, stamp.time.as_ms()], || {
                format!("n{index} is asked to write {stamp:?} at {key}")
            });
            self.deliver(index, Input::Request(request));
        }
        let bursts = u64::from(self.profile.load.writes / self.profile.load.burst.div_ceil(2)).max(1);
        let mean_us = self.profile.faults_ms * 1_000 / bursts;
        let after = self.random.load.random_range(0..=mean_us * 2);
        self.after_us(after, Event::Write);
    }
}
