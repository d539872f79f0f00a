//! Datagrams beside the frames: what members say to each other about who is there.
//!
//! A datagram is lost like any packet, is not kept back by frames and keeps none back. Where its reader is behind it
//! is dropped, which costs no more than a loss; what comes and goes is told all the same.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    crdt::ReplicaId,
    transport::{Link, LinkId, PeerHello, connection::Connection},
};

/// What a QUIC connection keeps of datagrams that nobody has read yet, and of those that wait to be sent.
pub(super) const DATAGRAMS_BYTES_MAX: usize = 64 * 1_024;

/// What a transport tells of links to whoever keeps the list of members, in order for each peer.
#[derive(Debug)]
pub enum Gossip {
    /// A link stands.
    Up {
        /// Who is at its other end.
        peer: PeerHello,
        /// What sends to it.
        link: Link,
    },
    /// A datagram has come.
    Datagram(Bytes),
    /// A link is gone.
    Down {
        /// Who was at its other end.
        peer: ReplicaId,
        /// Which link.
        link: LinkId,
        /// Whether the peer said that it leaves.
        left: bool,
    },
}

/// Hands on one datagram after the other, until the connection ends.
pub(super) async fn read(connection: Connection, gossip: mpsc::Sender<Gossip>) {
    while let Ok(datagram) = connection.quic.read_datagram().await {
        // Full or without a reader: it is dropped.
        let _ = gossip.try_send(Gossip::Datagram(datagram));
    }
}
