//! How a node stands at one moment, for people.

use std::time::Duration;

use crate::{
    crdt::{Dot, Origin, Region, ReplicaId, Timestamp},
    node::MemberView,
    replica::Replica,
    store::Store,
    transport::{NodeName, PeerState, PeerStatus},
};

/// How a node stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// What the node is called.
    pub name: Name,
    /// Every origin of which something is held, in their order.
    pub origins: Vec<OriginView>,
    /// Every peer that is configured, has a link, or had one.
    pub peers: Vec<PeerView>,
    /// Every replica that has been met, ordered by replica.
    pub members: Vec<MemberView>,
}

/// Who holds a write where a power cut cannot take it, as far as a node knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Confirmed {
    /// What the node is called.
    pub name: Name,
    /// Whether the node has heard of the write at all.
    pub held: bool,
    /// Whether the node itself has synced past it.
    pub synced: bool,
    /// Every peer that is configured, has a link, or had one; and whether it has said, over the link that
    /// stands, that it has synced past it.
    pub peers: Vec<(PeerView, bool)>,
}

/// The same, of the node's replica and of those it has a link to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Synced {
    held: bool,
    here: bool,
    by: Vec<ReplicaId>,
}

/// What a node is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// Its own name.
    pub name: String,
    /// Where it stands.
    pub region: Region,
    /// To which cluster it belongs.
    pub cluster: String,
}

/// What is held of one origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginView {
    /// Which.
    pub origin: Origin,
    /// The version up to which it is held.
    pub version: Timestamp,
    /// How far behind the newest write that any peer has told of.
    pub lag: Duration,
    /// Which peer feeds it to this node.
    pub source: Option<ReplicaId>,
}

/// A peer and its link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerView {
    /// What it is called.
    pub name: Name,
    /// Where it is dialled; `None` for who only dials in.
    pub address: Option<String>,
    /// Its replica and that replica's life, as its last link proved them.
    pub life: Option<(ReplicaId, Origin)>,
    /// Whether there is a link: `up`, `dialing` or `down`.
    pub state: &'static str,
    /// For how long a link has stood, or has not.
    pub lasting: Duration,
    /// The round trip, of a link that stands.
    pub rtt: Option<Duration>,
    /// Over all links of this life.
    pub bytes_sent: u64,
    /// Over all links of this life.
    pub bytes_received: u64,
    /// What last went wrong; cleared when a link comes up.
    pub last_error: Option<String>,
}

/// What is held of each origin, in their order.
pub(super) fn origins<S: Store>(replica: &Replica<S>) -> Vec<OriginView> {
    let view = |(&origin, &version)| {
        let (lag, source) = (replica.lag(origin), replica.source(origin));
        OriginView { origin, version, lag, source }
    };
    replica.vector().iter().map(view).collect()
}

/// Finds who has synced past a write.
pub(super) fn synced<S: Store>(replica: &Replica<S>, dot: Dot) -> Synced {
    let by = replica.peers().iter().filter(|(_, peer)| peer.synced.covers(dot));
    Synced {
        held: replica.vector().covers(dot),
        here: replica.synced().covers(dot),
        by: by.map(|(&peer, _)| peer).collect(),
    }
}

impl Synced {
    pub(super) fn confirmed(&self, name: Name, peers: Vec<PeerView>) -> Confirmed {
        let has = |peer: &PeerView| peer.life.is_some_and(|(replica, _)| self.by.contains(&replica));
        let peers = peers.into_iter().map(|peer| {
            let has = has(&peer);
            (peer, has)
        });
        Confirmed { name, held: self.held, synced: self.here, peers: peers.collect() }
    }
}

impl From<&NodeName> for Name {
    fn from(name: &NodeName) -> Self {
        Self {
            name: name.name().to_owned(),
            region: name.region().clone(),
            cluster: name.cluster().to_owned(),
        }
    }
}

impl From<PeerStatus> for PeerView {
    fn from(status: PeerStatus) -> Self {
        Self {
            name: (&status.name).into(),
            address: status.address,
            life: status.life,
            state: match status.state {
                PeerState::Up => "up",
                PeerState::Dialing => "dialing",
                PeerState::Down => "down",
            },
            lasting: status.since.elapsed(),
            rtt: status.rtt,
            bytes_sent: status.bytes_sent,
            bytes_received: status.bytes_received,
            last_error: status.last_error,
        }
    }
}
