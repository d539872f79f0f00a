//! Links: frames under way, connections made and broken.

use playmark::replica::wire;
use rand::Rng;

use super::{Event, Phase, World, ordered, pairs};
use crate::{
    invariants::{Violation, bounded},
    network::{Connection, Lane},
    node::Input,
};

/// How long a link that is down waits until it dials again, at most.
const REDIAL_MS: u64 = 400;

/// How long a link may hear nothing until it is taken to be down.
const IDLE_TIMEOUT_MS: u64 = 3_000;

impl World {
    pub(super) fn send(
        &mut self,
        from: usize,
        to: usize,
        connection: Connection,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        if self.connections.get(&ordered(from, to)) != Some(&connection) {
            return Ok(()); // The connection has ended, and this end will know it soon.
        }
        self.stats.frames += 1;
        self.stats.bytes += bytes.len() as u64;
        let kind = bytes[1];
        let lane = if kind == wire::PART_KIND { Lane::Parts } else { Lane::Control };
        let link = self.links.get_mut(&(from, to)).expect("only linked nodes connect");
        let arrivals = link.arrivals(self.now, lane, bytes.len(), &mut self.random.network);
        bounded::check_queue(link.queued_bytes(self.now))?;
        if arrivals.is_empty() {
            self.lossy.insert(connection);
        }
        let faults = self.phase == Phase::Faults;
        let rot = faults && self.random.network.random_range(0..1_000) < self.profile.rot_per_mille;
        let length = bytes.len();
        let numbers = [5, from as u64, to as u64, arrivals.len() as u64];
        self.trace.event(self.now, &numbers, bytes, || {
            let told = match wire::decode(bytes) {
                Ok(Some(message)) => crate::tell::message(&message, usize::MAX),
                Ok(None) | Err(_) => format!("kind {kind}"),
            };
            format!("n{from} → n{to} ({length} B, {} arrive): {told}", arrivals.len())
        });
        for arrival in arrivals {
            let from = self.nodes[from].id;
            self.at(arrival, Event::Frame { from, to, connection, bytes: bytes.to_vec(), rot });
        }
        Ok(())
    }

    pub(super) fn dial(&mut self, a: usize, b: usize) {
        if self.connections.contains_key(&(a, b)) {
            return;
        }
        let cut = self.links[&(a, b)].cut || self.links[&(b, a)].cut;
        let lives = (&self.nodes[a].life, &self.nodes[b].life);
        let (Some(one), Some(other), false) = (lives.0, lives.1, cut) else {
            let after = self.random.network.random_range(0..=REDIAL_MS * 1_000);
            self.after_us(after, Event::Dial(a, b));
            return;
        };
        self.connected += 1;
        let connection = self.connected;
        let (origin_a, origin_b) = (one.replica.origin(), other.replica.origin());
        self.connections.insert((a, b), connection);
        self.tell(&[6, a as u64, b as u64], || format!("n{a} and n{b} are linked"));
        for end in [a, b] {
            self.meetings.met(connection, end, self.nodes[end].disk.platter().vector());
            if self.nodes[end].life.as_ref().is_some_and(|life| life.answers) {
                self.meetings.caught_up(connection, end);
            }
        }
        let (id_a, id_b) = (self.nodes[a].id, self.nodes[b].id);
        let [region_a, region_b] = [a, b].map(|end| self.nodes[end].region.clone());
        self.deliver(a, Input::Up { peer: id_b, origin: origin_b, region: region_b, connection });
        self.deliver(b, Input::Up { peer: id_a, origin: origin_a, region: region_a, connection });
    }

    pub(super) fn broken(&mut self, a: usize, b: usize, connection: Connection) {
        let (a, b) = ordered(a, b);
        if self.connections.get(&(a, b)) != Some(&connection) {
            return;
        }
        self.connections.remove(&(a, b));
        for pair in [(a, b), (b, a)] {
            self.links.get_mut(&pair).expect("only linked nodes connect").drop_queue();
        }
        self.tell(&[7, a as u64, b as u64], || format!("the link of n{a} and n{b} is down"));
        let (id_a, id_b) = (self.nodes[a].id, self.nodes[b].id);
        // Each end sees it for itself, one of them perhaps only when the next connection is up.
        for (node, peer) in [(a, id_b), (b, id_a)] {
            let after = self.random.network.random_range(0..=REDIAL_MS * 1_000);
            self.after_us(after, Event::Down { node, peer, connection });
        }
        let after = self.random.network.random_range(0..=REDIAL_MS * 1_000);
        self.after_us(after, Event::Dial(a, b));
    }

    pub(super) fn pairs_of(&self, index: usize) -> Vec<(usize, usize)> {
        pairs(&self.profile).into_iter().filter(|&(a, b)| a == index || b == index).collect()
    }

    pub(super) fn cut_link(&mut self, from: usize, to: usize) {
        self.links.get_mut(&(from, to)).expect("pairs have links").cut = true;
        self.tell(&[8, from as u64, to as u64], || format!("n{from} → n{to} is cut"));
    }

    /// Cuts a link for long, so that both ends see in time that it is down.
    pub(super) fn isolate(&mut self, from: usize, to: usize) {
        self.cut_link(from, to);
        let (a, b) = ordered(from, to);
        if let Some(&connection) = self.connections.get(&(a, b)) {
            let after = self.random.faults.random_range(0..=IDLE_TIMEOUT_MS * 1_000);
            self.after_us(after, Event::Broken(a, b, connection));
        }
    }

    pub(super) fn mend(&mut self, from: usize, to: usize) {
        let outside = self.outside.contains(&from) || self.outside.contains(&to);
        if self.phase == Phase::CoreHeals && outside {
            return;
        }
        self.links.get_mut(&(from, to)).expect("pairs have links").cut = false;
        self.tell(&[9, from as u64, to as u64], || format!("n{from} → n{to} is mended"));
    }
}
