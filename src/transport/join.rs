//! Addresses at which somebody of the cluster may be: how a node meets the first of its peers.
//!
//! Each address has a loop. It resolves it anew each time, and dials all that it stands for, except where it has met
//! somebody with whom a link stands, or itself. As long as no link stands at all it tries often, later now and then:
//! so that two halves of a cluster which began apart meet all the same.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::transport::{
    LinkEnd, NodeName, Refusal,
    connection::Connection,
    dial::{Backoff, resolve},
    endpoint::Shared,
    meet::{HELLO_TIMEOUT, Turned, meet},
};

/// How often an address is tried while links stand. More often finds a half that began apart sooner; less often
/// costs fewer questions to the DNS.
pub const JOIN_EVERY: Duration = Duration::from_secs(30);

/// How many addresses of one name are dialled: more nodes than one region has. More are passed over.
pub const RESOLVED_MAX: usize = 64;

/// Whom an address has led to, or will.
enum Met {
    Peer(NodeName),
    Itself,
    /// It is being dialled: no second time before that is over, however long an address does not answer.
    Soon,
}

/// Sees to it, as long as it is polled, that whoever is at `address` is met.
pub(super) async fn keep_meeting(shared: Arc<Shared>, address: String) {
    let mut backoff = Backoff::new(shared.backoff_min, shared.backoff_max);
    let mut dials = JoinSet::new();
    let mut met = BTreeMap::<SocketAddr, Met>::new();
    let (tell, mut told) = mpsc::channel(RESOLVED_MAX);
    loop {
        while let Ok((socket, who)) = told.try_recv() {
            match who {
                Some(who) => met.insert(socket, who),
                None => met.remove(&socket),
            };
        }
        while dials.try_join_next().is_some() {}
        match resolve(&shared, &address).await {
            Ok(sockets) => {
                met.retain(|socket, who| matches!(who, Met::Soon) || sockets.contains(socket));
                for socket in sockets.into_iter().take(RESOLVED_MAX) {
                    if met.len() > RESOLVED_MAX || met.get(&socket).is_some_and(|it| it.is_settled(&shared)) {
                        continue;
                    }
                    met.insert(socket, Met::Soon);
                    let (shared, tell) = (Arc::clone(&shared), tell.clone());
                    dials.spawn(async move { dial(&shared, socket, &tell).await });
                }
            }
            Err(end) => shared.peers.turned_away(None, None, &end),
        }
        let pause = if shared.peers.any_stands() { slowly() } else { backoff.pause() };
        sleep(pause).await;
    }
}

impl Met {
    /// Whether there is nothing to be dialled.
    fn is_settled(&self, shared: &Shared) -> bool {
        match self {
            Self::Peer(name) => shared.peers.stands(name),
            Self::Itself | Self::Soon => true,
        }
    }
}

/// Dials whoever is there, tells who it was, and lives the life of the link that may come of it.
async fn dial(shared: &Shared, socket: SocketAddr, tell: &mpsc::Sender<(SocketAddr, Option<Met>)>) {
    let permit = shared.dials.acquire().await.expect("the semaphore is never closed");
    let met = match connect(shared, socket).await {
        Ok(connection) => meet(shared, &connection, None).await,
        Err(end) => Err(Turned { end, name: None }),
    };
    drop(permit);
    let who = match &met {
        Ok(seat) => Some(Met::Peer(seat.name().clone())),
        Err(Turned { end: LinkEnd::Refused(Refusal::SameReplica), .. }) => Some(Met::Itself),
        Err(Turned { name, .. }) => name.clone().map(Met::Peer),
    };
    let is_itself = matches!(who, Some(Met::Itself));
    // It fails where nobody joins any more.
    let _ = tell.send((socket, who)).await;
    match met {
        Ok(seat) => seat.live(shared).await,
        Err(_) if is_itself => {}
        Err(Turned { end, name }) => shared.peers.turned_away(name.as_ref(), Some(socket), &end),
    }
}

async fn connect(shared: &Shared, socket: SocketAddr) -> Result<Connection, LinkEnd> {
    let connecting = shared
        .endpoint
        .connect_with(shared.client_of_anybody.clone(), socket, shared.hello.name.cluster())
        .map_err(|error| LinkEnd::Lost(error.to_string()))?;
    match timeout(HELLO_TIMEOUT, connecting).await {
        Ok(connected) => {
            let quic = connected.map_err(|error| LinkEnd::from_quic(&error, shared.patience))?;
            Ok(Connection::new(quic, shared.patience))
        }
        Err(_) => Err(LinkEnd::Silent(HELLO_TIMEOUT)),
    }
}

fn slowly() -> Duration {
    SmallRng::from_os_rng().random_range(JOIN_EVERY / 2..=JOIN_EVERY)
}
