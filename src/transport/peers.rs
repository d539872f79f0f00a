//! The table of peers: who is configured or has been seen, and which link stands with whom.
//!
//! At most one link stands under a name and with a replica. Where there could be two, one replica of the
//! pair decides and the other follows, so that the two never keep different ones.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use crate::{
    crdt::{Origin, ReplicaId, Timestamp},
    transport::{Link, LinkEnd, LinkId, NodeName, PeerAddress, PeerHello, end::Refusal},
};

/// How many links stand at a time: far more full copies than anyone keeps.
pub const LINKS_MAX: usize = 256;

/// How many peers that nobody configured stay listed without a link; the one whose link ended longest ago is
/// forgotten first.
pub const SEEN_MAX: usize = 64;

/// One peer as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    /// Its name.
    pub name: NodeName,
    /// The address that is dialled, if it is configured.
    pub address: Option<String>,
    /// Its replica and that replica's life, as its last link proved them.
    pub life: Option<(ReplicaId, Origin)>,
    /// Whether a link stands.
    pub state: PeerState,
    /// Since when a link has stood, or has not.
    pub since: Instant,
    /// The round trip's estimated duration, of a link that stands.
    pub rtt: Option<Duration>,
    /// Over all links since this node's start, in UDP payload.
    pub bytes_sent: u64,
    /// Over all links since this node's start, in UDP payload.
    pub bytes_received: u64,
    /// What last went wrong; cleared when a link comes up.
    pub last_error: Option<String>,
}

/// Whether there is a link with a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerState {
    /// A link stands.
    Up,
    /// None stands, and one is being tried.
    Dialing,
    /// None stands.
    Down,
}

/// Which side of a pair decides which of their connections stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decider {
    /// This one, whose replica id is the lesser.
    Here,
    /// The peer, who has decided.
    There,
}

pub(super) struct Peers {
    entries: Mutex<BTreeMap<NodeName, Entry>>,
    // Told after each change of the entries, with no lock held.
    changes: watch::Sender<()>,
    // The last refusal of somebody unknown, so that the log says it once.
    stranger: Mutex<Option<String>>,
}

struct Entry {
    address: Option<String>,
    resolved: Option<SocketAddr>,
    seated: Option<Seated>,
    life: Option<(ReplicaId, Origin)>,
    dialing: bool,
    since: Instant,
    // Of links that are gone; what stands is asked for its own.
    bytes_sent: u64,
    bytes_received: u64,
    last_error: Option<String>,
}

/// A link in its place: from the decision that it stands until its `Down` is delivered.
struct Seated {
    link: Link,
    origin: Origin,
    life: Timestamp,
    standing: bool,
    over: oneshot::Receiver<()>,
}

impl Peers {
    pub(super) fn new(configured: &[PeerAddress]) -> Self {
        let entry = |peer: &PeerAddress| (peer.name.clone(), Entry::new(Some(peer.address.clone())));
        Self {
            entries: Mutex::new(configured.iter().map(entry).collect()),
            changes: watch::Sender::new(()),
            stranger: Mutex::default(),
        }
    }

    /// Seats a link, and gives what to wait for before its `Up`: the end of the link that sat there.
    pub(super) fn seat(
        &self,
        hello: &PeerHello,
        link: &Link,
        over: oneshot::Receiver<()>,
        decider: Decider,
    ) -> Result<Option<oneshot::Receiver<()>>, Refusal> {
        let before = {
            let mut entries = self.lock();
            check_seat(&entries, hello, decider)?;
            let entry = seen(&mut entries, &hello.name);
            let before = entry.seated.take();
            if let Some(before) = before.as_ref().filter(|before| before.standing) {
                entry.count(&before.link);
            }
            entry.life = Some((hello.replica, hello.origin));
            entry.since = Instant::now();
            entry.last_error = None;
            let (origin, life) = (hello.origin, hello.life);
            entry.seated = Some(Seated { link: link.clone(), origin, life, standing: true, over });
            before
        };
        self.changes.send_replace(());
        Ok(before.map(|before| {
            before.link.connection().close(LinkEnd::Replaced);
            before.over
        }))
    }

    /// Notes that a link has ended; its seat stays taken until [`Peers::unseat`].
    pub(super) fn fell(&self, name: &NodeName, id: LinkId, end: &LinkEnd) {
        {
            let mut entries = self.lock();
            let Some(entry) = entries.get_mut(name) else { return };
            let Some(seated) = entry.seated.as_mut().filter(|seated| seated.link.id() == id) else { return };
            seated.standing = false;
            let link = seated.link.clone();
            entry.count(&link);
            entry.since = Instant::now();
            entry.last_error = Some(end.to_string());
        }
        self.changes.send_replace(());
    }

    /// Frees a link's seat, after its `Down`.
    pub(super) fn unseat(&self, name: &NodeName, id: LinkId) {
        if let Some(entry) = self.lock().get_mut(name) {
            entry.seated.take_if(|seated| seated.link.id() == id);
        }
    }

    /// Says whether a link stands under a name.
    pub(super) fn stands(&self, name: &NodeName) -> bool {
        self.lock().get(name).is_some_and(|entry| entry.standing().is_some())
    }

    /// Says whether any link stands.
    pub(super) fn any_stands(&self) -> bool {
        self.lock().values().any(|entry| entry.standing().is_some())
    }

    /// Notes the address at which a peer is to be dialled.
    pub(super) fn expect(&self, name: &NodeName, address: &str) {
        let mut entries = self.lock();
        entries.entry(name.clone()).or_insert_with(|| Entry::new(None)).address = Some(address.to_owned());
    }

    /// Notes that a peer is not to be dialled any more.
    pub(super) fn expect_no_more(&self, name: &NodeName) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(name) {
            entry.address = None;
        }
        forget_beyond(&mut entries, SEEN_MAX);
    }

    /// Waits until no link stands under a name.
    pub(super) async fn vacant(&self, name: &NodeName) {
        let mut changes = self.changes.subscribe();
        // It fails only where the table is gone, and then there is nobody to wait.
        let _ = changes.wait_for(|()| !self.stands(name)).await;
    }

    /// Notes that a peer is being dialled at `address`.
    pub(super) fn dialing(&self, name: &NodeName, address: Option<SocketAddr>) {
        if let Some(entry) = self.lock().get_mut(name) {
            entry.dialing = true;
            entry.resolved = address.map(canonical).or(entry.resolved);
        }
    }

    /// Notes that a dial is over, however it went.
    pub(super) fn dialled(&self, name: &NodeName) {
        if let Some(entry) = self.lock().get_mut(name) {
            entry.dialing = false;
        }
    }

    /// Notes a connection that never became a link, under the name it proved, else under the peer that is
    /// dialled at its address. Each new fault is logged once as a warning.
    pub(super) fn turned_away(&self, name: Option<&NodeName>, address: Option<SocketAddr>, end: &LinkEnd) {
        if end.is_ordinary() {
            tracing::debug!(peer = name.map(tracing::field::display), ?address, %end, "no link");
            return;
        }
        let text = end.to_string();
        let (name, before) = {
            let mut entries = self.lock();
            let address = address.map(canonical);
            let dialled_there = |entry: &Entry| address.is_some() && entry.resolved == address;
            let name = name.or_else(|| entries.iter().find(|(_, entry)| dialled_there(entry)).map(|it| it.0));
            match name.cloned() {
                Some(name) => {
                    let before = seen(&mut entries, &name).last_error.replace(text.clone());
                    (Some(name), before)
                }
                None => (None, lock(&self.stranger).replace(text.clone())),
            }
        };
        let peer = name.as_ref().map(tracing::field::display);
        if before.as_ref() == Some(&text) {
            tracing::debug!(peer, ?address, %end, "no link, as before");
        } else {
            tracing::warn!(peer, ?address, %end, "no link");
        }
    }

    /// Closes every link.
    pub(super) fn close_all(&self, end: &LinkEnd) {
        for seated in self.lock().values().filter_map(|entry| entry.seated.as_ref()) {
            seated.link.connection().close(end.clone());
        }
    }

    /// Every peer that is configured, has a link, or had one.
    pub(super) fn status(&self) -> Vec<PeerStatus> {
        self.lock().iter().map(|(name, entry)| entry.status(name)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeName, Entry>> {
        lock(&self.entries)
    }
}

impl Entry {
    fn new(address: Option<String>) -> Self {
        Self {
            address,
            resolved: None,
            seated: None,
            life: None,
            dialing: false,
            since: Instant::now(),
            bytes_sent: 0,
            bytes_received: 0,
            last_error: None,
        }
    }

    /// The seated link, if it has not ended.
    fn standing(&self) -> Option<&Seated> {
        self.seated.as_ref().filter(|seated| seated.is_standing())
    }

    /// Adds a link's bytes when it has ended.
    fn count(&mut self, link: &Link) {
        let stats = link.connection().quic.stats();
        self.bytes_sent += stats.udp_tx.bytes;
        self.bytes_received += stats.udp_rx.bytes;
    }

    fn status(&self, name: &NodeName) -> PeerStatus {
        let uncounted = self.seated.as_ref().filter(|seated| seated.standing);
        let stats = uncounted.map(|seated| seated.link.connection().quic.stats()).unwrap_or_default();
        let standing = self.standing();
        PeerStatus {
            name: name.clone(),
            address: self.address.clone(),
            life: self.life,
            state: match standing {
                Some(_) => PeerState::Up,
                None if self.dialing => PeerState::Dialing,
                None => PeerState::Down,
            },
            since: self.since,
            rtt: standing.map(|seated| seated.link.rtt()),
            bytes_sent: self.bytes_sent + stats.udp_tx.bytes,
            bytes_received: self.bytes_received + stats.udp_rx.bytes,
            last_error: self.last_error.clone(),
        }
    }
}

impl Seated {
    fn is_standing(&self) -> bool {
        self.standing && !self.link.connection().is_closed()
    }
}

/// Says whether a peer may have a link, given those that stand.
fn check_seat(
    entries: &BTreeMap<NodeName, Entry>,
    hello: &PeerHello,
    decider: Decider,
) -> Result<(), Refusal> {
    let mut links = 0;
    for (name, entry) in entries {
        let Some(seated) = &entry.seated else { continue };
        let (same_name, same_replica) = (*name == hello.name, seated.link.peer() == hello.replica);
        if same_name && same_replica {
            // The decider alone refuses a second connection, and not where the peer lives anew: then
            // the seated link leads to nobody.
            if decider == Decider::Here && seated.is_standing() && seated.origin == hello.origin {
                return Err(Refusal::Duplicate);
            }
            if seated.is_standing() && hello.life < seated.life {
                return Err(Refusal::Superseded);
            }
        } else if same_replica || (same_name && seated.is_standing()) {
            return Err(Refusal::Taken(name.to_string()));
        } else {
            links += 1;
        }
    }
    if links < LINKS_MAX { Ok(()) } else { Err(Refusal::Full(links)) }
}

/// The entry of a peer whose name is proven; where nobody configured it, another such may be forgotten.
fn seen<'a>(entries: &'a mut BTreeMap<NodeName, Entry>, name: &NodeName) -> &'a mut Entry {
    if !entries.contains_key(name) {
        forget_beyond(entries, SEEN_MAX - 1);
    }
    entries.entry(name.clone()).or_insert_with(|| Entry::new(None))
}

/// Forgets one of those whom nobody dials and who have no link, the longest gone, where they are more than `kept`.
fn forget_beyond(entries: &mut BTreeMap<NodeName, Entry>, kept: usize) {
    let passing = |entry: &Entry| entry.address.is_none() && entry.seated.is_none();
    let seen: Vec<_> = entries.iter().filter(|(_, entry)| passing(entry)).collect();
    if seen.len() > kept
        && let Some((oldest, _)) = seen.into_iter().min_by_key(|(_, entry)| entry.since)
    {
        let oldest = oldest.clone();
        entries.remove(&oldest);
    }
}

/// The address without its disguise: a socket of the sixth version shows those of the fourth mapped.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Locks; whoever panicked while holding the lock left whole entries behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
