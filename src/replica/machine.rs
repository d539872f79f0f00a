//! The state machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::{
    Message, PeerView,
    audit::Audit,
    early::{EARLY_NOTE, Early},
    feed::Feed,
    intake::Intake,
    plan::Plan,
    readiness::{Beginning, CAUGHT_UP, CAUGHT_UP_NOTE, CatchUp, Readiness},
    stage::Stage,
};
use crate::{
    crdt::{
        Dot, HybridClock, Key, Merged, Monotonic, Now, Origin, Region, Register, ReplicaId, Slot, Stamp,
        Timestamp, VALUE_BYTES_MAX, VersionVector, WallTime,
    },
    store::{Durability, Store, StoreError},
    zoo::{Bug, planted},
};

/// The note under which the greatest version given is kept, so that the next life starts above it.
const FLOOR_NOTE: &str = "clock-floor";

/// Says which slots of a title go: from the slots and stamps of all its registers, and the fence of its
/// profile.
pub type Leaving = fn(&[(Slot, Stamp)], Option<Stamp>) -> Vec<Slot>;

/// What a replica must be told about the meaning of titles: which registers a title keeps.
///
/// Both functions are pure and the same at every replica; pruning is a part of the merge.
#[derive(Clone, Copy)]
pub struct Retain {
    /// Of all the registers of a title, and under the fence of its profile, the slots that go. It reads
    /// keys and stamps, never values.
    pub leaving: Leaving,
    /// Where a fence stands: in a title it makes others of that title go, in a profile's scope others of
    /// the whole profile.
    pub fence: Slot,
}

impl fmt::Debug for Retain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retain")
    }
}

/// How long small commits are gathered before they are sent. More saves frames, less saves time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linger {
    /// Inside the region, where time is dear: 2 ms is good.
    pub near: Duration,
    /// To other regions, where bytes are: 25 ms is good, a fraction of the shortest path.
    pub across: Duration,
}

impl Linger {
    /// Sends at once what is committed.
    pub const NONE: Self = Self { near: Duration::ZERO, across: Duration::ZERO };
}

/// Makes a replica what it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names it; kept with its store.
    pub id: ReplicaId,
    /// Where it stands: writes of another region come into this one once.
    pub region: Region,
    /// Names its present life; drawn at random at each start, never used twice.
    pub origin: Origin,
    /// Which registers a title keeps.
    pub retain: Retain,
    /// How long small commits are gathered before they are sent.
    pub linger: Linger,
    /// In what way this life begins.
    pub beginning: Beginning,
    /// How long a replica that has been caught up before looks for a peer that is, before it serves what it
    /// has; [`ALONE_AFTER`](super::ALONE_AFTER) is good.
    pub alone_after: Duration,
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
    pub(super) options: Options,
    pub(super) store: S,
    pub(super) clock: HybridClock,
    // Invariant: equal to the store's vector; what is staged is not in it.
    pub(super) vector: VersionVector,
    /// The vector as of the last sync, and whether the peers have been told.
    pub(super) synced: VersionVector,
    pub(super) synced_untold: BTreeSet<ReplicaId>,
    /// Who has not been told all of it; they are in their turn, and before that of what they feed and of their own.
    pub(super) synced_behind: BTreeSet<ReplicaId>,
    /// Whose turn it is.
    pub(super) synced_whole: BTreeSet<ReplicaId>,
    pub(super) stage: Stage,
    pub(super) peers: BTreeMap<ReplicaId, PeerView>,
    pub(super) feeds: BTreeMap<ReplicaId, Feed>,
    pub(super) intakes: BTreeMap<ReplicaId, Intake>,
    pub(super) plan: Plan,
    pub(super) early: Early,
    pub(super) catch_up: CatchUp,
    pub(super) audit: Audit,
    /// Origins whose early registers enter again with the next commit.
    pub(super) orphans: BTreeSet<Origin>,
    pub(super) subscriptions: u64,
    pub(super) status_due: BTreeSet<ReplicaId>,
    pub(super) next_status: Monotonic,
    /// Counts the rounds of statuses: whose turn it is in each other region.
    pub(super) statuses_told: usize,
    /// A commit has failed: what the store holds is unknown, and this life is over.
    pub(super) broken: bool,
}

impl<S: Store> Replica<S> {
    /// Starts a life on a store.
    ///
    /// The store is synced first: an earlier life may have ended with a tail that the system had not
    /// written back, and peers are told of what this one holds as synced. Versions start above every
    /// version that the store holds, as far as the drift bound allows.
    ///
    /// # Errors
    /// The store may not be readable, or cannot be synced.
    pub fn open(options: Options, mut store: S, now: Now) -> Result<Self, StoreError> {
        if !planted(Bug::UnsyncedAtOpen) {
            store.sync()?;
        }
        let vector = store.vector()?;
        let early = store.note(EARLY_NOTE)?.filter(|_| !planted(Bug::EarlyUnnoted));
        let early = early.map(|note| Early::from_note(&note)).unwrap_or_default();
        let floor = store.note(FLOOR_NOTE)?.and_then(|note| Some(u64::from_be_bytes(note.try_into().ok()?)));
        let floor = if planted(Bug::FloorNotKept) { 0 } else { floor.unwrap_or_default() };
        let catch_up = CatchUp::begin(options.beginning, options.alone_after, &store, now.mono)?;
        let mut clock = HybridClock::above(Timestamp::from_u64(floor));
        if !planted(Bug::ClockNotMerged) {
            for (_, &version) in &vector {
                let _ = clock.observe(version, now.wall);
            }
        }
        Ok(Self {
            options,
            store,
            clock,
            synced: vector.clone(),
            vector,
            synced_untold: BTreeSet::new(),
            synced_behind: BTreeSet::new(),
            synced_whole: BTreeSet::new(),
            stage: Stage::default(),
            peers: BTreeMap::new(),
            feeds: BTreeMap::new(),
            intakes: BTreeMap::new(),
            plan: Plan::default(),
            early,
            catch_up,
            audit: Audit::default(),
            orphans: BTreeSet::new(),
            subscriptions: now.wall.as_ms(),
            status_due: BTreeSet::new(),
            next_status: now.mono,
            statuses_told: 0,
            broken: false,
        })
    }

    /// Names it.
    pub fn id(&self) -> ReplicaId {
        self.options.id
    }

    /// Where it stands.
    pub fn region(&self) -> &Region {
        &self.options.region
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

    /// The greatest version that its clock has given or observed; after a write that changed something,
    /// the version of that write.
    pub fn clock(&self) -> Timestamp {
        self.clock.last()
    }

    /// Its store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Its store, for faults that a test puts into it.
    #[cfg(any(test, feature = "zoo"))]
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Gives its store back, with whatever was staged forgotten.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The peers that are up.
    pub fn peers(&self) -> &BTreeMap<ReplicaId, PeerView> {
        &self.peers
    }

    /// Whether it knows enough to answer; if not, reads and writes are to be turned away.
    pub fn readiness(&self) -> Readiness {
        self.catch_up.readiness()
    }

    /// Who feeds it an origin, by its present plan.
    pub fn source(&self, origin: Origin) -> Option<ReplicaId> {
        self.plan.source(origin)
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
    /// A write that changes nothing, because the same or something greater stands or because its title would
    /// prune it at once, takes no dot.
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
        let dot = self.next_dot(now.wall);
        let register = Register::seal(key, stamp, dot, value);
        let merged = self.stage.write(&self.store, self.options.retain, key, &register)?;
        if merged == Merged::Changed {
            self.log_own(dot, key);
            if planted(Bug::SentBeforeCommit) {
                self.vector.advance(dot.origin, dot.version);
            }
        }
        Ok(merged)
    }

    fn check_life(&self) -> Result<(), StoreError> {
        if self.broken && !planted(Bug::GoesOnAfterFailedCommit) {
            return Err(StoreError::Io("a commit has failed before, and this life is over".into()));
        }
        Ok(())
    }

    pub(super) fn next_dot(&mut self, wall: WallTime) -> Dot {
        Dot { origin: self.options.origin, version: self.clock.tick(wall) }
    }

    pub(super) fn log_own(&mut self, dot: Dot, key: &Key) {
        self.stage.log(dot, key);
        self.stage.advance(dot.origin, dot.version);
        self.stage.note(FLOOR_NOTE, dot.version.as_u64().to_be_bytes().to_vec());
    }

    /// Makes everything staged durable, or nothing.
    ///
    /// # Errors
    /// After an error this life is over: what the store holds is unknown, and nothing more is written or
    /// sent under its origin. Reopen the store as a new life.
    pub fn commit(&mut self, durability: Durability, now: Now) -> Result<Committed, StoreError> {
        self.check_life()?;
        self.settle_early(now)?;
        let mut batch = self.stage.take(&self.vector);
        let ends_catch_up = self.ends_catch_up(&batch.vector, now);
        let durability = if ends_catch_up {
            batch.notes.insert(CAUGHT_UP_NOTE.into(), CAUGHT_UP.into());
            durability.max(self.catch_up.durability_of_note())
        } else {
            durability
        };
        let recount = self.recount(&batch)?;
        if let Err(why) = Stage::commit(&mut self.store, &batch, durability) {
            self.broken = true;
            if planted(Bug::GoesOnAfterFailedCommit) {
                self.vector.merge(&batch.vector);
            }
            return Err(why);
        }
        self.vector.merge(&batch.vector);
        self.audit.follow(recount);
        if durability == Durability::Synced {
            self.note_synced();
        }
        if ends_catch_up {
            self.catch_up.noted();
            self.status_due.extend(self.peers.keys());
            self.replan(now.mono);
        }
        if !batch.vector.is_empty() {
            self.wake_feeds(now.mono);
        }
        Ok(Committed { registers: batch.registers.len() })
    }

    /// Whether the replica is caught up with what is about to be committed, and that is to be noted.
    fn ends_catch_up(&self, staged: &VersionVector, now: Now) -> bool {
        let covers = |target: &VersionVector| {
            target.iter().all(|(&origin, &upto)| upto <= self.vector.upto(origin).max(staged.upto(origin)))
        };
        self.catch_up.is_to_be_noted(covers, now.mono)
    }

    /// Makes everything committed survive a power cut, and lets the peers know.
    ///
    /// # Errors
    /// As for [`Replica::commit`].
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.check_life()?;
        self.store.sync().inspect_err(|_| self.broken = true)?;
        self.note_synced();
        Ok(())
    }

    fn note_synced(&mut self) {
        self.synced_upto(&self.vector.clone());
    }

    /// Takes note that what `upto` covers would survive a power cut: that was committed before the device was
    /// asked to keep it, beside the turns that went on.
    pub fn synced_upto(&mut self, upto: &VersionVector) {
        let before = self.synced.clone();
        self.synced.merge(upto);
        if self.synced != before {
            self.synced_behind.extend(self.peers.keys());
            let is_due = |(_, view): &(&ReplicaId, &PeerView)| view.is_near(&self.options.region);
            let near = self.peers.iter().filter(is_due).map(|(&peer, _)| peer);
            let feeders = self.intakes.iter().filter(|(_, intake)| intake.is_fed()).map(|(&peer, _)| peer);
            self.synced_untold.extend(near.chain(feeders));
        }
    }

    fn wake_feeds(&mut self, now: Monotonic) {
        let Linger { near, across } = self.options.linger;
        let is_near = |peer| self.peers.get(peer).is_some_and(|view| view.is_near(&self.options.region));
        for (peer, feed) in self.feeds.iter_mut().filter(|(_, feed)| feed.wants(&self.vector)) {
            feed.due.get_or_insert(now.plus(if is_near(peer) { near } else { across }));
        }
    }
}

impl<S> fmt::Debug for Replica<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { id, origin, .. } = &self.options;
        f.debug_struct("Replica").field("id", &id).field("origin", &origin).finish_non_exhaustive()
    }
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
