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

mod line;
mod shape;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use anyhow::{Context, Result};
use tokio::{net::UdpSocket, task::JoinSet};

use self::{
    line::{Line, Packet},
    shape::Shape,
};
use crate::topology::{NodeName, Topology, Way};

/// The longest datagram UDP knows; what a WAN would not carry is dropped by the line.
const RECEIVE_BYTES_MAX: usize = 65_535;

/// A running WAN. It stands still when dropped.
#[derive(Debug)]
pub struct Relay {
    lines: BTreeMap<Way, Arc<Line>>,
    addresses: BTreeMap<(NodeName, NodeName), SocketAddr>,
    _tasks: JoinSet<()>,
}

/// What became of the packets of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Handed on.
    pub passed: u64,
    /// Lost by the weather, a full queue, or for their length.
    pub dropped: u64,
    /// Lost to a cut.
    pub cut: u64,
    /// In the line at the moment.
    pub under_way: usize,
}

impl Relay {
    /// Opens the WAN of a topology, for nodes that listen at these addresses.
    pub async fn open(topology: &Topology, listens: &BTreeMap<NodeName, SocketAddr>) -> Result<Self> {
        let mut tasks = JoinSet::new();
        let mut lines = BTreeMap::new();
        for (number, way) in (0..).zip(topology.ways()) {
            // Every line has dice of its own, so that traffic on one does not change the luck of another.
            let shape = Shape::new(topology.line(&way), topology.seed.wrapping_add(number));
            let line = Arc::new(Line::new(shape));
            lines.insert(way, Arc::clone(&line));
            tasks.spawn(async move { line.run().await });
        }

        let sockets = bind_pairs(listens.keys()).await?;
        let mut addresses = BTreeMap::new();
        for ((from, to), socket) in &sockets {
            addresses.insert((from.clone(), to.clone()), socket.local_addr()?);
            let way = Way { from: from.region().clone(), to: to.region().clone() };
            let pair = Pair {
                socket: Arc::clone(socket),
                sender: listens[from],
                line: Arc::clone(&lines[&way]),
                by: Arc::clone(&sockets[&(to.clone(), from.clone())]),
                to: listens[to],
            };
            tasks.spawn(pair.run());
        }
        Ok(Self { lines, addresses, _tasks: tasks })
    }

    /// The address under which `from` knows `to`; none within a region, where no WAN lies between.
    pub fn address(&self, from: &NodeName, to: &NodeName) -> Option<SocketAddr> {
        self.addresses.get(&(from.clone(), to.clone())).copied()
    }

    /// Cuts one direction, packets under way included. Says whether that changed anything.
    pub fn cut(&self, way: &Way) -> bool {
        self.set_cut(way, true)
    }

    /// Heals one direction. Says whether that changed anything.
    pub fn heal(&self, way: &Way) -> bool {
        self.set_cut(way, false)
    }

    fn set_cut(&self, way: &Way, cut: bool) -> bool {
        let Some(line) = self.lines.get(way) else { return false };
        let changes = line.is_cut() != cut;
        line.set_cut(cut);
        changes
    }

    /// The directions that are cut.
    pub fn cuts(&self) -> Vec<Way> {
        self.lines.iter().filter(|(_, line)| line.is_cut()).map(|(way, _)| way.clone()).collect()
    }

    /// What became of each direction's packets so far.
    pub fn traffic(&self) -> BTreeMap<Way, Traffic> {
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
}

/// A socket for every ordered pair of nodes with a WAN between them.
async fn bind_pairs(
    nodes: impl Iterator<Item = &NodeName> + Clone,
) -> Result<BTreeMap<(NodeName, NodeName), Arc<UdpSocket>>> {
    let mut sockets = BTreeMap::new();
    for from in nodes.clone() {
        for to in nodes.clone().filter(|to| to.region() != from.region()) {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a socket for the relay")?;
            sockets.insert((from.clone(), to.clone()), Arc::new(socket));
        }
    }
    Ok(sockets)
}

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
