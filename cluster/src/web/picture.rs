//! The picture: everything there is to see of a cluster at one moment, as JSON.
//!
//! Nodes draw it too, under the same path, of what they know; so whoever reads one reads both. What is not
//! known is `null` and never a guess, and a word that a reader does not know is `unknown` to it.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{api::Inbox, viewers::Figures};

/// A cluster at one moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// The wall time of who draws, in milliseconds.
    pub at_ms: u64,
    /// `lab`, or the name of the node that draws.
    pub drawn_by: String,
    /// The cluster's name.
    pub cluster: String,
    /// Every node.
    pub nodes: Vec<NodePicture>,
    /// What each node says of its links, one entry a direction.
    #[serde(default)]
    pub links: Vec<LinkPicture>,
    /// The WAN as it is made to be; empty where a node draws.
    #[serde(default)]
    pub lines: Vec<LinePicture>,
    /// How far apart each two nodes are.
    #[serde(default)]
    pub divergence: Vec<Divergence>,
    /// What the viewers see; nothing where a node draws.
    pub viewers: Option<Figures>,
    /// What only a lab can tell; nothing where a node draws.
    pub lab: Option<LabPicture>,
}

/// A node.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodePicture {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// The base of its HTTP API.
    pub url: Option<String>,
    /// Whether it runs.
    pub state: NodeState,
    /// Whether it knows enough to answer.
    pub readiness: Readiness,
    /// Heartbeats acknowledged a second, since the look before.
    pub heartbeats_per_s: Option<f64>,
    /// How long this life has lasted, in milliseconds.
    pub uptime_ms: Option<u64>,
    /// Its wall clock minus that of who draws, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// How full its inbox is.
    pub inbox: Option<Inbox>,
    /// What it keeps on disk, in bytes.
    pub storage_bytes: Option<u64>,
    /// Equal on nodes that hold the same.
    pub digest: Option<String>,
    /// What an operator should look at, in words.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// How far it is behind each other node.
    #[serde(default)]
    pub lag: Vec<Lag>,
}

/// Whether a node runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It does, and answers.
    Up,
    /// It does, and has not answered yet, or does not know enough.
    Starting,
    /// It is held.
    Paused,
    /// It does not.
    Down,
    /// Nobody can tell.
    #[serde(other)]
    Unknown,
}

/// Whether a node knows enough to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// It does.
    CaughtUp,
    /// It fetches what it lacks.
    CatchingUp,
    /// It looks for somebody who knows.
    Searching,
    /// It is fresh, and nobody knows more.
    Unfounded,
    /// It has not said.
    #[serde(other)]
    Unknown,
}

/// How far a node is behind another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lag {
    /// Whose writes.
    pub from: String,
    /// The time of the newest of them minus the time of the newest that is held, in milliseconds.
    pub lag_ms: u64,
}

/// A link, as the node at one end tells.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkPicture {
    /// Who tells.
    pub from: String,
    /// Its peer.
    pub to: String,
    /// Whether the link is there.
    pub state: LinkState,
    /// The round trip in milliseconds.
    pub rtt_ms: Option<u64>,
    /// Bytes that were sent a second, since the look before.
    pub bytes_per_s: Option<f64>,
    /// What last went wrong.
    pub last_error: Option<String>,
}

/// Whether a link is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// It is.
    Up,
    /// The peer is called.
    Dialing,
    /// It is not.
    Down,
    /// It is not known.
    #[serde(other)]
    Unknown,
}

/// One direction of the WAN between two regions, as it is made to be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinePicture {
    /// The region packets come from.
    pub from: String,
    /// The region they go to.
    pub to: String,
    /// Whether nothing passes.
    pub cut: bool,
    /// How long a packet is under way, in milliseconds.
    pub delay_ms: f64,
    /// Up to this much more, in milliseconds.
    pub jitter_ms: f64,
    /// How many of a hundred packets are lost.
    pub loss_percent: f64,
    /// Whether it was made worse than its topology says.
    pub slowed: bool,
}

/// How far apart two nodes are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Divergence {
    /// One.
    pub a: String,
    /// The other.
    pub b: String,
    /// By how much the one that lacks more is behind, in milliseconds of writing; 0 where both hold the same.
    pub behind_ms: u64,
    /// How many writes that is, where it is known.
    pub writes: Option<u64>,
}

/// What only a lab can tell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LabPicture {
    /// What was started.
    pub topology: String,
    /// What orders said last, oldest first.
    pub said: Vec<String>,
}

/// Reads the word that a node uses; one that is not known is `unknown`.
pub(super) fn of_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

/// The word that is used in the picture.
impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Starting => "starting",
            Self::Paused => "paused",
            Self::Down => "down",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_is_unknown() {
        assert_eq!(of_word("catching-up"), Some(Readiness::CatchingUp));
        assert_eq!(of_word("dialing"), Some(LinkState::Dialing));
        assert_eq!(of_word("asleep"), Some(NodeState::Unknown));
    }
}
