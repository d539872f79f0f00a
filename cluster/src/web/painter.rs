//! From one look to the next: what only two of them tell, and what is remembered of who does not answer.

use std::collections::BTreeMap;

use super::{
    apart::{Beginnings, Holding},
    look::{Said, Seen, SeenNode},
    picture::{
        Divergence, LabPicture, Lag, LinkPicture, LinkState, NodePicture, NodeState, Picture, Readiness,
        of_word,
    },
};
use crate::{
    api::{NodeStatus, Peer},
    lab::State,
    topology::NodeName,
    viewers::Figures,
};

/// Rates are taken over at least so long; what an order draws in between would show them by chance.
const RATE_OVER_MS: u64 = 500;

/// A clock that is off by more than this is for an operator to mend; the nodes merge all the same.
const CLOCK_OFF_MS: u64 = 1_000;

/// Draws one picture after the other.
#[derive(Debug)]
pub(super) struct Painter {
    cluster: String,
    beginnings: Beginnings,
    nodes: BTreeMap<NodeName, Known>,
}

/// What is known of a node, though it may not answer any more.
#[derive(Debug)]
struct Known {
    /// The process that said it.
    process: State,
    origin: String,
    holding: Holding,
    /// Since when the next rates are taken.
    since: NodeStatus,
    rates: Rates,
}

/// What passed a second, within one life.
#[derive(Clone, PartialEq, Default, Debug)]
struct Rates {
    heartbeats: Option<f64>,
    /// Bytes sent to each peer.
    sent: BTreeMap<String, f64>,
}

impl Painter {
    /// Draws a cluster of this name that began at this wall time.
    pub(super) fn new(cluster: &str, began_ms: u64) -> Self {
        let beginnings = Beginnings::of_lab(began_ms);
        Self { cluster: cluster.to_owned(), beginnings, nodes: BTreeMap::new() }
    }

    /// Draws what was seen.
    pub(super) fn draw(&mut self, seen: Seen, viewers: Option<Figures>, lab: LabPicture) -> Picture {
        for node in &seen.nodes {
            if let Some(said) = &node.said {
                self.beginnings.note(&said.status);
                let known = Known::new(node, &said.status, self.nodes.get(&node.name));
                self.nodes.insert(node.name.clone(), known);
            }
        }
        Picture {
            at_ms: seen.at_ms,
            drawn_by: "lab".to_owned(),
            cluster: self.cluster.clone(),
            nodes: seen.nodes.iter().map(|node| self.node(node)).collect(),
            links: seen.nodes.iter().flat_map(|node| self.links(node)).collect(),
            divergence: self.divergence(&seen.nodes),
            lines: seen.lines,
            viewers,
            lab: Some(lab),
        }
    }

    fn node(&self, node: &SeenNode) -> NodePicture {
        let known = self.nodes.get(&node.name);
        let said = node.said.as_ref();
        let status = said.map(|said| &said.status);
        let own = said.and_then(|said| said.own.as_ref());
        let readiness = status.and_then(|status| of_word(&status.readiness)).unwrap_or(Readiness::Unknown);
        let clock_offset_ms = said.map(Said::clock_offset_ms);
        let mut alarms = own.map(|own| own.alarms.clone()).unwrap_or_default();
        if let Some(off) = clock_offset_ms.filter(|off| off.unsigned_abs() > CLOCK_OFF_MS) {
            alarms.push(format!("its clock is off by {off} ms"));
        }
        NodePicture {
            name: node.name.to_string(),
            region: node.name.region().to_string(),
            url: Some(node.url.clone()),
            state: state(node, readiness, known),
            readiness,
            heartbeats_per_s: said.and_then(|_| known?.rates.heartbeats),
            uptime_ms: status.map(|status| status.uptime_ms),
            clock_offset_ms,
            inbox: status.and_then(|status| status.inbox),
            storage_bytes: own.and_then(|own| own.storage_bytes),
            digest: status.and_then(|status| status.digest.clone()),
            alarms,
            lag: self.lag(&node.name),
        }
    }

    /// How far a node is behind each other one. Of one that does not answer, what it last held counts.
    fn lag(&self, name: &NodeName) -> Vec<Lag> {
        let Some(here) = self.nodes.get(name) else { return Vec::new() };
        let others = self.nodes.iter().filter(|(other, _)| *other != name);
        let lag = |(other, there): (&NodeName, &Known)| Lag {
            from: other.to_string(),
            lag_ms: here.holding.lacks_ms(&there.holding, &there.origin, &self.beginnings),
        };
        others.map(lag).collect()
    }

    fn links(&self, node: &SeenNode) -> Vec<LinkPicture> {
        let rates = self.nodes.get(&node.name).map(|known| &known.rates);
        let link = |peer: &Peer| LinkPicture {
            from: node.name.to_string(),
            to: peer.name.clone(),
            state: of_word(&peer.state).unwrap_or(LinkState::Unknown),
            rtt_ms: peer.rtt_ms,
            bytes_per_s: rates.and_then(|rates| rates.sent.get(&peer.name).copied()),
            last_error: peer.last_error.clone(),
        };
        node.said.iter().flat_map(|said| &said.status.peers).map(link).collect()
    }

    fn divergence(&self, nodes: &[SeenNode]) -> Vec<Divergence> {
        let mut pairs = Vec::new();
        for (index, a) in nodes.iter().enumerate() {
            for b in &nodes[index + 1..] {
                if let (Some(of_a), Some(of_b)) = (self.nodes.get(&a.name), self.nodes.get(&b.name)) {
                    let behind_ms = of_a.holding.apart_ms(&of_b.holding, &self.beginnings);
                    pairs.push(Divergence {
                        a: a.name.to_string(),
                        b: b.name.to_string(),
                        behind_ms,
                        writes: None,
                    });
                }
            }
        }
        pairs
    }
}

/// What the process and its answer say together.
fn state(node: &SeenNode, readiness: Readiness, known: Option<&Known>) -> NodeState {
    match &node.process {
        State::Down { .. } => NodeState::Down,
        State::Paused { .. } => NodeState::Paused,
        State::Running { .. } if node.said.is_some() => match readiness {
            Readiness::CaughtUp => NodeState::Up,
            Readiness::CatchingUp | Readiness::Searching | Readiness::Unfounded | Readiness::Unknown => {
                NodeState::Starting
            }
        },
        // It answered once, and does not: something holds it.
        State::Running { .. } if known.is_some_and(|known| known.process == node.process) => {
            NodeState::Unknown
        }
        State::Running { .. } => NodeState::Starting,
    }
}

impl Known {
    fn new(node: &SeenNode, said: &NodeStatus, before: Option<&Self>) -> Self {
        let before = before.filter(|before| before.origin == said.origin);
        let passed_ms = before.map(|before| said.uptime_ms.saturating_sub(before.since.uptime_ms));
        let (since, rates) = match before.zip(passed_ms) {
            Some((before, passed_ms)) if passed_ms >= RATE_OVER_MS => {
                (said.clone(), Rates::between(&before.since, said, passed_ms))
            }
            Some((before, _)) => (before.since.clone(), before.rates.clone()),
            // Another life counts from nothing again.
            None => (said.clone(), Rates::default()),
        };
        let (process, origin) = (node.process.clone(), said.origin.clone());
        Self { process, origin, holding: Holding::of(said), since, rates }
    }
}

impl Rates {
    fn between(before: &NodeStatus, said: &NodeStatus, passed_ms: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate that is shown with a digit or two")]
        let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 * 1e3 / passed_ms as f64;
        let sent = said.peers.iter().filter_map(|peer| {
            let earlier = before.peers.iter().find(|it| it.name == peer.name)?;
            Some((peer.name.clone(), rate(earlier.bytes_sent, peer.bytes_sent)))
        });
        Self { heartbeats: Some(rate(before.heartbeats_total, said.heartbeats_total)), sent: sent.collect() }
    }
}

impl Said {
    fn clock_offset_ms(&self) -> i64 {
        let off = self.status.now_ms.abs_diff(self.at_ms);
        let off = i64::try_from(off).unwrap_or(i64::MAX);
        if self.status.now_ms < self.at_ms { -off } else { off }
    }
}
