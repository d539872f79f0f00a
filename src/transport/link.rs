//! A link: the connection to one peer that carries frames, and the loops that move them.
//!
//! ```text
//!            ┌ words    hello, then notes: stand, ping, pong
//! streams    │ control  ─┐
//! of each  ──┤ deltas    ├ frames, each its own queue of QUEUE_FRAMES_MAX
//! direction  └ bulk     ─┘
//! ```
//!
//! QUIC sends what is waiting on an earlier stream before anything on a later one, so a frame waits for at
//! most one flight of less urgent bytes, and loss on one stream holds up no other.

use std::time::Duration;

use bytes::Bytes;
use quinn::SendStream;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    crdt::ReplicaId,
    transport::{
        FRAME_BYTES_MAX, LinkEnd, PeerHello,
        connection::Connection,
        frame::{self, FrameReader},
        hello::{Note, Words},
    },
};

/// How many frames wait in each of a link's three queues: four mebibytes of the longest, which is two
/// windows of a stream. What waits here is stale before it is sent, so more would only lag behind.
pub const QUEUE_FRAMES_MAX: usize = 64;

/// How many frames are handed to QUIC in one call.
const WRITE_BATCH_MAX: usize = 16;

/// Names a link among all that this node has had since its start; a later link has a greater id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(u64);

impl LinkId {
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Orders frames against each other: whatever waits with an earlier priority is sent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Priority {
    /// What others wait for: subscriptions, statuses, acknowledgements.
    Control,
    /// Live spans.
    Delta,
    /// What brings a far-behind replica up.
    Bulk,
}

impl Priority {
    /// All of them, the most urgent first; also the order in which their streams are opened.
    pub const ALL: [Self; 3] = [Self::Control, Self::Delta, Self::Bulk];

    fn index(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Delta => 1,
            Self::Bulk => 2,
        }
    }

    /// As QUIC counts: a greater number goes first.
    fn of_stream(self) -> i32 {
        match self {
            Self::Control => 3,
            Self::Delta => 2,
            Self::Bulk => 1,
        }
    }
}

/// What a transport tells its owner.
///
/// For each peer: `Up`, then frames, then `Down`, and only then the next `Up`; the ids of its links rise.
#[derive(Debug)]
pub enum LinkEvent {
    /// A link stands.
    Up {
        /// Who is at its other end.
        peer: PeerHello,
        /// What sends to it.
        link: Link,
    },
    /// A frame has come whole.
    Frame {
        /// From whom.
        from: ReplicaId,
        /// By which link.
        link: LinkId,
        /// Its bytes, of which this layer knows nothing.
        frame: Bytes,
    },
    /// A link is gone, and no frame of it comes after this.
    Down {
        /// Who was at its other end.
        peer: ReplicaId,
        /// Which link.
        link: LinkId,
        /// How it ended.
        why: LinkEnd,
    },
}

/// Sends frames to one peer while its link stands; cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    id: LinkId,
    peer: ReplicaId,
    connection: Connection,
    queues: [mpsc::Sender<Bytes>; 3],
}

/// The far ends of a link's queues, in the order of [`Priority::ALL`].
pub(super) type Queues = [mpsc::Receiver<Bytes>; 3];

impl Link {
    pub(super) fn new(id: LinkId, peer: ReplicaId, connection: Connection) -> (Self, Queues) {
        let [control, delta, bulk] = Priority::ALL.map(|_| mpsc::channel(QUEUE_FRAMES_MAX));
        let queues = [control.0, delta.0, bulk.0];
        (Self { id, peer, connection, queues }, [control.1, delta.1, bulk.1])
    }

    /// The link's id.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Who is at its other end.
    pub fn peer(&self) -> ReplicaId {
        self.peer
    }

    /// The round trip's estimated duration.
    pub fn rtt(&self) -> Duration {
        self.connection.quic.rtt()
    }

    /// How many more frames of a priority the link takes at once.
    pub fn room(&self, priority: Priority) -> usize {
        self.queues[priority.index()].capacity()
    }

    /// Queues a frame, and never waits.
    ///
    /// Frames of one priority arrive in the order in which they were queued, or the link ends. There is no
    /// word of arrival: a frame may be lost with its link.
    ///
    /// # Errors
    /// A full queue, a link that has ended, and a frame beyond [`FRAME_BYTES_MAX`]; the frame is dropped.
    pub fn send(&self, frame: impl Into<Bytes>, priority: Priority) -> Result<(), SendError> {
        let frame = frame.into();
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLarge { bytes: frame.len() });
        }
        if self.connection.is_closed() {
            return Err(SendError::Gone);
        }
        self.queues[priority.index()].try_send(frame).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Gone,
        })
    }

    /// Sends a datagram, and never waits; it may be lost like any packet, and is where the link has ended.
    pub fn send_datagram(&self, datagram: Bytes) {
        // Beyond the path's MTU, or to a peer that takes none: lost, as others are.
        let _ = self.connection.quic.send_datagram(datagram);
    }

    /// Ends the link for a reason that the peer is told, for instance a message that breaks the replicas'
    /// protocol. `Down` follows; the dialling side dials again after a pause.
    pub fn close(&self, why: &str) {
        self.connection.close(LinkEnd::Dismissed(why.to_owned()));
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Says why a frame was not queued; it is dropped, and nothing else has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The peer or the path is slower than this node; worth trying when there is room again.
    #[error("the queue is full at {QUEUE_FRAMES_MAX} frames")]
    Full,
    /// The link has ended; another may come.
    #[error("the link has ended")]
    Gone,
    /// The caller's fault.
    #[error("a frame of {bytes} bytes, beyond {FRAME_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

/// Starts the loops that move a link's frames; they end with its connection.
pub(super) fn start_loops(
    loops: &mut JoinSet<()>,
    link: &Link,
    queues: Queues,
    events: &mpsc::Sender<LinkEvent>,
) {
    loops.spawn(write_all(link.connection.clone(), queues));
    loops.spawn(read_all(link.clone(), events.clone()));
}

/// Opens the three streams in their order, then writes to each from its queue.
async fn write_all(connection: Connection, queues: Queues) {
    let mut writers = JoinSet::new();
    for (priority, queue) in Priority::ALL.into_iter().zip(queues) {
        let Ok(stream) = connection.quic.open_uni().await else { return };
        // It fails only where the stream has been stopped, which its first write finds out.
        let _ = stream.set_priority(priority.of_stream());
        writers.spawn(write(connection.clone(), stream, queue));
    }
    writers.join_all().await;
}

async fn write(connection: Connection, mut stream: SendStream, mut queue: mpsc::Receiver<Bytes>) {
    let mut frames = Vec::with_capacity(WRITE_BATCH_MAX);
    while queue.recv_many(&mut frames, WRITE_BATCH_MAX).await > 0 {
        if let Err(error) = frame::write(&mut stream, frames.drain(..)).await {
            connection.close(error);
            return;
        }
    }
    // Nobody can send any more, yet the stream lives as long as the link.
    connection.ended().await;
}

/// Accepts the peer's three streams in their order, and reads from each.
async fn read_all(link: Link, events: mpsc::Sender<LinkEvent>) {
    let mut readers = JoinSet::new();
    for _ in Priority::ALL {
        let Ok(stream) = link.connection.quic.accept_uni().await else { return };
        readers.spawn(read(link.clone(), FrameReader::new(stream, FRAME_BYTES_MAX), events.clone()));
    }
    readers.join_all().await;
}

/// Hands on one frame after the other. Where the events are full it waits, QUIC's window fills, and the
/// peer's queue after it.
async fn read(link: Link, mut frames: FrameReader, events: mpsc::Sender<LinkEvent>) {
    loop {
        let frame = match frames.next().await {
            Ok(frame) => frame,
            Err(end) => return link.connection.close(end),
        };
        let event = LinkEvent::Frame { from: link.peer, link: link.id, frame };
        if events.send(event).await.is_err() {
            return link.connection.close(LinkEnd::Leaving("nobody takes its frames".to_owned()));
        }
    }
}

/// Asks the peer for a sign of life every `keep_alive`, answers when asked, and gives the link up when
/// `patience` has passed without an answer.
///
/// QUIC's own idle timer sees a path that is cut one way only from the side that hears nothing. An answer
/// proves both ways, so that both sides give up at about the same time. Words have their own stream, so
/// that a peer too busy to read frames still answers.
pub(super) async fn pulse(
    connection: Connection,
    mut words: Words,
    keep_alive: Duration,
    patience: Duration,
) {
    let mut answered = Instant::now();
    let mut next = answered + keep_alive;
    loop {
        let deadline = answered + patience;
        let to_say = tokio::select! {
            heard = words.hear() => match heard {
                Ok(Note::Ping) => Note::Pong,
                Ok(Note::Pong) => {
                    answered = Instant::now();
                    continue;
                }
                Ok(Note::Stand | Note::Unknown) => continue,
                Err(end) => return connection.close(end),
            },
            () = sleep_until(next.min(deadline)) => {
                if Instant::now() >= deadline {
                    return connection.close(LinkEnd::Silent(patience));
                }
                next += keep_alive;
                Note::Ping
            }
        };
        match timeout_at(deadline, words.say(to_say)).await {
            Ok(Ok(())) => {}
            Ok(Err(end)) => return connection.close(end),
            Err(_) => return connection.close(LinkEnd::Silent(patience)),
        }
    }
}
