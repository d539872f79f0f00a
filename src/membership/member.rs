//! One life of a replica, as the members know it.

use serde::{Deserialize, Serialize};

use crate::{
    crdt::{Origin, Region, ReplicaId, Timestamp},
    zoo::{Bug, planted},
};

/// The longest address that is passed on: a DNS name (RFC 1035, 2.3.4), a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 261;

/// The longest name of a node: a label of a DNS name (RFC 1035, 2.3.4).
pub const NAME_BYTES_MAX: usize = 63;

/// One life of a replica: who it is, where it is, and what its build can read.
///
/// Two are equal where replica and life are: the rest tells of that life, and a build that knows less of it than
/// another must not take it for somebody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Which replica.
    #[serde(rename = "1")]
    pub replica: ReplicaId,
    /// When this life began, by the replica's hybrid clock, which is above all that earlier lives have given: of
    /// two lives of a replica the later one counts.
    #[serde(rename = "2")]
    pub life: Timestamp,
    /// Under what name it writes.
    #[serde(rename = "3")]
    pub origin: Origin,
    /// The node's own name.
    #[serde(rename = "4")]
    pub name: String,
    /// Where it stands.
    #[serde(rename = "5")]
    pub region: Region,
    /// `host:port` at which others reach it; without one it is dialled only by those who are told where it is.
    #[serde(rename = "6", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The oldest version of the replicas' messages that its build reads and writes.
    #[serde(rename = "7")]
    pub wire_min: u16,
    /// The newest.
    #[serde(rename = "8")]
    pub wire_max: u16,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        (self.replica, self.life) == (other.replica, other.life)
    }
}

impl Eq for Member {}

impl foca::Identity for Member {
    type Addr = ReplicaId;

    /// The same life under a later number: what others have declared down stays down, and it is not.
    fn renew(&self) -> Option<Self> {
        let life = Timestamp::from_u64(self.life.as_u64().saturating_add(1));
        (!planted(Bug::DownForGood)).then(|| Self { life, ..self.clone() })
    }

    fn addr(&self) -> ReplicaId {
        self.replica
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        if planted(Bug::EarlierLifeCounts) {
            return self.life < adversary.life;
        }
        self.life > adversary.life
    }
}
