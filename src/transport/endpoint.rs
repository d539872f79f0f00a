//! The node's one UDP socket, on which it dials and is dialled.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quinn::{
    EndpointConfig, IdleTimeout, Incoming, ServerConfig, TransportConfig, VarInt, congestion::BbrConfig,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use crate::{
    crdt::WallTime,
    transport::{
        FRAME_BYTES_MAX, Gossip, IdentityError, LinkEnd, LinkEvent, LinkId, NodeName, PeerHello, PeerStatus,
        TransportOptions,
        connection::Connection,
        dial::DIALS_MAX,
        end::Refusal,
        gossip::DATAGRAMS_BYTES_MAX,
        hello::HELLO_BYTES_MAX,
        is_address, join,
        link::Priority,
        meet::{HELLO_TIMEOUT, Turned, meet},
        peers::Peers,
        tls::Identity,
        wanted::{self, Wanted},
    },
};

/// How many strangers may be between their first datagram and their hello; one more is refused, and dials
/// again after a pause.
pub const HANDSHAKES_MAX: usize = 64;

/// How long a leaving node waits for its words to be sent: the longest round trip, three times.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a stream may have under way: ten megabytes a second over a round trip of 200 ms.
const STREAM_WINDOW_BYTES: u32 = 2 * 1_024 * 1_024;

/// What a link may have under way: each of its streams' windows, and one more, so that a full bulk stream
/// never keeps words or control frames back.
const LINK_WINDOW_BYTES: u32 = 4 * STREAM_WINDOW_BYTES;

/// The round trip assumed before the first is measured: that of most pairs of regions. More makes the loss
/// of a first datagram dearer (it is sent again after three of these), less sends twice on long paths.
const INITIAL_RTT: Duration = Duration::from_millis(200);

const _: () = assert!(FRAME_BYTES_MAX < STREAM_WINDOW_BYTES as usize && HELLO_BYTES_MAX < FRAME_BYTES_MAX);

/// Links with all peers: dials them, lets them in, and tells its owner of links and frames.
///
/// Its loops end when it is closed or dropped.
#[derive(Debug)]
pub struct Transport {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    wanted: Wanted,
    expires: WallTime,
}

impl Transport {
    /// Binds the socket and begins to dial and to listen.
    ///
    /// Where `events` is full everything that would be told waits, and flow control makes the peers wait.
    /// Where its receiver is gone the links end. Where `gossip` is full datagrams are dropped.
    ///
    /// # Errors
    /// Options that contradict each other, files that give no identity, and a socket that cannot be bound.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        options: TransportOptions,
        events: mpsc::Sender<LinkEvent>,
        gossip: mpsc::Sender<Gossip>,
    ) -> Result<Self, TransportError> {
        check(&options)?;
        let identity = Identity::load(&options.identity, &options.name)?;
        let quic = Arc::new(quic_config(&options)?);
        let mut server = ServerConfig::with_crypto(identity.server);
        server.transport_config(Arc::clone(&quic)).max_incoming(HANDSHAKES_MAX);
        let mut client = quinn::ClientConfig::new(identity.client);
        client.transport_config(Arc::clone(&quic));
        let mut client_of_anybody = quinn::ClientConfig::new(identity.client_of_anybody);
        client_of_anybody.transport_config(quic);

        let bind = |why| TransportError::Bind { listen: options.listen, why };
        let socket = std::net::UdpSocket::bind(options.listen).map_err(bind)?;
        let local = socket.local_addr().map_err(bind)?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = quinn::Endpoint::new(EndpointConfig::default(), Some(server), socket, runtime);
        let shared = Arc::new(Shared {
            endpoint: endpoint.map_err(bind)?,
            local,
            client,
            client_of_anybody,
            hello: PeerHello {
                replica: options.replica,
                origin: options.origin,
                name: options.name,
                wire: options.wire,
                life: options.life,
                address: options.advertise.address(local),
            },
            peers: Peers::new(&options.peers),
            events,
            gossip,
            links: AtomicU64::new(0),
            dials: Semaphore::new(DIALS_MAX),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            keep_alive: options.keep_alive,
            patience: options.idle_timeout,
            backoff_min: options.backoff_min,
            backoff_max: options.backoff_max,
        });

        let mut tasks = JoinSet::new();
        tasks.spawn(accept(Arc::clone(&shared)));
        let (wanted, list) = Wanted::new();
        tasks.spawn(wanted::see_to(Arc::clone(&shared), options.peers, list));
        for address in options.join {
            tasks.spawn(join::keep_meeting(Arc::clone(&shared), address));
        }
        tracing::info!(%local, name = %shared.hello.name, replica = %shared.hello.replica, "transport listens");
        Ok(Self { shared, tasks, wanted, expires: identity.expires })
    }

    /// The address that the socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// When this node's certificate expires; from then on no new link comes up.
    pub fn certificate_expires(&self) -> WallTime {
        self.expires
    }

    /// What it says of itself to every peer.
    pub fn hello(&self) -> &PeerHello {
        &self.shared.hello
    }

    /// What tells this transport whom to dial beside those that it is configured with.
    pub fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// Every peer that is configured, has a link, or had one.
    pub fn status(&self) -> Vec<PeerStatus> {
        self.shared.peers.status()
    }

    /// Tells the peers that this node leaves, waits until that is sent or [`CLOSE_TIMEOUT`] has passed, and
    /// ends. What is still queued is dropped.
    pub async fn close(mut self, reason: &str) {
        self.leave(reason);
        // A peer that does not answer is told by its own patience.
        let _ = timeout(CLOSE_TIMEOUT, self.shared.endpoint.wait_idle()).await;
        self.tasks.shutdown().await;
    }

    fn leave(&self, reason: &str) {
        let end = LinkEnd::Leaving(reason.to_owned());
        self.shared.peers.close_all(&end);
        self.shared.endpoint.close(VarInt::from_u32(end.code()), reason.as_bytes());
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.leave("dropped");
    }
}

/// What the transport's loops have in common.
pub(super) struct Shared {
    pub(super) endpoint: quinn::Endpoint,
    pub(super) local: SocketAddr,
    pub(super) client: quinn::ClientConfig,
    pub(super) client_of_anybody: quinn::ClientConfig,
    pub(super) hello: PeerHello,
    pub(super) peers: Peers,
    pub(super) events: mpsc::Sender<LinkEvent>,
    pub(super) gossip: mpsc::Sender<Gossip>,
    links: AtomicU64,
    pub(super) dials: Semaphore,
    handshakes: Arc<Semaphore>,
    pub(super) keep_alive: Duration,
    pub(super) patience: Duration,
    pub(super) backoff_min: Duration,
    pub(super) backoff_max: Duration,
}

impl Shared {
    /// The id of the next link.
    pub(super) fn next_link(&self) -> LinkId {
        LinkId::new(self.links.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("local", &self.local)
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}

/// Lets peers in until the endpoint is closed.
async fn accept(shared: Arc<Shared>) {
    let mut callers = JoinSet::new();
    while let Some(incoming) = shared.endpoint.accept().await {
        // Those who have gone are cleared away, so that the set is no longer than the links that stand.
        while callers.try_join_next().is_some() {}
        match Arc::clone(&shared.handshakes).try_acquire_owned() {
            Ok(permit) => {
                callers.spawn(receive(Arc::clone(&shared), incoming, permit));
            }
            Err(_) => incoming.refuse(),
        }
    }
    callers.join_all().await;
}

/// Meets one caller, and lives the life of the link that may come of it.
async fn receive(shared: Arc<Shared>, incoming: Incoming, permit: OwnedSemaphorePermit) {
    let address = incoming.remote_address();
    let connected = timeout(HELLO_TIMEOUT, incoming).await;
    let met = match connected {
        Ok(Ok(connection)) => meet(&shared, &Connection::new(connection, shared.patience), None).await,
        Ok(Err(error)) => Err(Turned { end: LinkEnd::from_quic(&error, shared.patience), name: None }),
        Err(_) => Err(Turned { end: LinkEnd::Refused(Refusal::Late(HELLO_TIMEOUT)), name: None }),
    };
    drop(permit);
    match met {
        Ok(seat) => seat.live(&shared).await,
        Err(Turned { end, name }) => shared.peers.turned_away(name.as_ref(), Some(address), &end),
    }
}

fn quic_config(options: &TransportOptions) -> Result<TransportConfig, TransportError> {
    let idle = IdleTimeout::try_from(options.idle_timeout).map_err(|_| TransportError::Patience)?;
    let streams = u32::try_from(Priority::ALL.len()).expect("three") + 1;
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(options.keep_alive))
        .initial_rtt(INITIAL_RTT)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(streams))
        // By the rate at which a path delivers, not by its losses: see docs/decisions/0011.
        .congestion_controller_factory(Arc::new(BbrConfig::default()))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(LINK_WINDOW_BYTES))
        // Half as much again: what is acknowledged late counts here though its window is free.
        .send_window(u64::from(LINK_WINDOW_BYTES) * 3 / 2)
        .datagram_receive_buffer_size(Some(DATAGRAMS_BYTES_MAX))
        .datagram_send_buffer_size(DATAGRAMS_BYTES_MAX);
    Ok(config)
}

fn check(options: &TransportOptions) -> Result<(), TransportError> {
    let TransportOptions { keep_alive, idle_timeout, backoff_min, backoff_max, .. } = *options;
    if keep_alive.is_zero() || keep_alive >= idle_timeout {
        return Err(TransportError::Patience);
    }
    if backoff_min.is_zero() || backoff_min > backoff_max {
        return Err(TransportError::Backoff);
    }
    for (index, peer) in options.peers.iter().enumerate() {
        if peer.name == options.name {
            return Err(TransportError::OwnPeer(peer.name.clone()));
        }
        if options.peers[..index].iter().any(|other| other.name == peer.name) {
            return Err(TransportError::PeerTwice(peer.name.clone()));
        }
        if !is_address(&peer.address) {
            let (name, address) = (peer.name.clone(), peer.address.clone());
            return Err(TransportError::Address { name, address });
        }
    }
    match options.join.iter().chain(options.advertise.given()).find(|address| !is_address(address)) {
        Some(address) => Err(TransportError::NoAddress { address: address.clone() }),
        None => Ok(()),
    }
}

/// Says why a transport has not started; the operator's fault or the machine's, and nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The socket cannot be bound: taken, or no address of this machine.
    #[error("cannot listen on {listen}/udp: {why}")]
    Bind {
        /// As configured.
        listen: SocketAddr,
        /// As the system says it.
        why: io::Error,
    },
    /// The files of the identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A node that would dial itself.
    #[error("peer {0} is this node itself")]
    OwnPeer(NodeName),
    /// Two addresses for one peer.
    #[error("peer {0} is listed twice; give it one DNS name with both addresses")]
    PeerTwice(NodeName),
    /// Not `host:port`.
    #[error("peer {name} has the address \"{address}\", which is not host:port")]
    Address {
        /// Whose.
        name: NodeName,
        /// As configured.
        address: String,
    },
    /// Not `host:port`, though nobody's name is given with it.
    #[error("\"{address}\" is not host:port")]
    NoAddress {
        /// As configured.
        address: String,
    },
    /// Signs of life that come too late by design.
    #[error("keep_alive must be above zero and below idle_timeout, and that below 146 million years")]
    Patience,
    /// Pauses that cannot grow.
    #[error("backoff_min must be above zero and at most backoff_max")]
    Backoff,
}
