//! The task that keeps the list of members: its state machine, its timers, its file, and what it makes the
//! transport dial.
//!
//! It stands beside the driver, so that a node whose disk is slow is not taken for a dead one. The file spares
//! the next life the search for the others, and nothing more: without it, or with one that cannot be read, the node
//! meets them by its configuration.

use std::{collections::BTreeMap, io, path::PathBuf, time::Duration};

use tokio::{
    fs,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    crdt::{Origin, Region, ReplicaId, Timestamp, WallTime},
    membership::{self, Kept, Known, Member, Members, Membership},
    node::Clock,
    transport::{ADDRESS_BYTES_MAX, Gossip, LABEL_BYTES_MAX, Link, NodeName, PeerAddress, PeerHello, Wanted},
};

/// How many datagrams and links wait to be looked at. Beyond it datagrams are dropped, and links wait.
pub(super) const GOSSIP_MAX: usize = 256;

/// How long a node that leaves waits until that is on its way.
const FAREWELL_WITHIN: Duration = Duration::from_millis(500);

// Whatever a hello may say can be passed on.
const _: () = assert!(
    ADDRESS_BYTES_MAX == membership::ADDRESS_BYTES_MAX && LABEL_BYTES_MAX == membership::NAME_BYTES_MAX
);

/// What the task is made of.
struct Roll {
    membership: Membership,
    name: NodeName,
    links: BTreeMap<ReplicaId, Link>,
    clock: Clock,
    wanted: Wanted,
    told: watch::Sender<Members>,
}

/// Ends the task.
#[derive(Debug)]
pub(super) struct Farewell {
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Farewell {
    /// Tells the others that this node leaves.
    pub(super) async fn say(self) {
        // It fails where the task has ended.
        let _ = self.leave.send(());
        let _ = timeout(FAREWELL_WITHIN, self.task).await;
    }
}

/// Reads what the last life has kept. What cannot be read is said, and passed over.
pub(super) fn read(file: &PathBuf) -> Kept {
    let kept = match std::fs::read(file) {
        Ok(bytes) => Kept::decode(&bytes).map_err(io::Error::other),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Kept::default(),
        Err(why) => Err(why),
    };
    kept.unwrap_or_else(|why| {
        tracing::warn!(file = %file.display(), %why, "the list of members cannot be read: the others are met anew");
        Kept::default()
    })
}

/// Starts the task, and gives what everybody else looks at.
pub(super) fn keep(
    membership: Membership,
    name: NodeName,
    clock: Clock,
    wanted: Wanted,
    gossip: mpsc::Receiver<Gossip>,
    file: PathBuf,
) -> (Farewell, watch::Receiver<Members>) {
    let told = watch::Sender::new(membership.members().clone());
    let board = told.subscribe();
    tokio::spawn(save(file, membership.own().life, told.subscribe()));
    let roll = Roll { membership, name, links: BTreeMap::new(), clock, wanted, told };
    let (leave, leaving) = oneshot::channel();
    (Farewell { leave, task: tokio::spawn(roll.run(gossip, leaving)) }, board)
}

impl Roll {
    async fn run(mut self, mut gossip: mpsc::Receiver<Gossip>, mut leaving: oneshot::Receiver<()>) {
        self.want();
        loop {
            let now = self.clock.now();
            let due = self.membership.poll_timeout();
            let pause = due.map_or(Duration::MAX, |due| due.since(now.mono));
            tokio::select! {
                heard = gossip.recv() => match heard {
                    Some(heard) => self.hear(heard),
                    None => return,
                },
                () = sleep(pause) => self.membership.handle_timeout(self.clock.now()),
                // Also where whoever could ask for it is gone: then the node is.
                _ = &mut leaving => {
                    self.membership.leave(self.clock.now());
                    self.send();
                    return;
                }
            }
            self.send();
            self.tell();
        }
    }

    fn hear(&mut self, heard: Gossip) {
        let now = self.clock.now();
        match heard {
            Gossip::Up { peer, link } => {
                // A build that says no life knows of no membership either, and would be taken for down.
                if peer.life > Timestamp::ZERO {
                    self.links.insert(peer.replica, link);
                    self.membership.handle_link_up(member(peer), now);
                }
            }
            Gossip::Datagram(datagram) => {
                if let Err(why) = self.membership.handle_datagram(&datagram, now) {
                    tracing::debug!(%why, "a datagram was passed over");
                }
            }
            Gossip::Down { peer, link, left } => {
                if self.links.get(&peer).is_some_and(|it| it.id() == link) {
                    self.links.remove(&peer);
                    if left {
                        self.membership.handle_peer_left(peer, now);
                    } else {
                        self.membership.handle_link_down(peer);
                    }
                }
            }
        }
    }

    fn send(&mut self) {
        while let Some((to, datagram)) = self.membership.poll_transmit() {
            if let Some(link) = self.links.get(&to) {
                link.send_datagram(datagram);
            }
        }
    }

    /// Lets everybody look who does, where there is something new.
    fn tell(&mut self) {
        let is_new = self.told.send_if_modified(|told| {
            let is_new = told != self.membership.members();
            if is_new {
                told.clone_from(self.membership.members());
            }
            is_new
        });
        if is_new {
            self.want();
        }
    }

    /// Makes the transport dial whom the list names, under this node's own cluster.
    fn want(&self) {
        let peer = |member: &Member| {
            let name = NodeName::new(&member.name, member.region.clone(), self.name.cluster()).ok()?;
            Some(PeerAddress { name, address: member.address.clone()? })
        };
        self.wanted.set(self.membership.members().to_dial().filter_map(peer).collect());
    }
}

/// What a node is in the list, by its hello.
pub(super) fn member(hello: PeerHello) -> Member {
    Member {
        replica: hello.replica,
        life: hello.life,
        origin: hello.origin,
        name: hello.name.name().to_owned(),
        region: hello.name.region().clone(),
        address: hello.address,
        wire_min: hello.wire.min,
        wire_max: hello.wire.max,
    }
}

/// Writes the list down each time it has changed, and at first, for the life that has begun.
async fn save(file: PathBuf, life: Timestamp, mut told: watch::Receiver<Members>) {
    loop {
        let kept = Kept { life, members: told.borrow_and_update().clone() };
        if let Err(why) = write(&file, &kept.encode()).await {
            tracing::warn!(file = %file.display(), %why, "the list of members cannot be written");
        }
        if told.changed().await.is_err() {
            return;
        }
    }
}

/// Whole or not at all.
async fn write(file: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    fs::write(&unfinished, bytes).await?;
    fs::rename(&unfinished, file).await
}

/// A member, as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberView {
    /// What its node is called.
    pub name: String,
    /// Where it stands.
    pub region: Region,
    /// Which replica.
    pub replica: ReplicaId,
    /// Its latest life.
    pub origin: Origin,
    /// Where it says that others reach it.
    pub address: Option<String>,
    /// Whether it answers: `alive`, `suspect` or `down`.
    pub reach: &'static str,
    /// Since when it does or does not.
    pub since: WallTime,
}

/// Everybody on the list.
pub(super) fn views(members: &Members) -> Vec<MemberView> {
    let view = |known: &Known| MemberView {
        name: known.member.name.clone(),
        region: known.member.region.clone(),
        replica: known.member.replica,
        origin: known.member.origin,
        address: known.member.address.clone(),
        reach: known.reach.as_str(),
        since: known.since,
    };
    members.iter().map(view).collect()
}
