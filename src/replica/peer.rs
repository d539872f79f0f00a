//! What is known of another replica.

use std::collections::BTreeMap;

use crate::crdt::{Origin, Region, ReplicaId, Timestamp, VersionVector, WallTime};

/// Another replica, as seen from this one; it exists while its link is up.
#[derive(Debug, Clone)]
pub struct PeerView {
    /// Its present life.
    pub origin: Origin,
    /// Its committed vector, as last heard.
    pub vector: VersionVector,
    /// Its vector as of its last sync, as last heard.
    pub synced: VersionVector,
    /// Its system time, as last heard.
    pub wall: Option<WallTime>,
    /// Where it stands.
    pub region: Region,
    /// The lives of other regions that it has a link with, and where they stand, as last heard; told inside a region only.
    pub across: BTreeMap<Origin, Region>,
    /// Whether it is catching up itself, as last heard.
    pub catching_up: bool,
}

impl PeerView {
    pub(super) fn new(origin: Origin, region: Region) -> Self {
        let (vector, synced) = (VersionVector::default(), VersionVector::default());
        Self { origin, vector, synced, wall: None, region, across: BTreeMap::new(), catching_up: true }
    }

    /// Whether it stands in a region.
    pub fn is_near(&self, region: &Region) -> bool {
        self.region == *region
    }

    /// Says whether it was ahead of `held` in an origin when last heard.
    pub(super) fn is_ahead(&self, origin: Origin, held: Timestamp) -> bool {
        self.vector.upto(origin) > held
    }
}

/// Says what a peer did that no correct replica does; its link is to be closed, and nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeerMisbehaved {
    /// A span that ends before it begins.
    #[error("a span of {origin:?} ends at {upto} and begins after {after}")]
    SpanReversed {
        /// Whose span.
        origin: Origin,
        /// Where it begins.
        after: Timestamp,
        /// Where it ends.
        upto: Timestamp,
    },
    /// A register whose check does not fit: rot on its side or in memory.
    #[error("the register at {position} of {origin:?} fails its check")]
    Rotten {
        /// Whose write.
        origin: Origin,
        /// Which one.
        position: Timestamp,
    },
    /// It has writes of this very life that were never made here: two processes run as one.
    #[error("{peer} holds writes of this life up to {theirs}, and only {ours} was made here")]
    Forked {
        /// Who said so.
        peer: ReplicaId,
        /// As it says.
        theirs: Timestamp,
        /// As it is.
        ours: Timestamp,
    },
}
