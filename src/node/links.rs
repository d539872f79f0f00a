//! The links that are up, as the driver holds them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    crdt::ReplicaId,
    node::Counters,
    replica::{Message, Transmit, wire},
    transport::{Link, LinkId, Priority, SendError},
};

/// At most one link to each peer; frames of any other are stale.
#[derive(Debug)]
pub(super) struct Links {
    standing: BTreeMap<ReplicaId, Link>,
    counters: Arc<Counters>,
}

impl Links {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self { standing: BTreeMap::new(), counters }
    }

    pub(super) fn up(&mut self, link: Link) {
        self.standing.insert(link.peer(), link);
    }

    /// Whether this is the link that stands with the peer.
    pub(super) fn stands(&self, peer: ReplicaId, id: LinkId) -> bool {
        self.standing.get(&peer).is_some_and(|link| link.id() == id)
    }

    /// The round trip of the link with a peer.
    pub(super) fn rtt(&self, peer: ReplicaId) -> Option<Duration> {
        self.standing.get(&peer).map(Link::rtt)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    pub(super) fn down(&mut self, peer: ReplicaId) {
        self.standing.remove(&peer);
    }

    /// Closes a link whose peer broke the replicas' protocol. It dials anew, and a fault that was in its
    /// memory is gone with its life.
    pub(super) fn cut_off(&mut self, peer: ReplicaId, why: &str) {
        if let Some(link) = self.standing.remove(&peer) {
            tracing::error!(%peer, why, "peer misbehaved, its link is closed");
            self.counters.misbehaved.add(1);
            link.close(why);
        }
    }

    /// Queues a message for its peer. What does not fit is dropped: vectors and statuses heal that.
    pub(super) fn send(&self, transmit: &Transmit) {
        let Some(link) = self.standing.get(&transmit.to) else { return };
        match link.send(wire::encode(&transmit.message), priority(&transmit.message)) {
            Ok(()) | Err(SendError::Gone) => {}
            Err(why @ (SendError::Full | SendError::TooLarge { .. })) => {
                tracing::debug!(peer = %transmit.to, %why, "frame dropped");
                self.counters.frames_dropped.add(1);
            }
        }
    }
}

fn priority(message: &Message) -> Priority {
    match message {
        Message::Status(_) | Message::Subscribe(_) | Message::Ack(_) => Priority::Control,
        Message::Part(_) => Priority::Delta,
        Message::Compare(_) => Priority::Bulk,
    }
}
