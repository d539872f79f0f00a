//! From a connection to a link and to its end: hello, proof, decision, and the link's life.

use std::time::Duration;

use tokio::{sync::oneshot, task::JoinSet, time::timeout};

use crate::transport::{
    Gossip, LinkEnd, LinkEvent, NodeName, PeerHello,
    connection::Connection,
    end::Refusal,
    endpoint::Shared,
    gossip,
    hello::{Note, Words, prove},
    link::{self, Link, Queues},
    peers::Decider,
};

/// How long a peer may take from the end of the TLS handshake to a link that stands: three round trips of
/// the longest path, each of them lost twice.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A link that stands, before its life.
pub(super) struct Seat {
    hello: PeerHello,
    decider: Decider,
    link: Link,
    queues: Queues,
    words: Words,
    before: Option<oneshot::Receiver<()>>,
    // Dropped with the seat, which is what a successor waits for.
    over: oneshot::Sender<()>,
}

/// A connection that became no link.
pub(super) struct Turned {
    pub(super) end: LinkEnd,
    /// The peer's name, if it was proven.
    pub(super) name: Option<NodeName>,
}

/// Meets whoever is at the other end of a fresh connection, whom this side `dialled` or who dialled.
pub(super) async fn meet(
    shared: &Shared,
    connection: &Connection,
    dialled: Option<&NodeName>,
) -> Result<Seat, Turned> {
    let mut name = dialled.cloned();
    let met = timeout(HELLO_TIMEOUT, greet(shared, connection, dialled, &mut name)).await;
    match met.unwrap_or(Err(LinkEnd::Refused(Refusal::Late(HELLO_TIMEOUT)))) {
        Ok(seat) => Ok(seat),
        Err(end) => {
            connection.close(end);
            // The connection knows better where the peer was first to close it.
            Err(Turned { end: connection.ended().await, name })
        }
    }
}

async fn greet(
    shared: &Shared,
    connection: &Connection,
    dialled: Option<&NodeName>,
    name: &mut Option<NodeName>,
) -> Result<Seat, LinkEnd> {
    let (mut words, hello) = Words::exchange(connection, &shared.hello).await?;
    prove(connection, &hello, dialled).map_err(LinkEnd::Refused)?;
    *name = Some(hello.name.clone());
    shared.hello.check(&hello).map_err(LinkEnd::Refused)?;

    let decider = if shared.hello.replica < hello.replica { Decider::Here } else { Decider::There };
    if decider == Decider::There {
        while words.hear().await? != Note::Stand {}
    }
    let (link, queues) = Link::new(shared.next_link(), hello.replica, connection.clone());
    let (over, is_over) = oneshot::channel();
    let before = shared.peers.seat(&hello, &link, is_over, decider).map_err(LinkEnd::Refused)?;
    Ok(Seat { hello, decider, link, queues, words, before, over })
}

impl Seat {
    /// Who is at the other end.
    pub(super) fn name(&self) -> &NodeName {
        &self.hello.name
    }

    /// Lives the link's life: tells the owner that it is up, moves its frames, and tells that it is down.
    pub(super) async fn live(self, shared: &Shared) {
        let Self { hello, decider, link, queues, mut words, before, over } = self;
        let connection = link.connection();
        let mut loops = JoinSet::new();
        if decider == Decider::Here
            && let Err(end) = words.say(Note::Stand).await
        {
            connection.close(end);
        }
        loops.spawn(link::pulse(connection.clone(), words, shared.keep_alive, shared.patience));
        if let Some(before) = before {
            // It fails when the link before this one is over.
            let _ = before.await;
        }
        let announced = !connection.is_closed() && {
            let up = LinkEvent::Up { peer: hello.clone(), link: link.clone() };
            shared.events.send(up).await.is_ok()
        };
        if announced {
            let up = Gossip::Up { peer: hello.clone(), link: link.clone() };
            // It fails where nobody keeps a list of members.
            let _ = shared.gossip.send(up).await;
            loops.spawn(gossip::read(connection.clone(), shared.gossip.clone()));
            tracing::info!(peer = %hello.name, replica = %hello.replica, link = link.id().as_u64(), "link up");
            link::start_loops(&mut loops, &link, queues, &shared.events);
        } else {
            connection.close(LinkEnd::Leaving("nobody takes its frames".to_owned()));
        }
        let end = connection.ended().await;
        loops.shutdown().await;
        shared.peers.fell(&hello.name, link.id(), &end);
        tracing::info!(peer = %hello.name, link = link.id().as_u64(), %end, "link down");
        if announced {
            let left = matches!(end, LinkEnd::PeerLeft(_));
            let down = LinkEvent::Down { peer: hello.replica, link: link.id(), why: end };
            // They fail where nobody listens any more.
            let _ = shared.events.send(down).await;
            let _ = shared.gossip.send(Gossip::Down { peer: hello.replica, link: link.id(), left }).await;
        }
        shared.peers.unseat(&hello.name, link.id());
        drop(over);
    }
}
