//! The state machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::{
    Ack, Delta, Message, Monotonic, Now, Part, PeerMisbehaved, PeerView, Status, Subscribe,
    feed::Feed,
    intake::{Intake, Verdict},
    plan::{Plan, STATUS_INTERVAL},
    stage::Stage,
};
use crate::{
    crdt::{
        Dot, HybridClock, Key, Merged, Origin, Register, ReplicaId, Slot, Stamp, Timestamp, VALUE_BYTES_MAX,
        VersionVector,
    },
    store::{Durability, Store, StoreError},
    zoo::{Bug, planted},
};

/// The note under which the greatest version given is kept, so that the next life starts above it.
const FLOOR_NOTE: &str = "clock-floor";

/// What a replica must be told about the meaning of titles: which registers a title keeps.
///
/// Both functions are pure and the same at every replica; pruning is a part of the merge.
#[derive(Clone, Copy)]
pub struct Retain {
    /// Of all the registers of a title, the slots that go. It reads keys and stamps, never values.
    pub leaving: fn(&[(Slot, Stamp)]) -> Vec<Slot>,
    /// Whether a change under this slot, and not only a gain, can make others go (a fence does).
    pub sweeps: fn(Slot) -> bool,
}

impl fmt::Debug for Retain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retain")
    }
}

/// Makes a replica what it is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Names it; kept with its store.
    pub id: ReplicaId,
    /// Names its present life; drawn at random at each start, never used twice.
    pub origin: Origin,
    /// Which registers a title keeps.
    pub retain: Retain,
    /// How long small commits are gathered before they are sent. More saves frames, less saves time;
    /// 2 ms inside a region and 25 ms across are good.
    pub linger: Duration,
}

/// A message to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// To whom.
    pub to: ReplicaId,
    /// What.
    pub message: Message,
}

/// What a commit did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// How many registers changed or went.
    pub registers: usize,
}

/// One holder of the full state.
///
/// Four kinds of method, to be called in turns: any number of commands and `handle_*`, which take notes
/// and stage; one [`Replica::commit`]; then the answers to those who wrote; then
/// [`Replica::poll_transmit`] until it is empty; at last [`Replica::poll_timeout`]. Calls of
/// [`Replica::handle_timeout`] that come late, early or twice do no harm.
pub struct Replica<S> {
    options: Options,
    store: S,
    clock: HybridClock,
    // Invariant: equal to the store's vector; what is staged is not in it.
    vector: VersionVector,
    /// The vector as of the last sync, and whether the peers have been told.
    synced: VersionVector,
    synced_untold: BTreeSet<ReplicaId>,
    stage: Stage,
    peers: BTreeMap<ReplicaId, PeerView>,
    feeds: BTreeMap<ReplicaId, Feed>,
    intakes: BTreeMap<ReplicaId, Intake>,
    plan: Plan,
    subscriptions: u64,
    status_due: BTreeSet<ReplicaId>,
    next_status: Monotonic,
    /// A commit has failed: what the store holds is unknown, and this life is over.
    broken: bool,
}

impl<S: Store> Replica<S> {
    /// Starts a life on a store.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn open(options: Options, store: S, now: Now) -> Result<Self, StoreError> {
        let vector = store.vector()?;
        let floor = store.note(FLOOR_NOTE)?.and_then(|note| Some(u64::from_be_bytes(note.try_into().ok()?)));
        let floor = if planted(Bug::FloorNotKept) { 0 } else { floor.unwrap_or_default() };
        Ok(Self {
            options,
            store,
            clock: HybridClock::above(Timestamp::from_u64(floor)),
            synced: vector.clone(),
            vector,
            synced_untold: BTreeSet::new(),
            stage: Stage::default(),
            peers: BTreeMap::new(),
            feeds: BTreeMap::new(),
            intakes: BTreeMap::new(),
            plan: Plan::default(),
            subscriptions: now.wall.as_ms(),
            status_due: BTreeSet::new(),
            next_status: now.mono,
            broken: false,
        })
    }

    /// Names it.
    pub fn id(&self) -> ReplicaId {
        self.options.id
    }

    /// Names its present life.
    pub fn origin(&self) -> Origin {
        self.options.origin
    }

    /// What it holds, as committed.
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// What it holds that would survive a power cut.
    pub fn synced(&self) -> &VersionVector {
        &self.synced
    }

    /// Its store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Gives its store back, with whatever was staged forgotten.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The peers that are up.
    pub fn peers(&self) -> &BTreeMap<ReplicaId, PeerView> {
        &self.peers
    }

    /// How many parts are on their way to each subscriber.
    pub fn in_flight(&self) -> impl Iterator<Item = (ReplicaId, u64)> + '_ {
        self.feeds.iter().map(|(&peer, feed)| (peer, feed.in_flight()))
    }

    /// How far behind the newest known write of an origin this replica is.
    pub fn lag(&self, origin: Origin) -> Duration {
        let newest = self.peers.values().map(|peer| peer.vector.upto(origin)).max().unwrap_or_default();
        Duration::from_millis(newest.wall().ms_since(self.vector.upto(origin).wall()))
    }

    /// The dot of what stands under a key, as committed.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn standing(&self, key: &Key) -> Result<Option<Dot>, StoreError> {
        Ok(self.store.register(key)?.map(|register| register.dot))
    }

    /// Says whether some peer would keep a write through a power cut.
    pub fn is_replicated(&self, dot: Dot) -> bool {
        self.peers.values().any(|peer| peer.synced.covers(dot))
    }

    /// Stages a write: joins it into what stands, under a new dot of this life.
    ///
    /// A write that changes nothing, because something greater stands or because its title would prune it
    /// at once, takes no dot.
    ///
    /// # Errors
    /// See [`WriteError`]; nothing is staged then.
    pub fn write(
        &mut self,
        key: &Key,
        stamp: Stamp,
        value: Arc<[u8]>,
        now: Now,
    ) -> Result<Merged, WriteError> {
        if self.broken && !planted(Bug::GoesOnAfterFailedCommit) {
            return Err(WriteError::LifeIsOver);
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(WriteError::ValueTooLong { bytes: value.len() });
        }
        let dot = Dot { origin: self.options.origin, version: self.clock.tick(now.wall) };
        let register = Register::seal(key, stamp, dot, value);
        let merged = self.stage.merge(&self.store, self.options.retain, key, &register)?;
        if merged == Merged::Changed {
            self.stage.log(dot, key);
            self.stage.advance(dot.origin, dot.version);
            self.stage.note(FLOOR_NOTE, dot.version.as_u64().to_be_bytes().to_vec());
            if planted(Bug::SentBeforeCommit) {
                self.vector.advance(dot.origin, dot.version);
            }
        }
        Ok(merged)
    }

    /// Makes everything staged durable, or nothing.
    ///
    /// # Errors
    /// After an error this life is over: what the store holds is unknown, and nothing more is written or
    /// sent under its origin. Reopen the store as a new life.
    pub fn commit(&mut self, durability: Durability, now: Now) -> Result<Committed, StoreError> {
        let batch = self.stage.take(&self.vector);
        if let Err(why) = Stage::commit(&mut self.store, &batch, durability) {
            self.broken = true;
            if planted(Bug::GoesOnAfterFailedCommit) {
                self.vector.merge(&batch.vector);
            }
            return Err(why);
        }
        self.vector.merge(&batch.vector);
        if durability == Durability::Synced {
            self.note_synced();
        }
        if !batch.vector.is_empty() {
            self.wake_feeds(now.mono);
        }
        Ok(Committed { registers: batch.registers.len() })
    }

    /// Makes everything committed survive a power cut, and lets the peers know.
    ///
    /// # Errors
    /// As for [`Replica::commit`].
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.store.sync().inspect_err(|_| self.broken = true)?;
        self.note_synced();
        Ok(())
    }

    fn note_synced(&mut self) {
        if self.synced != self.vector {
            self.synced = self.vector.clone();
            self.synced_untold = self.peers.keys().copied().collect();
        }
    }

    fn wake_feeds(&mut self, now: Monotonic) {
        let due = now.plus(self.options.linger);
        for feed in self.feeds.values_mut().filter(|feed| feed.wants(&self.vector)) {
            feed.due.get_or_insert(due);
        }
    }

    /// Takes note that a peer can be talked to.
    pub fn handle_peer_up(&mut self, peer: ReplicaId, origin: Origin, now: Now) {
        self.handle_peer_down(peer, now);
        self.peers.insert(peer, PeerView::new(origin));
        self.status_due.insert(peer);
        self.replan(now.mono);
    }

    /// Takes note that a peer cannot be talked to.
    pub fn handle_peer_down(&mut self, peer: ReplicaId, now: Now) {
        self.peers.remove(&peer);
        self.feeds.remove(&peer);
        self.intakes.remove(&peer);
        self.status_due.remove(&peer);
        self.synced_untold.remove(&peer);
        self.replan(now.mono);
    }

    /// Takes a message in; what it brings is staged, what it asks for is noted.
    ///
    /// # Errors
    /// A peer that misbehaves is to be cut off; nothing of the message is staged. A store that fails ends
    /// this life.
    pub fn handle_message(&mut self, from: ReplicaId, message: Message, now: Now) -> Result<(), HandleError> {
        if !self.peers.contains_key(&from) {
            return Ok(());
        }
        match message {
            Message::Status(status) => self.handle_status(from, status, now)?,
            Message::Subscribe(subscribe) => self.handle_subscribe(from, subscribe, now),
            Message::Part(part) => self.handle_part(from, &part, now)?,
            Message::Ack(ack) => self.handle_ack(from, &ack, now),
        }
        Ok(())
    }

    fn handle_status(&mut self, from: ReplicaId, status: Status, now: Now) -> Result<(), PeerMisbehaved> {
        let (theirs, ours) = (status.vector.upto(self.options.origin), self.vector.upto(self.options.origin));
        if theirs > ours {
            return Err(PeerMisbehaved::Forked { peer: from, theirs, ours });
        }
        let peer = self.peers.get_mut(&from).expect("messages of absent peers are dropped");
        peer.origin = status.origin;
        peer.vector = status.vector;
        peer.wall = Some(status.wall);
        self.replan(now.mono);
        Ok(())
    }

    fn handle_subscribe(&mut self, from: ReplicaId, subscribe: Subscribe, now: Now) {
        let stale = self.feeds.get(&from).is_some_and(|feed| feed.subscription() >= subscribe.subscription);
        if !stale {
            self.feeds.insert(from, Feed::open(subscribe, now.mono));
        }
    }

    fn handle_ack(&mut self, from: ReplicaId, ack: &Ack, now: Now) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.synced.merge(&ack.synced);
        }
        if let Some(feed) = self.feeds.get_mut(&from).filter(|it| it.subscription() == ack.subscription) {
            feed.acknowledge(ack.parts);
            if feed.wants(&self.vector) {
                feed.due.get_or_insert(now.mono);
            }
        }
    }

    fn handle_part(&mut self, from: ReplicaId, part: &Part, now: Now) -> Result<(), HandleError> {
        let Some(intake) = self.intakes.get_mut(&from) else {
            return Ok(());
        };
        let upto = self.stage.upto(&self.vector, part.delta.origin);
        match intake.judge(part, upto) {
            Verdict::Ignore => return Ok(()),
            Verdict::Gap => {
                intake.renew();
                return Ok(());
            }
            Verdict::Merge => {}
        }
        check_delta(&part.delta)?;
        intake.merged(part);
        self.plan.moved(part.delta.origin);
        self.merge_delta(&part.delta, now)?;
        Ok(())
    }

    /// Merges what stands at the feeder and logs every position that was answered for.
    fn merge_delta(&mut self, delta: &Delta, now: Now) -> Result<(), StoreError> {
        for item in &delta.items {
            let mut changed = item.stands.is_empty();
            for (slot, register) in &item.stands {
                let key = Key { title: item.key.title.clone(), slot: *slot };
                let register = relayed(&key, register);
                changed |=
                    self.stage.merge(&self.store, self.options.retain, &key, &register)? == Merged::Changed;
            }
            if changed || !planted(Bug::OnlyChangesLogged) {
                self.stage.log(Dot { origin: delta.origin, version: item.position }, &item.key);
            }
        }
        let first_part = delta.items.last().map(|item| item.position);
        let upto = if planted(Bug::VectorWithFirstPart) { delta.upto.or(first_part) } else { delta.upto };
        if let Some(upto) = upto {
            self.stage.advance(delta.origin, upto);
            if !planted(Bug::ClockNotMerged) {
                // A version beyond the drift bound is held all the same; only the clock stays.
                let _ = self.clock.observe(upto, now.wall);
            }
        }
        Ok(())
    }

    /// Does what time asks for: statuses, and a look at feeds that stand still.
    pub fn handle_timeout(&mut self, now: Now) {
        if now.mono < self.next_status {
            return;
        }
        self.next_status = now.mono.plus(STATUS_INTERVAL);
        self.status_due.extend(self.peers.keys());
        for source in self.plan.stalled(&self.peers, &self.vector, now.mono) {
            if let Some(intake) = self.intakes.get_mut(&source) {
                intake.renew();
            }
        }
        self.replan(now.mono);
    }

    fn replan(&mut self, now: Monotonic) {
        self.plan.decide(&self.peers, &self.vector, self.options.origin, now);
        for &peer in self.peers.keys() {
            let origins: BTreeSet<_> = self.plan.fed_by(peer).collect();
            if !origins.is_empty() || self.intakes.contains_key(&peer) {
                self.intakes.entry(peer).or_default().want(origins);
            }
        }
    }

    /// The next message to send, built from committed state; `None` when there is none for the moment.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn poll_transmit(&mut self, now: Now) -> Result<Option<Transmit>, StoreError> {
        debug_assert!(self.stage.is_empty() || planted(Bug::SentBeforeCommit), "commit comes before sending");
        if self.broken && !planted(Bug::GoesOnAfterFailedCommit) {
            return Ok(None);
        }
        if let Some(transmit) =
            self.poll_status(now).or_else(|| self.poll_ack()).or_else(|| self.poll_subscribe())
        {
            return Ok(Some(transmit));
        }
        self.poll_part(now.mono)
    }

    fn poll_status(&mut self, now: Now) -> Option<Transmit> {
        let to = self.status_due.pop_first()?;
        let status = Status { origin: self.options.origin, vector: self.vector.clone(), wall: now.wall };
        Some(Transmit { to, message: Message::Status(status) })
    }

    fn poll_ack(&mut self) -> Option<Transmit> {
        let synced = if planted(Bug::UnsyncedClaimed) { &self.vector } else { &self.synced };
        self.intakes.iter_mut().find_map(|(&to, intake)| {
            let anyway = self.synced_untold.remove(&to);
            let (subscription, parts) = intake.acknowledge(anyway)?;
            let ack = Ack { subscription, parts, synced: synced.clone() };
            Some(Transmit { to, message: Message::Ack(ack) })
        })
    }

    fn poll_subscribe(&mut self) -> Option<Transmit> {
        let next = self.subscriptions + 1;
        let (to, subscribe) = self.intakes.iter_mut().find_map(|(&to, intake)| {
            let subscribe = intake.subscribe(next, &self.vector)?;
            Some((to, subscribe))
        })?;
        self.subscriptions = next;
        Some(Transmit { to, message: Message::Subscribe(subscribe) })
    }

    fn poll_part(&mut self, now: Monotonic) -> Result<Option<Transmit>, StoreError> {
        for (&to, feed) in &mut self.feeds {
            if feed.due.is_none_or(|due| due > now) {
                continue;
            }
            if let Some(built) = feed.build(&self.store, &self.vector)? {
                for dot in built.stale {
                    self.stage.drop_stale(dot);
                }
                return Ok(Some(Transmit { to, message: Message::Part(built.part) }));
            }
            feed.due = None;
        }
        Ok(None)
    }

    /// When [`Replica::handle_timeout`] or [`Replica::poll_transmit`] will next have something to do.
    pub fn poll_timeout(&self) -> Monotonic {
        let due = self.feeds.values().filter_map(|feed| feed.due);
        due.fold(self.next_status, Monotonic::min)
    }
}

impl<S> fmt::Debug for Replica<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { id, origin, .. } = self.options;
        f.debug_struct("Replica").field("id", &id).field("origin", &origin).finish_non_exhaustive()
    }
}

fn check_delta(delta: &Delta) -> Result<(), PeerMisbehaved> {
    let origin = delta.origin;
    if let Some(upto) = delta.upto.filter(|&upto| upto < delta.after) {
        return Err(PeerMisbehaved::SpanReversed { origin, after: delta.after, upto });
    }
    for item in &delta.items {
        let sound = |(slot, register): &(Slot, Register)| {
            register.is_sound(&Key { title: item.key.title.clone(), slot: *slot })
        };
        if !item.stands.iter().all(sound) && !planted(Bug::RotMerged) {
            return Err(PeerMisbehaved::Rotten { origin, position: item.position });
        }
    }
    Ok(())
}

/// A register as it is passed on: unchanged, unless a bug is planted.
fn relayed(key: &Key, register: &Register) -> Register {
    if planted(Bug::UnknownStripped) && register.value.len() > 1 {
        let known: Arc<[u8]> = register.value[..register.value.len() - 1].into();
        return Register::seal(key, register.stamp, register.dot, known);
    }
    register.clone()
}

/// Says why a write was not staged.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The caller's fault.
    #[error("a value of {bytes} bytes is beyond the greatest of {VALUE_BYTES_MAX}")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A commit has failed before; the store must be reopened as a new life.
    #[error("a commit has failed, and what the store holds is unknown")]
    LifeIsOver,
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says why a message was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The peer's fault: close its link.
    #[error(transparent)]
    Peer(#[from] PeerMisbehaved),
    /// The machine's fault: this life is over.
    #[error(transparent)]
    Store(#[from] StoreError),
}
