//! Who holds the pen: one process, one replica, one owner at a time.
//!
//! The problem: many requests and many peers want to change one state machine at once, and nothing may be
//! acknowledged, or sent, before it is durable. The mechanism: a **driver** is the sole owner of the
//! replica; everybody else puts a command in its bounded inbox, and one **turn** takes all that has come,
//! stages it, commits it once (that is the group commit), answers, then sends. Whoever holds the **pen**
//! takes the turn: the driver's own thread, or in passing whoever brought a report. Reads go past it,
//! straight to the store's committed state.
//!
//! ```text
//! http ──write──► inbox ─┐                        ┌─► replies
//!                        ├─► stage ─► one commit ─┤
//! links ──frames─────────┘                        └─► frames to peers
//! http ──read───► the store, by way of the titles that are warm
//! ```
//!
//! What was refused: a lock round the replica that everybody waits for (a slow sync would be everybody's),
//! several owners (the order durable, acknowledged, sent could then not be read in one breath), and an
//! inbox without a bound (under load it turns every answer into a late one).
//!
//! Whoever follows what changes, at this node or at another, is told by the **tail**, which reads the
//! change index as peers' feeds do; the page of `tail` says what is neither lost nor repeated.
//!
//! A store that fails ends this **life**: waiting writers are told *unknown*, the process exits, and
//! whoever supervises it starts it again, as a new origin.

mod backup;
mod clock;
mod cursor;
mod driver;
mod erased;
mod handle;
pub mod identity;
mod inbox;
mod links;
mod members;
mod metrics;
mod pen;
mod pulse;
mod readiness;
mod room;
mod seats;
mod snapshot;
mod synchrony;
mod tail;
mod waiters;

pub use crate::replica::{ALONE_AFTER, Findings, Readiness};
pub use backup::{Backup, BackupError, Manifest, Restored, restore};
pub use clock::Clock;
pub use cursor::{CURSOR_CHARS_MAX, ClusterTag, Cursor, Found, MARKS_MAX, NAMED_MAX};
pub use driver::{HAND_OVER_WITHIN, SYNC_INTERVAL, TURN_COMMANDS_MAX, TURN_EVENTS_MAX, TURN_TRANSMITS_MAX};
pub use erased::EXTENSION as ERASURES_EXTENSION;
pub use handle::{COVERED_WITHIN, Handle, InboxLevel, ReadError, WRITTEN_WITHIN, WriteError};
pub use inbox::{Assurance, INBOX_LOOKS_MAX, INBOX_WRITES_MAX, Outcome, Written};
pub use members::MemberView;
pub use metrics::{Counter, Counters};
pub use pulse::{STALLED_AFTER, Stall, Step};
pub use room::RESERVE_BYTES;
pub use seats::{Subscription, WAITING_MAX, Waiting};
pub use snapshot::{Confirmed, Name, OriginView, PeerView, Snapshot};
pub use synchrony::{AGREE_WITHIN, OFF_BEYOND};
pub use tail::{TAIL_ENTRIES_MAX, TAIL_LINGER};
pub use waiters::{REPLICATED_WITHIN, WAITERS_MAX};

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    crdt::{Origin, ReplicaId, Timestamp},
    membership::{Kept, Members, Membership},
    playback,
    replica::{self, Beginning, Linger, Replica, Retain, wire::WIRE_VERSION},
    store::{Read, RocksOptions, RocksReader, RocksStore, StoreError, Warm},
    transport::{
        Advertise, LinkEvent, NodeName, PeerAddress, TlsPaths, Transport, TransportError, TransportOptions,
        WireVersions,
    },
};
use driver::{Agenda, Driver};
use handle::Shared;
use inbox::{Command, INBOX_COMMANDS_MAX};
use links::Links;
use pen::{Inbox, Pen};
use pulse::Pulse;
use readiness::{Board, Teller};
use room::RoomBoard;
use seats::Seats;
use synchrony::{OffBoard, Synchrony};
use waiters::Waiters;

/// How many events of links wait for the driver: 16 MiB of the longest frames. Where it is full the
/// links are not read, and their peers wait.
pub const EVENTS_MAX: usize = 256;

/// How long small commits are gathered before they are sent: inside a region so shortly that nobody notices, across
/// a fraction of most paths between two regions, and long enough to fill a frame under load.
pub const LINGER: Linger = Linger { near: Duration::from_millis(2), across: Duration::from_millis(25) };

/// How a node starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's name, as its certificate carries it.
    pub name: NodeName,
    /// Where its store is.
    pub store: PathBuf,
    /// Where it keeps whom it has met.
    pub members: PathBuf,
    /// Where it keeps the list of erasures, beside the backups; `None` where there are none.
    pub erasures: Option<PathBuf>,
    /// How many bytes of the store's disk are to stay free.
    pub reserve_bytes: u64,
    /// How much of the machine the store takes.
    pub rocks: RocksOptions,
    /// With whom it replicates; `None` is a single node.
    pub replication: Option<Replication>,
}

/// Where a node listens for its peers, and whom it dials.
#[derive(Clone, Debug)]
pub struct Replication {
    /// The UDP address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The files that prove who this node is.
    pub identity: TlsPaths,
    /// Where others are told to reach it.
    pub advertise: Advertise,
    /// Who is dialled by name, and at this address whatever others say.
    pub peers: Vec<PeerAddress>,
    /// Addresses at which somebody of the cluster may be. Where there is neither this nor a peer, and none has ever been
    /// met, the node is taken to be alone until others dial in.
    pub join: Vec<String>,
    /// Whether this node begins the cluster; it counts for a fresh data directory only.
    pub found: bool,
    /// How long a node that has been caught up before looks for a peer that is, before it serves what it has.
    pub alone_after: Duration,
}

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    farewell: Option<members::Farewell>,
    ended: oneshot::Receiver<Result<(), StoreError>>,
}

impl Node {
    /// Opens the store, begins a new life on it, and starts to talk to the peers.
    ///
    /// # Errors
    /// See [`StartError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: Options, clock: Clock) -> Result<Self, StartError> {
        let name = options.name;
        let mut store = Warm::new(RocksStore::open(&options.store, options.rocks)?);
        let (replica_id, origin) = (identity::replica(&mut store)?, identity::origin());
        let reader = store.beside(store.cold().reader());
        let log = store.cold().reader();
        let vector = watch::Sender::new(store.vector()?);
        let seats = Arc::new(Seats::beyond(store.vector()?));
        tokio::spawn(tail::follow(Arc::clone(&seats), reader.clone(), vector.subscribe()));
        if let Some(file) = options.erasures {
            tokio::spawn(erased::keep(file, reader.clone(), vector.subscribe()));
        }
        let counters = Arc::new(Counters::default());
        let kept = members::read(&options.members);
        let replica = {
            let retain = Retain { leaving: playback::retain_title, fence: playback::slot::FENCE };
            let options = replica::Options {
                id: replica_id,
                region: name.region().clone(),
                origin,
                retain,
                linger: LINGER,
                beginning: beginning(options.replication.as_ref(), &kept),
                alone_after: options.replication.as_ref().map_or(ALONE_AFTER, |it| it.alone_after),
            };
            Replica::open(options, store, clock.now())?
        };
        let board = Board::of(replica.readiness());
        let clock_off = OffBoard::default();
        let (commands, inbox) = mpsc::channel(INBOX_COMMANDS_MAX);
        let reached = match options.replication {
            Some(replication) => {
                let life = kept.next_life(Timestamp::new(clock.now().wall, 0).max(replica.clock()));
                replication.start(&name, (replica_id, origin, life), kept.members, clock, options.members)?
            }
            None => Reached::default(),
        };
        let Reached { transport, events, farewell, members } = reached;
        let (pulse, sync_pulse) = (Arc::<Pulse>::default(), Arc::<Pulse>::default());
        pulse::watch(&[Arc::clone(&pulse), Arc::clone(&sync_pulse)], clock).map_err(StartError::Thread)?;
        let room = RoomBoard::default();
        tokio::spawn(room::watch(options.store, options.reserve_bytes, room.clone()));
        let (writes, looks) = handle::inbox_bounds();
        let vector_told = vector.subscribe();
        let driver = Driver {
            replica,
            clock,
            commands: inbox,
            has_transport: events.is_some(),
            links: Links::new(Arc::clone(&counters)),
            waiters: Waiters::default(),
            counters: Arc::clone(&counters),
            vector,
            readiness: Teller::new(board.clone()),
            synchrony: Synchrony::new(clock_off.clone()),
            found: Findings::default(),
            agenda: Agenda::default(),
            pulse: Arc::clone(&pulse),
        };
        let pen = Arc::new(Pen::new(driver, Arc::clone(&sync_pulse), room.clone()));
        let handle = Handle {
            shared: Arc::new(Shared {
                name,
                replica: replica_id,
                origin,
                clock,
                reader,
                inbox: Inbox::new(commands, Arc::clone(&pen)),
                writes,
                looks,
                vector: vector_told,
                seats,
                counters,
                readiness: board,
                clock_off,
                pulses: [pulse, sync_pulse],
                room,
                leaving: AtomicBool::new(false),
                transport: Mutex::new(transport),
                members,
            }),
        };
        Ok(Self { handle, farewell, ended: spawn(pen, events, log)? })
    }

    /// What the outer rooms hold of it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where it listens for its peers.
    pub fn replication_addr(&self) -> Option<SocketAddr> {
        self.lock_transport().as_ref().map(Transport::local_addr)
    }

    /// Waits until its life is over, which is an error unless it was told to leave.
    ///
    /// # Errors
    /// The store's.
    pub async fn ended(&mut self) -> Result<(), StoreError> {
        let panicked = || StoreError::Io("the driver panicked".into());
        (&mut self.ended).await.unwrap_or_else(|_| Err(panicked()))
    }

    /// Takes no more, commits and answers what is in the inbox, syncs, and tells the peers.
    ///
    /// # Errors
    /// The store's; then what was in the inbox is unknown.
    pub async fn leave(mut self) -> Result<(), StoreError> {
        self.handle.stop_taking();
        // It fails only where the driver has ended, which is what is asked for.
        let _ = self.handle.shared.inbox.post(Command::Leave);
        let ended = self.ended().await;
        if let Some(farewell) = self.farewell.take() {
            farewell.say().await;
        }
        let transport = self.lock_transport().take();
        if let Some(transport) = transport {
            transport.close("the node shuts down").await;
        }
        ended
    }

    fn lock_transport(&self) -> std::sync::MutexGuard<'_, Option<Transport>> {
        self.handle.shared.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a node that replicates has beside its replica.
#[derive(Default)]
struct Reached {
    transport: Option<Transport>,
    events: Option<mpsc::Receiver<LinkEvent>>,
    farewell: Option<members::Farewell>,
    members: Option<watch::Receiver<Members>>,
}

impl Replication {
    /// Starts the links and the list of members.
    fn start(
        self,
        name: &NodeName,
        (replica, origin, life): (ReplicaId, Origin, Timestamp),
        known: Members,
        clock: Clock,
        file: PathBuf,
    ) -> Result<Reached, TransportError> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (teller, gossip) = mpsc::channel(members::GOSSIP_MAX);
        let wire = WireVersions { min: WIRE_VERSION.into(), max: WIRE_VERSION.into() };
        let mut options =
            TransportOptions::new(self.listen, name.clone(), replica, origin, wire, self.identity);
        (options.life, options.advertise) = (life, self.advertise);
        (options.peers, options.join) = (self.peers, self.join);
        let transport = Transport::start(options, sender, teller)?;
        let membership = Membership::new(members::member(transport.hello().clone()), known, rand::random());
        let (farewell, members) =
            members::keep(membership, name.clone(), clock, transport.wanted(), gossip, file);
        Ok(Reached {
            transport: Some(transport),
            events: Some(events),
            farewell: Some(farewell),
            members: Some(members),
        })
    }
}

fn beginning(replication: Option<&Replication>, kept: &Kept) -> Beginning {
    match replication {
        Some(Replication { peers, join, .. })
            if peers.is_empty() && join.is_empty() && kept.members.is_empty() =>
        {
            Beginning::Alone
        }
        Some(Replication { found: true, .. }) => Beginning::Founds,
        Some(_) => Beginning::Joins,
        None => Beginning::Alone,
    }
}

fn spawn(
    pen: Arc<Pen<Warm<RocksStore>>>,
    events: Option<mpsc::Receiver<LinkEvent>>,
    log: RocksReader,
) -> Result<oneshot::Receiver<Result<(), StoreError>>, StartError> {
    let (end, ended) = oneshot::channel();
    let run = move || {
        // With its reader of the log: whoever is told of the end may end the process, and with it RocksDB.
        let ended = pen.drive(events, move || log.sync_log());
        // Nobody may be waiting for it.
        let _ = end.send(ended);
    };
    thread::Builder::new().name("driver".into()).spawn(run).map_err(StartError::Thread)?;
    Ok(ended)
}

/// Says why a node has not started; nothing is left behind but its store.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The links.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The machine's fault.
    #[error("no thread for the driver: {0}")]
    Thread(std::io::Error),
}
