//! A path between two nodes that can be cut, each way by itself.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{net::UdpSocket, sync::mpsc, task::JoinSet};

use super::world::{LOOPBACK, Node};

/// Carries datagrams between whoever comes and one node, or drops them.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    target: mpsc::Sender<SocketAddr>,
    cut: Arc<Cut>,
    _tasks: JoinSet<()>,
}

/// Which ways are cut.
#[derive(Default)]
struct Cut {
    to_node: AtomicBool,
    from_node: AtomicBool,
}

impl Relay {
    pub(crate) async fn bind() -> Self {
        let socket = Arc::new(UdpSocket::bind(LOOPBACK).await.expect("a socket"));
        let address = socket.local_addr().expect("an address");
        let (target, targets) = mpsc::channel(1);
        let cut = Arc::new(Cut::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(relay(socket, targets, Arc::clone(&cut)));
        Self { address, target, cut, _tasks: tasks }
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
        self.cut.to_node.store(to_node, Ordering::Relaxed);
        self.cut.from_node.store(from_node, Ordering::Relaxed);
    }
}

async fn relay(socket: Arc<UdpSocket>, mut targets: mpsc::Receiver<SocketAddr>, cut: Arc<Cut>) {
    let mut target = targets.recv().await.expect("a relay leads somewhere");
    let mut callers: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut backs = JoinSet::new();
    let mut datagram = vec![0; 65_536];
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
        if cut.to_node.load(Ordering::Relaxed) {
            continue;
        }
        let onward = match callers.entry(caller) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let onward = Arc::new(UdpSocket::bind(LOOPBACK).await.expect("a socket"));
                backs.spawn(back(Arc::clone(&onward), Arc::clone(&socket), caller, Arc::clone(&cut)));
                new.insert(onward)
            }
        };
        // A node that is gone makes the system complain, which is what a lost datagram is.
        let _ = onward.send_to(&datagram[..length], target).await;
    }
}

async fn back(from: Arc<UdpSocket>, to: Arc<UdpSocket>, caller: SocketAddr, cut: Arc<Cut>) {
    let mut datagram = vec![0; 65_536];
    loop {
        let Ok(length) = from.recv(&mut datagram).await else { continue };
        if !cut.from_node.load(Ordering::Relaxed) {
            let _ = to.send_to(&datagram[..length], caller).await;
        }
    }
}
