//! How bytes travel: links between the nodes of a replica set, over QUIC and mutual TLS.
//!
//! The problem: replicas in several regions exchange frames over paths that lose, delay and cut, in one
//! direction or in both; nodes restart, are configured wrongly, and dial each other at the same moment. The
//! layer above wants none of it: it wants to hear *up*, *frame* and *down*, in that order, for each peer.
//!
//! The mechanism is one QUIC endpoint a node, which dials and is dialled on one UDP socket, and at most one
//! [`Link`] a peer. Frames are opaque here, and no word comes of their arrival: a frame may be lost with
//! its link, a full queue refuses, and the replicas' own protocol heals both. What was refused: an outbox
//! that outlives a link (the change index is the outbox), a stream for each message (order would be lost),
//! and TCP (one lost packet of bulk would hold up a heartbeat).
//!
//! # Links
//!
//! Everybody dials every peer that they are configured with or told of, and whoever is at the addresses by which
//! they are to join. TLS 1.3 proves both sides: each shows a
//! certificate of the cluster's authority, and the dialling side demands the name `name.region.cluster` of
//! whom it dials by name. No session is resumed, and the protocol is called `playmark/1` ([`ALPN`]).
//!
//! Each side opens four streams, in this order, and keeps them as long as the link:
//!
//! | stream | carries | sent before |
//! |---|---|---|
//! | words | the hello, then notes | everything |
//! | control | frames that others wait for | deltas, bulk |
//! | deltas | live spans | bulk |
//! | bulk | what brings a far-behind replica up | |
//!
//! On every stream stand frames behind a length of four bytes, big-endian: at most [`FRAME_BYTES_MAX`], and
//! at most [`HELLO_BYTES_MAX`] among the words.
//!
//! ```text
//!  dialling side                          dialled side
//!        │ ◄──────── TLS, both prove ────────► │
//!        │ ── hello ──►               ◄─ hello ── │     both at once
//!        │     each checks the other's hello      │
//!        │ ── stand ──►  or  ◄── stand ──         │     the lesser replica id says it
//!        │ ◄────── frames, ping, pong ──────►     │
//! ```
//!
//! A **hello** is MessagePack behind the version byte 1: an array of cluster, region, name, replica id,
//! origin, least and greatest wire version, and a map of extensions, byte → bytes: 1 when the life began, 2 the
//! address at which others reach the node; unknown ones are skipped. In this order it must hold that the certificate carries the name that the hello claims and
//! that this is the dialled name, that the cluster is ours, that the replica is not ours, and that the
//! wire versions have one in common. A **note** is a number behind the version byte 1: 1 *stand*, 2 *ping*,
//! 3 *pong*; unknown ones are skipped.
//!
//! ## Which connection stands
//!
//! Two nodes that dial each other at once have two connections, and must not keep different ones. So the
//! replica with the lesser id decides, and says *stand* on the first connection that it has met; the other
//! side takes no connection for a link before it hears so. A second connection is closed as a *duplicate*,
//! unless the peer's origin is a new one: then the link before led to a life that is over, and the new
//! connection takes its place. A side that is told *stand* while it still holds an older link drops that
//! one, because the decider has lost it. In every case *down* of the link before is told before *up* of
//! the next. Who has a link with a peer, whoever dialled it, does not dial.
//!
//! Of two lives of one replica the later one keeps its links, so that two nodes which run on copies of one data directory
//! do not throw each other out for ever; the earlier one is told why.
//!
//! A name belongs to one replica, and a replica to one name, as long as a link stands: a second replica
//! under the name is refused, so that two nodes with one certificate do not throw each other out for ever.
//!
//! ## Silence
//!
//! Each side says *ping* every [`keep_alive`](TransportOptions::keep_alive), and the other says *pong* at
//! once. A side that goes without an answer for [`idle_timeout`](TransportOptions::idle_timeout) closes the
//! link. That a peer is heard does not count: where the path is cut one way only, one side hears everything
//! and is heard by nobody, and both must give up. After an end, or a failed dial, the dialling side pauses
//! for anything up to 100 ms, then 200 ms, doubling up to five seconds, and resolves the address anew.
//!
//! ## Back-pressure
//!
//! Writing never waits: each priority has a queue of [`QUEUE_FRAMES_MAX`] frames, and a full one refuses.
//! Reading waits for its owner: where the channel of events is full, the streams are not read, their windows
//! fill, and the peer's queues after them. The words are read all the while, so that a busy node is not
//! taken for a dead one.
//!
//! ## How links end
//!
//! | code | [`LinkEnd`] | meaning |
//! |---|---|---|
//! | 1 | `Leaving` | the node shuts down; the peer sees `PeerLeft` |
//! | 2 | `Dismissed` | the layer above closed it, with its reason |
//! | 3 | `Silent` | no answer in time |
//! | 4 | `Replaced` | the peer came back on another connection |
//! | 16 | `Refused(Duplicate)` | another connection stands |
//! | 17 | `Refused(Cluster)` | another cluster |
//! | 18 | `Refused(Wire)` | no common wire version |
//! | 19 | `Refused(Name)` | the hello's name is not the certificate's or not the dialled one |
//! | 20 | `Refused(SameReplica)` | dialled itself, or a copied data directory |
//! | 21 | `Refused(Taken)` | the name or the replica has a link already |
//! | 22 | `Refused(Full)` | too many links |
//! | 23 | `Refused(Late)` | no hello in time |
//! | 24 | `Refused(Superseded)` | a later life of the replica has a link |
//! | 32–35 | `Misbehaved` | a frame too large, a bad hello, a bad note, an ended stream |
//!
//! The code travels with a reason for people, and both sides show it in [`PeerStatus::last_error`].
//!
//! # Certificates
//!
//! [`certs`] makes a cluster's authority and its nodes' certificates.

mod anybody;
pub mod certs;
mod connection;
mod dial;
mod end;
mod endpoint;
mod frame;
mod gossip;
mod hello;
mod join;
mod link;
mod meet;
mod name;
mod options;
mod peers;
mod tls;
mod wanted;

pub use dial::DIALS_MAX;
pub use end::{LinkEnd, PeerMisbehaved, REASON_BYTES_MAX, Refusal};
pub use endpoint::{CLOSE_TIMEOUT, HANDSHAKES_MAX, Transport, TransportError};
pub use frame::FRAME_BYTES_MAX;
pub use gossip::Gossip;
pub use hello::{HELLO_BYTES_MAX, PeerHello};
pub use join::{JOIN_EVERY, RESOLVED_MAX};
pub use link::{Link, LinkEvent, LinkId, Priority, QUEUE_FRAMES_MAX, SendError};
pub use meet::HELLO_TIMEOUT;
pub use name::{LABEL_BYTES_MAX, NameError, NodeName};
pub use options::{
    ADDRESS_BYTES_MAX, Advertise, PeerAddress, TlsPaths, TransportOptions, WireVersions, is_address,
};
pub use peers::{LINKS_MAX, PeerState, PeerStatus, SEEN_MAX};
pub use tls::{ALPN, IdentityError};
pub use wanted::{WANTED_MAX, Wanted};
