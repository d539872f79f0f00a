//! A path between two nodes that can be cut, each way by itself.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::world::{LOOPBACK, Node};

/// Carries datagrams between whoever comes and one node, or drops them.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    target: mpsc::Sender<SocketAddr>,
    path: Arc<Path>,
    _tasks: JoinSet<()>,
}

/// Which ways are cut, and how wide the way to the node is.
#[derive(Default)]
struct Path {
    to_node_cut: AtomicBool,
    from_node_cut: AtomicBool,
    // Nanoseconds for each byte; a datagram waits in the socket's buffer until those before it have passed.
    to_node_ns: AtomicU64,
}

impl Relay {
    pub(crate) async fn bind() -> Self {
        let socket = Arc::new(UdpSocket::bind(LOOPBACK).await.expect("a socket"));
        let address = socket.local_addr().expect("an address");
        let (target, targets) = mpsc::channel(1);
        let path = Arc::new(Path::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(relay(socket, targets, Arc::clone(&path)));
        Self { address, target, path, _tasks: tasks }
    }

    pub(crate) async fn before(node: &Node) -> Self {
        let relay = Self::bind().await;
        relay.lead_to(node).await;
        relay
    }

    pub(crate) async fn lead_to(&self, node: &Node) {
        self.target.send(node.address()).await.expect("the relay lives");
    }

    pub(crate) fn cut(&self, to_node: bool, from_node: bool) {
        self.path.to_node_cut.store(to_node, Ordering::Relaxed);
        self.path.from_node_cut.store(from_node, Ordering::Relaxed);
    }

    /// Lets this many bytes pass to the node in each second.
    pub(crate) fn narrow(&self, bytes_per_second: u32) {
        self.path.to_node_ns.store(1_000_000_000 / u64::from(bytes_per_second), Ordering::Relaxed);
    }
}

async fn relay(socket: Arc<UdpSocket>, mut targets: mpsc::Receiver<SocketAddr>, path: Arc<Path>) {
    let mut target = targets.recv().await.expect("a relay leads somewhere");
    let mut callers: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut backs = JoinSet::new();
    let mut datagram = vec![0; 65_536];
    let mut free = Instant::now();
    loop {
        let (length, caller) = tokio::select! {
            received = socket.recv_from(&mut datagram) => received.expect("loopback does not fail"),
            changed = targets.recv() => match changed {
                Some(changed) => {
                    target = changed;
                    continue;
                }
                None => return,
            },
        };
        if path.to_node_cut.load(Ordering::Relaxed) {
            continue;
        }
        let passing = path.to_node_ns.load(Ordering::Relaxed) * length as u64;
        free = free.max(Instant::now()) + Duration::from_nanos(passing);
        sleep_until(free).await;
        let onward = match callers.entry(caller) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let onward = Arc::new(UdpSocket::bind(LOOPBACK).await.expect("a socket"));
                backs.spawn(back(Arc::clone(&onward), Arc::clone(&socket), caller, Arc::clone(&path)));
                new.insert(onward)
            }
        };
        // A node that is gone makes the system complain, which is what a lost datagram is.
        let _ = onward.send_to(&datagram[..length], target).await;
    }
}

async fn back(from: Arc<UdpSocket>, to: Arc<UdpSocket>, caller: SocketAddr, path: Arc<Path>) {
    let mut datagram = vec![0; 65_536];
    loop {
        let Ok(length) = from.recv(&mut datagram).await else { continue };
        if !path.from_node_cut.load(Ordering::Relaxed) {
            let _ = to.send_to(&datagram[..length], caller).await;
        }
    }
}
