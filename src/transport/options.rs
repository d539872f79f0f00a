//! What a transport is told at its start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    crdt::{Origin, ReplicaId, Timestamp},
    transport::NodeName,
};

/// The longest address: a DNS name (RFC 1035, 2.3.4), a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 261;

/// Where a node listens, who it is, whom it dials and how patient it is.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// The UDP address for dialling and being dialled; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// This node, as its certificate calls it.
    pub name: NodeName,
    /// The replica that this node holds.
    pub replica: ReplicaId,
    /// The replica's present life.
    pub origin: Origin,
    /// When that life began, by the replica's hybrid clock.
    pub life: Timestamp,
    /// Where others are told to reach this node.
    pub advertise: Advertise,
    /// The versions of the replicas' messages that this build reads and writes.
    pub wire: WireVersions,
    /// Who is dialled. Everybody dials everybody they know; who is not listed may still dial in.
    pub peers: Vec<PeerAddress>,
    /// Addresses at which somebody of the cluster may be, whoever it is: `host:port`, of a DNS name all that it
    /// stands for.
    pub join: Vec<String>,
    /// The files that prove who this node is.
    pub identity: TlsPaths,
    /// How often each side asks the other for a sign of life. More often finds a cut no sooner than
    /// `idle_timeout` allows, less often leaves fewer tries within it; a third of it is a good measure.
    pub keep_alive: Duration,
    /// How long a peer may leave unanswered before the link is given up. Longer tolerates worse paths,
    /// shorter notices a cut sooner; ten round trips of the longest path is a good measure.
    pub idle_timeout: Duration,
    /// The first pause between two dials of a peer is anything up to this.
    pub backoff_min: Duration,
    /// The pause doubles with each failure up to this. Longer spares a dead peer's address, shorter notices
    /// a heal sooner.
    pub backoff_max: Duration,
}

impl TransportOptions {
    /// A second between two questions leaves three tries before a link is given up, at a cost of two small
    /// packets.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(1);
    /// Ten round trips on the longest path between two regions (300 ms), so that loss alone seldom ends a
    /// link, and a cut is known before a viewer has changed devices.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
    /// A peer that restarts is back within a few of these.
    pub const BACKOFF_MIN: Duration = Duration::from_millis(100);
    /// A heal is noticed within seconds, and a peer that stays away costs a few packets a second at most.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(5);

    /// Makes options with no peers and with the patience of the constants above.
    pub fn new(
        listen: SocketAddr,
        name: NodeName,
        replica: ReplicaId,
        origin: Origin,
        wire: WireVersions,
        identity: TlsPaths,
    ) -> Self {
        Self {
            listen,
            name,
            replica,
            origin,
            life: Timestamp::ZERO,
            advertise: Advertise::Listen,
            wire,
            peers: Vec::new(),
            join: Vec::new(),
            identity,
            keep_alive: Self::KEEP_ALIVE,
            idle_timeout: Self::IDLE_TIMEOUT,
            backoff_min: Self::BACKOFF_MIN,
            backoff_max: Self::BACKOFF_MAX,
        }
    }
}

/// Where others are told to reach a node.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Advertise {
    /// Where it listens, if that is a single address; otherwise nowhere.
    #[default]
    Listen,
    /// At `host:port`.
    At(String),
    /// Nowhere: only those dial it who are told its address by their configuration.
    Nowhere,
}

impl Advertise {
    /// What a node says that listens at `local`.
    pub(super) fn address(self, local: SocketAddr) -> Option<String> {
        match self {
            Self::Listen => (!local.ip().is_unspecified()).then(|| local.to_string()),
            Self::At(address) => Some(address),
            Self::Nowhere => None,
        }
    }

    pub(super) fn given(&self) -> Option<&String> {
        match self {
            Self::At(address) => Some(address),
            Self::Listen | Self::Nowhere => None,
        }
    }
}

/// One peer to dial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerAddress {
    /// Whom to expect there: the dial fails unless the certificate found there carries this name.
    pub name: NodeName,
    /// `host:port`, the host a DNS name or an address; a name is resolved again at each dial.
    pub address: String,
}

/// Whether a text can be an address: a host, a colon and a port above zero, no longer than a DNS name allows.
pub fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host =
        |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_control() || c.is_whitespace());
    text.len() <= ADDRESS_BYTES_MAX && parts.is_some_and(|(host, port)| is_host(host) && is_port(port))
}

/// The PEM files of a node's identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsPaths {
    /// The cluster's authority; several certificates in one file while it is being replaced.
    pub ca: PathBuf,
    /// The node's certificate, followed by intermediates if there are any.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// The versions of the replicas' messages that a build reads and writes, from the oldest to the newest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireVersions {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl WireVersions {
    /// The newest version that both builds know.
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min && newest >= other.min).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_builds_speak_the_newest_version_that_both_know() {
        let versions = |min, max| WireVersions { min, max };
        for (ours, theirs, common) in [
            (versions(1, 1), versions(1, 1), Some(1)),
            (versions(1, 2), versions(2, 3), Some(2)),
            (versions(2, 3), versions(1, 2), Some(2)),
            (versions(1, 3), versions(2, 2), Some(2)),
            (versions(1, 1), versions(2, 3), None),
            (versions(2, 1), versions(2, 1), None),
        ] {
            assert_eq!(ours.common(theirs), common, "{ours:?} with {theirs:?}");
        }
    }
}
