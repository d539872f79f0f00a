//! What the outer rooms hold of a node.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot, watch},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    crdt::{
        ContentId, Dot, Key, Monotonic, Now, Origin, ProfileId, Register, ReplicaId, Span, Timestamp,
        TitleId, VALUE_BYTES_MAX, VersionVector,
    },
    membership::Members,
    node::{
        Assurance, Backup, Clock, ClusterTag, Confirmed, Counters, Cursor, Found, PeerView, Snapshot,
        Subscription, Written, backup,
        inbox::{Command, INBOX_LOOKS_MAX, INBOX_WRITES_MAX, Look, Order},
        members,
        pen::Inbox,
        pulse::{Pulse, Stall},
        readiness::Board,
        room::RoomBoard,
        seats::Seats,
        synchrony::OffBoard,
    },
    playback::{
        Scope, SessionId, Title, Write,
        slot::{FENCE, SETTINGS},
    },
    replica::{Readiness, Sum},
    store::{Read, RocksReader, RocksStore, StoreError, Warm, WholeTitle},
    transport::{NodeName, Transport},
    within::within,
};

/// How long a writer waits for its turn: far beyond a slow sync. Whoever waits longer is told *unknown*.
pub const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// How long a reader waits for a write that another node has acknowledged (R15).
pub const COVERED_WITHIN: Duration = Duration::from_secs(2);

/// A node, as seen by whoever serves players: cheap to clone.
///
/// Writes go through the driver's inbox. Reads go straight to the store's committed state, on the
/// caller's own thread: a title is a few hundred contiguous registers at most, so that a read costs
/// nothing where the title is [warm](Warm), and one device access at worst.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: NodeName,
    pub(super) replica: ReplicaId,
    pub(super) origin: Origin,
    pub(super) clock: Clock,
    pub(super) reader: Warm<RocksReader>,
    pub(super) inbox: Inbox<Warm<RocksStore>>,
    pub(super) writes: Arc<Semaphore>,
    pub(super) looks: Arc<Semaphore>,
    pub(super) vector: watch::Receiver<VersionVector>,
    pub(super) seats: Arc<Seats>,
    pub(super) counters: Arc<Counters>,
    pub(super) readiness: Board,
    pub(super) clock_off: OffBoard,
    pub(super) pulses: [Arc<Pulse>; 2],
    pub(super) room: RoomBoard,
    pub(super) leaving: AtomicBool,
    /// Taken out when the node leaves.
    pub(super) transport: Mutex<Option<Transport>>,
    pub(super) members: Option<watch::Receiver<Members>>,
}

/// How full the driver's inbox is, in writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InboxLevel {
    /// How many wait.
    pub len: usize,
    /// How many may.
    pub max: usize,
}

impl Handle {
    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.shared.name
    }

    /// The replica that the node holds.
    pub fn replica(&self) -> ReplicaId {
        self.shared.replica
    }

    /// The replica's present life.
    pub fn origin(&self) -> Origin {
        self.shared.origin
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        self.shared.clock.now()
    }

    /// How long the life has lasted.
    pub fn uptime(&self) -> Duration {
        self.now().mono.since(Monotonic::default())
    }

    /// How often a register was met that fails its check.
    pub fn rotten(&self) -> u64 {
        self.shared.reader.cold().rotten()
    }

    /// What is kept on disk and not yet written there, in bytes; `None` where the store cannot say.
    pub fn storage_bytes(&self) -> Option<u64> {
        self.shared.reader.cold().bytes()
    }

    /// What is counted.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Says whether requests are taken: the driver lives, and nobody has asked the node to leave.
    pub fn is_ready(&self) -> bool {
        !self.shared.leaving.load(Ordering::Relaxed) && !self.shared.inbox.is_closed()
    }

    /// Whether the replica knows enough to answer; if not, readers and writers are to be told so.
    pub fn readiness(&self) -> Readiness {
        self.shared.readiness.read()
    }

    /// By how many milliseconds this node's clock is off, where its peers agree that it is: above 0 where it is ahead. Such
    /// a node is to take no writes.
    pub fn clock_off_ms(&self) -> Option<i64> {
        self.shared.clock_off.read()
    }

    /// What the driver has been at for too long, if it stands still.
    pub fn stall(&self) -> Option<Stall> {
        let now = self.now().mono;
        self.shared.pulses.iter().find_map(|pulse| pulse.stall(now))
    }

    /// Whether the disk is full but for the reserve; then nothing is to be written but erasures.
    pub fn disk_is_full(&self) -> bool {
        self.shared.room.is_full()
    }

    /// Takes no more requests from here on; those in hand go on, and whoever follows changes is sent away.
    pub fn stop_taking(&self) {
        self.shared.leaving.store(true, Ordering::Relaxed);
        self.shared.seats.close();
    }

    /// Writes all of `writes` in one turn, and waits until they have survived what `assurance` names.
    ///
    /// A full inbox turns the whole of them away at once; it is decided here and nowhere else. A wait for
    /// a peer that takes too long ends with a lesser assurance, not with an error.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write(&self, writes: Vec<Write>, assurance: Assurance) -> Result<Written, WriteError> {
        if writes.is_empty() {
            return Ok(Written { outcomes: Vec::new(), assurance: Assurance::Process });
        }
        if let Some(long) = writes.iter().find(|write| write.value.len() > VALUE_BYTES_MAX) {
            return Err(WriteError::ValueTooLong { bytes: long.value.len() });
        }
        let count = u32::try_from(writes.len()).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.shared.writes).try_acquire_many_owned(count) else {
            self.shared.counters.turned_away.add_len(writes.len());
            return Err(WriteError::Full);
        };
        let (reply, answer) = oneshot::channel();
        let order = Order { writes, assurance, reply, permit };
        let posted = self.shared.inbox.post(Command::Write(order)).map_err(|_| WriteError::Leaving)?;
        if assurance.waits_for_the_device() {
            drop(posted);
        } else {
            posted.see_to().await;
        }
        within(WRITTEN_WITHIN, answer).await.and_then(Result::ok).ok_or(WriteError::Unknown)
    }

    /// A title as it stands, from committed state.
    ///
    /// Its profile is a second look. A fence that comes between the two takes out what it erases in the
    /// same commit, so either order of looking gives a state that was, or is one fence ahead.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn title(&self, title: &TitleId) -> Result<Title, ReadError> {
        self.title_in(title, &self.scope(&title.profile)?)
    }

    /// A title as it stands, where its profile has been read before.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn title_in(&self, title: &TitleId, scope: &Scope) -> Result<Title, ReadError> {
        Ok(Title { registers: self.shared.reader.title(title)?, scope: scope.clone() })
    }

    /// What a profile says of all its titles, from committed state.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn scope(&self, profile: &ProfileId) -> Result<Scope, ReadError> {
        let standing = self.shared.reader.title(&profile.scope())?;
        let [fence, settings] = [FENCE, SETTINGS]
            .map(|wanted| standing.iter().find_map(|(slot, it)| (*slot == wanted).then_some(it)));
        Ok(Scope::of(fence).settled(settings))
    }

    /// What stands in a shard, as the disk has it; on a thread that may wait for that.
    ///
    /// # Errors
    /// The store may not be readable.
    ///
    /// # Panics
    /// Where the reading does.
    pub async fn shard(&self, shard: u16) -> Result<Vec<(Key, Register)>, ReadError> {
        let reader = self.shared.reader.clone();
        let read = spawn_blocking(move || reader.shards(shard..shard + 1));
        Ok(read.await.expect("reading does not panic")?)
    }

    /// What that comes to.
    ///
    /// # Errors
    /// The store may not be readable.
    pub async fn shard_sum(&self, shard: u16) -> Result<Sum, ReadError> {
        let registers = self.shard(shard).await?;
        Ok(Sum::of_all(registers.iter().map(|(_, register)| register)))
    }

    /// Begins a backup in a directory, on a thread of its own; what is given says how far it is.
    pub fn back_up(&self, home: &Path) -> Arc<Backup> {
        let name = &self.shared.name;
        let of = backup::Source {
            node: name.name().to_owned(),
            region: name.region().to_string(),
            cluster: name.cluster().to_owned(),
            replica: self.shared.replica.to_string(),
            now_ms: self.now().wall.as_ms(),
        };
        let backup = Arc::new(Backup::new(home, &of));
        let (making, reader) = (Arc::clone(&backup), self.shared.reader.cold().clone());
        spawn_blocking(move || making.make(&reader, of));
        backup
    }

    /// The first titles of a profile in the order of contents, from the one that follows `after`.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, ReadError> {
        Ok(self.shared.reader.titles(profile, after, limit)?)
    }

    /// The same titles as they stand, where their profile has been read before.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn whole_titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
        scope: &Scope,
    ) -> Result<Vec<(TitleId, Title)>, ReadError> {
        let whole = self.shared.reader.whole_titles(profile, after, limit)?.into_iter();
        let title = |it: WholeTitle| (it.title, Title { registers: it.registers, scope: scope.clone() });
        Ok(whole.map(title).collect())
    }

    /// One register, from the committed state.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn register(&self, key: &Key) -> Result<Option<Register>, ReadError> {
        Ok(self.shared.reader.register(key)?)
    }

    /// The vector of the committed state, told after every commit that moves it.
    pub fn commits(&self) -> watch::Receiver<VersionVector> {
        self.shared.vector.clone()
    }

    /// Waits until the committed state covers a write, and says whether it does.
    pub async fn covers(&self, dot: Dot) -> bool {
        let mut vector = self.shared.vector.clone();
        let covered = vector.wait_for(|vector| vector.covers(dot));
        matches!(timeout(COVERED_WITHIN, covered).await, Ok(Ok(_)))
    }

    /// Follows the changes of a profile from here on, except what `session` writes.
    pub fn follow(&self, profile: ProfileId, session: Option<SessionId>) -> Subscription {
        Seats::join(&self.shared.seats, profile, session)
    }

    /// The vector of the committed state.
    pub fn vector(&self) -> VersionVector {
        self.shared.vector.borrow().clone()
    }

    /// Makes the cursor of somebody who has been told all that a vector covers.
    pub fn cursor(&self, told: &VersionVector, marks: impl IntoIterator<Item = u64>) -> Cursor {
        Cursor::new(self.cluster_tag(), told, marks)
    }

    /// Finds where somebody is, and waits for what it has been told and is not known here yet; a bounded time.
    pub async fn find(&self, cursor: &Cursor) -> Found {
        let find = |vector: &VersionVector| cursor.find(self.cluster_tag(), vector);
        let mut vector = self.shared.vector.clone();
        let covered = vector.wait_for(|vector| matches!(find(vector), Found::Covered(_)));
        // Where it does not come in time, what is known by then is the answer.
        let _ = timeout(COVERED_WITHIN, covered).await;
        find(&self.vector())
    }

    fn cluster_tag(&self) -> ClusterTag {
        ClusterTag::of(self.shared.name.cluster())
    }

    /// The first `limit` changes inside a span, from committed state.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, ReadError> {
        Ok(self.shared.reader.changes(span, limit)?)
    }

    /// How the node stands, after a turn of its own.
    ///
    /// # Errors
    /// [`WriteError::Full`] where too many ask at once, and [`WriteError::Leaving`] where nobody answers.
    pub async fn look(&self) -> Result<Snapshot, WriteError> {
        let origins = self.ask(Look::Origins).await?;
        let members = self.shared.members.as_ref().map(|it| members::views(&it.borrow())).unwrap_or_default();
        Ok(Snapshot { name: (&self.shared.name).into(), origins, peers: self.peers(), members })
    }

    /// Who holds a write where a power cut cannot take it.
    ///
    /// # Errors
    /// As for [`Handle::look`].
    pub async fn confirmed(&self, dot: Dot) -> Result<Confirmed, WriteError> {
        let synced = self.ask(|reply| Look::Synced(dot, reply)).await?;
        Ok(synced.confirmed((&self.shared.name).into(), self.peers()))
    }

    async fn ask<T>(&self, look: impl FnOnce(oneshot::Sender<T>) -> Look) -> Result<T, WriteError> {
        let permit = Arc::clone(&self.shared.looks).try_acquire_owned().map_err(|_| WriteError::Full)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Look(look(reply), permit);
        drop(self.shared.inbox.post(command).map_err(|_| WriteError::Leaving)?);
        let answer = timeout(WRITTEN_WITHIN, answer).await.map_err(|_| WriteError::Leaving)?;
        answer.map_err(|_| WriteError::Leaving)
    }

    fn peers(&self) -> Vec<PeerView> {
        let transport = self.shared.transport.lock().unwrap_or_else(PoisonError::into_inner);
        let peers = transport.as_ref().map(Transport::status).unwrap_or_default();
        peers.into_iter().map(Into::into).collect()
    }

    /// How full the driver's inbox is.
    pub fn inbox(&self) -> InboxLevel {
        let max = INBOX_WRITES_MAX;
        InboxLevel { len: max - self.shared.writes.available_permits(), max }
    }
}

/// Makes the two bounds of an inbox.
pub(super) fn inbox_bounds() -> (Arc<Semaphore>, Arc<Semaphore>) {
    (Arc::new(Semaphore::new(INBOX_WRITES_MAX)), Arc::new(Semaphore::new(INBOX_LOOKS_MAX)))
}

/// The store cannot be read: the machine's fault, and nothing has changed. Another node may know.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(#[from] StoreError);

impl ReadError {
    /// The error that a store gives whose device has failed.
    pub fn failed(why: impl Into<String>) -> Self {
        Self(StoreError::Io(why.into()))
    }
}

/// Says why a write has no acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WriteError {
    /// Too much is waiting; nothing was written, and the same is worth sending again after a pause.
    #[error("the inbox is full at {INBOX_WRITES_MAX} writes")]
    Full,
    /// The node leaves or its store has failed; nothing was written. Another node takes it.
    #[error("this node takes no more writes")]
    Leaving,
    /// The store failed or was too slow: whether it stands is unknown. The same may be sent again, to any
    /// node.
    #[error("the write may or may not stand; send the same again, to any node")]
    Unknown,
    /// The caller's fault.
    #[error("a value of {bytes} bytes is beyond the greatest of {VALUE_BYTES_MAX}")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
}
