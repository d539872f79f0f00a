//! How a node stands at one moment, for people.

use std::time::Duration;

use crate::{
    crdt::{Origin, Region, ReplicaId, Timestamp},
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
    let view = |(&origin, &version)| OriginView { origin, version, lag: replica.lag(origin) };
    replica.vector().iter().map(view).collect()
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
