//! The WAN between the regions: a relay for UDP that delays, loses, copies and cuts.
//!
//! The problem: links between continents are slow, lose packets and break, often in one direction only, and
//! few machines allow an ordinary user to make the kernel's network behave so. The mechanism: for every
//! ordered pair of nodes (A, B) the relay holds one socket, the address under which A knows B:
//!
//! ```text
//! A ──▶ [B as A knows it] ─── line A's region → B's region ───▶ [A as B knows it] ──▶ B
//! A ◀── [B as A knows it] ◀── line B's region → A's region ──── [A as B knows it] ◀── B
//! ```
//!
//! What comes in at one leaves by the other, so that both sides see one steady address and QUIC notices
//! nothing but the weather. Each direction between two regions is one line with one bounded queue; a full one drops,
//! as a router does. What was refused: a proxy that ends the connection and opens another, which hides
//! loss from the protocol under test, and `netem`, which needs root and a kernel module.

mod engine;
mod line;
mod shape;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket as BlockingSocket},
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use anyhow::{Context, Result};
use tokio::net::UdpSocket;

use self::{
    engine::Engine,
    line::{Line, Packet},
    shape::Shape,
};
use super::{Change, Traffic, Weather};
use crate::topology::{NodeName, Topology, Way};

/// The longest datagram UDP knows; what a WAN would not carry is dropped by the line.
const RECEIVE_BYTES_MAX: usize = 65_535;

/// A running WAN. It stands still when dropped.
#[derive(Debug)]
pub struct Relay {
    lines: BTreeMap<Way, Arc<Line>>,
    // Grow where a node is added.
    addresses: Mutex<BTreeMap<(NodeName, NodeName), SocketAddr>>,
    engine: Engine,
}

impl Relay {
    /// Opens the WAN of a topology, for nodes that listen at these addresses.
    pub(in crate::wan) fn open(
        topology: &Topology,
        listens: &BTreeMap<NodeName, SocketAddr>,
    ) -> Result<Self> {
        let engine = Engine::start().context("a thread for the relay")?;
        let mut lines = BTreeMap::new();
        for (number, way) in (0..).zip(topology.ways()) {
            // Every line has dice of its own, so that traffic on one does not change the luck of another.
            let shape = Shape::new(topology.line(&way), topology.seed.wrapping_add(number));
            let line = Arc::new(Line::new(shape));
            lines.insert(way, Arc::clone(&line));
            engine.spawn(async move { line.run().await });
        }

        let relay = Self { lines, addresses: Mutex::default(), engine };
        let everybody: Vec<_> = listens.keys().cloned().collect();
        relay.join(&everybody, listens)?;
        Ok(relay)
    }

    /// Makes the addresses under which these nodes and all others of `listens` know each other.
    ///
    /// # Panics
    /// Where somebody has panicked with the addresses in hand.
    pub(in crate::wan) fn join(
        &self,
        new: &[NodeName],
        listens: &BTreeMap<NodeName, SocketAddr>,
    ) -> Result<()> {
        for (from, to, [there, back]) in self.bind_pairs(new, listens)? {
            let (of_from, of_to) = (there.local_addr()?, back.local_addr()?);
            {
                let mut addresses = self.addresses.lock().expect("nothing panics while it holds them");
                addresses.insert((from.clone(), to.clone()), of_from);
                addresses.insert((to.clone(), from.clone()), of_to);
            }
            for (one, other, socket, by) in [(&from, &to, &there, &back), (&to, &from, &back, &there)] {
                let way = Way { from: one.region().clone(), to: other.region().clone() };
                let pair = Pair {
                    socket: Arc::clone(socket),
                    sender: listens[one],
                    line: Arc::clone(&self.lines[&way]),
                    by: Arc::clone(by),
                    to: listens[other],
                };
                self.engine.spawn(pair.run());
            }
        }
        Ok(())
    }

    /// The address under which `from` knows `to`; none within a region, where no WAN lies between.
    ///
    /// # Panics
    /// Where somebody has panicked with the addresses in hand.
    pub(in crate::wan) fn address(&self, from: &NodeName, to: &NodeName) -> Option<SocketAddr> {
        let addresses = self.addresses.lock().expect("nothing panics while it holds them");
        addresses.get(&(from.clone(), to.clone())).copied()
    }

    /// Cuts one direction, packets under way included. Says whether that changed anything.
    pub(in crate::wan) fn cut(&self, way: &Way) -> bool {
        self.set_cut(way, true)
    }

    /// Heals one direction: nothing is cut, and the weather is that of its topology. Says whether that changed
    /// anything.
    pub(in crate::wan) fn heal(&self, way: &Way) -> bool {
        let restored = self.lines.get(way).is_some_and(|line| line.restore());
        self.set_cut(way, false) || restored
    }

    /// Changes the weather of one direction.
    pub(in crate::wan) fn alter(&self, way: &Way, change: Change) {
        if let Some(line) = self.lines.get(way) {
            line.alter(change);
        }
    }

    /// The weather of each direction.
    pub(in crate::wan) fn weather(&self) -> BTreeMap<Way, Weather> {
        let weather = |line: &Line| {
            let (delay, jitter, loss_percent) = line.weather();
            Weather { cut: line.is_cut(), delay, jitter, loss_percent, altered: line.is_altered() }
        };
        self.lines.iter().map(|(way, line)| (way.clone(), weather(line))).collect()
    }

    fn set_cut(&self, way: &Way, cut: bool) -> bool {
        let Some(line) = self.lines.get(way) else { return false };
        let changes = line.is_cut() != cut;
        line.set_cut(cut);
        changes
    }

    /// What became of each direction's packets so far.
    pub(in crate::wan) fn traffic(&self) -> BTreeMap<Way, Traffic> {
        let traffic = |line: &Line| {
            let counts = line.counts();
            Traffic {
                passed: counts.passed.load(Relaxed),
                dropped: counts.dropped.load(Relaxed),
                cut: counts.cut.load(Relaxed),
                under_way: line.under_way(),
            }
        };
        self.lines.iter().map(|(way, line)| (way.clone(), traffic(line))).collect()
    }

    /// Sockets for every pair of a new node and another with a WAN between them.
    fn bind_pairs(&self, new: &[NodeName], all: &BTreeMap<NodeName, SocketAddr>) -> Result<Vec<Between>> {
        let mut pairs = Vec::new();
        for (index, from) in new.iter().enumerate() {
            let is_met = |to: &NodeName| new[..index].contains(to);
            for to in all.keys().filter(|&to| to.region() != from.region() && !is_met(to)) {
                pairs.push((from.clone(), to.clone(), [self.bind()?, self.bind()?]));
            }
        }
        Ok(pairs)
    }

    fn bind(&self) -> Result<Arc<UdpSocket>> {
        let bind = || {
            let socket = BlockingSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            let _belongs = self.engine.handle().enter();
            UdpSocket::from_std(socket)
        };
        Ok(Arc::new(bind().context("a socket for the relay")?))
    }
}

/// Two nodes and the sockets between them: the one that the first sends to, and the one that the second does.
type Between = (NodeName, NodeName, [Arc<UdpSocket>; 2]);

/// What one node sends to another.
struct Pair {
    socket: Arc<UdpSocket>,
    sender: SocketAddr,
    line: Arc<Line>,
    by: Arc<UdpSocket>,
    to: SocketAddr,
}

impl Pair {
    async fn run(self) {
        let mut buffer = vec![0; RECEIVE_BYTES_MAX];
        loop {
            // An error here is the echo of a packet that a node which is down refused.
            let Ok((length, sender)) = self.socket.recv_from(&mut buffer).await else { continue };
            if sender == self.sender {
                let bytes = Arc::from(&buffer[..length]);
                self.line.push(Packet { bytes, by: Arc::clone(&self.by), to: self.to });
            }
        }
    }
}

#[cfg(test)]
mod tests;
