//! A node: one replica, its disk and its clock, and the driver's turn.
//!
//! ```text
//! drain the inbox → stage → one commit → answer → send
//! ```

mod door;
mod turn;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use playmark::{
    crdt::{Dot, Monotonic, Now, Origin, Region, ReplicaId, Timestamp},
    playback::{self, retain_title, slot::FENCE},
    replica::{Beginning, Linger, Options, Replica, Retain},
    store::{Durability, FailedCommit, Read},
};

use self::turn::Turn;
use crate::{
    disk::Disk,
    invariants::{
        Violation, Watch,
        acknowledged::{Promise, Promises},
        clock_bounds::Told,
        index_whole, no_holes,
        readiness::{self, Begun},
    },
    ledger::{Ledger, Line},
    network::Connection,
    request::{Answer, Request},
    time::{Moment, WallClock},
};

/// Under what note a replica keeps that it has been caught up.
const CAUGHT_UP_NOTE: &str = "caught-up";

/// A machine: what survives its process, and the process if it runs.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) id: ReplicaId,
    pub(crate) region: Region,
    pub(crate) disk: Disk,
    pub(crate) clock: WallClock,
    pub(crate) promises: Promises,
    /// The lives on the present disk, and the greatest version that each gave and did not lose. What it
    /// learnt again from others after a loss does not count: no clock could know of it.
    lives: Vec<(Origin, Timestamp)>,
    /// Whether a life on the present disk has been caught up.
    pub(crate) has_answered: bool,
    backup: Option<Backup>,
    /// Until when its process takes no turns.
    pub(crate) stalled_until: Moment,
    pub(crate) life: Option<Life>,
    watch: Watch,
}

/// What a backup brings back.
#[derive(Debug)]
struct Backup {
    disk: Disk,
    lives: Vec<(Origin, Timestamp)>,
    has_answered: bool,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) replica: Replica<Disk>,
    pub(crate) inbox: VecDeque<Input>,
    /// The connection to each peer that is up.
    pub(crate) connections: BTreeMap<ReplicaId, Connection>,
    /// Which turn event counts; earlier ones are void.
    pub(crate) next_turn: Option<Moment>,
    pub(crate) started: Moment,
    pub(crate) begun: Begun,
    /// Whether it was found to be caught up after a turn.
    pub(crate) answers: bool,
    last_sync: Moment,
    told: Told,
    floor: Timestamp,
    waiting: Vec<Waiting>,
}

/// What was asked, and waits until all of the turn has come in.
#[derive(Debug)]
struct Ordered {
    writes: Vec<playback::Write>,
    promise: Promise,
    answer: Answer,
}

/// What was asked, staged, and waits for its commit.
#[derive(Debug)]
struct Written {
    lines: Vec<Line>,
    promise: Promise,
    answer: Answer,
}

/// What waits for another machine's sync.
#[derive(Debug)]
struct Waiting {
    written: Written,
    /// What stands in the places written; `None` where that was pruned.
    dots: Vec<Option<Dot>>,
    until: Moment,
}

/// What comes to a node.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Up { peer: ReplicaId, origin: Origin, region: Region, connection: Connection },
    Down { peer: ReplicaId, connection: Connection },
    Frame { from: ReplicaId, connection: Connection, bytes: Vec<u8>, rot: bool },
    Request(Request),
}

/// What chance has in store for a turn.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Fate {
    pub(crate) crash: Option<CrashPoint>,
    pub(crate) failure: Option<FailedCommit>,
    pub(crate) sync_fails: bool,
    /// How many messages the turn may send before it goes on to the next one.
    pub(crate) transmits_max: usize,
    /// How long what is committed may stay unsynced.
    pub(crate) sync_every: Duration,
}

/// Before what in its turn a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CrashPoint {
    Commit,
    Answers,
    Transmits,
}

/// What a turn did to the outside.
#[derive(Default, Debug)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<(ReplicaId, Connection, Vec<u8>)>,
    pub(crate) answers: Vec<Answer>,
    /// Peers whose links are to be closed.
    pub(crate) closed: Vec<(ReplicaId, Connection)>,
    /// Whether its commit was made.
    pub(crate) committed: bool,
    /// The process is over: crashed, or its store failed.
    pub(crate) over: bool,
    /// When the next turn is due by the replica's own timers.
    pub(crate) next_turn: Option<Moment>,
    /// Whether something went out that is more than a status or an acknowledgement.
    pub(crate) busy: bool,
}

impl Node {
    pub(crate) fn new(index: usize, id: ReplicaId, region: Region, clock: WallClock, watch: Watch) -> Self {
        let (disk, promises) = (Disk::default(), Promises::default());
        Self {
            index,
            id,
            region,
            disk,
            clock,
            promises,
            lives: Vec::new(),
            has_answered: false,
            backup: None,
            stalled_until: Moment::default(),
            life: None,
            watch,
        }
    }

    /// Starts a process on the disk.
    pub(crate) fn boot(
        &mut self,
        origin: Origin,
        linger: Linger,
        (beginning, alone_after): (Beginning, Duration),
        at: Moment,
    ) -> Result<(), Violation> {
        let retain = Retain { leaving: retain_title, fence: FENCE };
        let (id, region) = (self.id, self.region.clone());
        let options = Options { id, region, origin, retain, linger, beginning, alone_after };
        let known = self.disk.note(CAUGHT_UP_NOTE).expect("memory can be read").is_some();
        let begun = Begun { beginning, known, has_answered: self.has_answered };
        let now = Now { wall: self.clock.read(at), mono: Monotonic::default() };
        let vector = self.disk.platter().vector();
        let floor = self.lives.iter().map(|&(_, given)| given).max().unwrap_or_default();
        let mut told = Told::beginning(floor, now.wall);
        for (_, &version) in &vector {
            told.observe(version, now.wall);
        }
        self.lives.push((origin, Timestamp::ZERO));
        let replica = Replica::open(options, self.disk.clone(), now).expect("memory can be read");
        readiness::begins(begun, replica.readiness())?;
        let replica_answers = replica.readiness().is_caught_up();
        self.life = Some(Life {
            replica,
            inbox: VecDeque::new(),
            connections: BTreeMap::new(),
            next_turn: None,
            started: at,
            begun,
            answers: replica_answers,
            last_sync: at,
            told,
            floor,
            waiting: Vec::new(),
        });
        Ok(())
    }

    /// How many comparisons of its present life had something to compare and found it equal.
    pub(crate) fn compared(&self) -> u64 {
        self.life.as_ref().map_or(0, |life| life.replica.findings().equal)
    }

    /// The driver's turn.
    pub(crate) fn turn(&mut self, at: Moment, fate: Fate, ledger: &mut Ledger) -> Result<Outcome, Violation> {
        let Some(life) = &mut self.life else {
            return Ok(Outcome::default());
        };
        let now = Now { wall: self.clock.read(at), mono: Monotonic::since_start(at.since(life.started)) };
        let mut turn = Turn {
            life,
            disk: &self.disk,
            promises: &mut self.promises,
            given: &mut self.lives.last_mut().expect("a life was entered").1,
            ledger,
            watch: self.watch,
            at,
            now,
            ordered: Vec::new(),
            written: Vec::new(),
            asked: Vec::new(),
            staged: Vec::new(),
            durability: Durability::Process,
            outcome: Outcome::default(),
        };
        turn.run(fate)?;
        Ok(turn.outcome)
    }

    /// Cuts the power: the process ends, and of what is unsynced the first `keep` batches stay.
    pub(crate) fn cut_power(&mut self, keep: usize, ledger: &Ledger) -> Result<usize, Violation> {
        self.life = None;
        let lost = self.disk.cut_power(keep);
        self.promises.power_cut(&self.disk.platter())?;
        self.look_at_disk(ledger)?;
        Ok(lost)
    }

    /// Copies the disk, whatever is unsynced on it included.
    pub(crate) fn back_up(&mut self) {
        let (disk, lives) = (self.disk.copy(), self.lives.clone());
        self.backup = Some(Backup { disk, lives, has_answered: self.has_answered });
    }

    /// Puts the backup in the disk's place; nothing that the machine has promised binds it any more.
    pub(crate) fn restore(&mut self, ledger: &Ledger) -> Result<(), Violation> {
        if let Some(Backup { disk, lives, has_answered }) = self.backup.take() {
            disk.cut_power(usize::MAX);
            self.has_answered = has_answered;
            (self.disk, self.lives, self.promises) = (disk, lives, Promises::default());
        }
        self.look_at_disk(ledger)
    }

    /// A new machine takes the place of this one.
    pub(crate) fn lose(&mut self, id: ReplicaId) {
        *self = Self::new(self.index, id, self.region.clone(), self.clock, self.watch);
    }

    /// Checks what a disk holds that lost its tail, and what its machine can still know of its versions.
    fn look_at_disk(&mut self, ledger: &Ledger) -> Result<(), Violation> {
        let platter = self.disk.platter();
        let vector = platter.vector();
        for (origin, given) in &mut self.lives {
            *given = (*given).min(vector.upto(*origin));
        }
        no_holes::check_all(&platter, ledger)?;
        match self.watch {
            Watch::Closely => index_whole::check_all(&platter, ledger),
            Watch::FromOutside => Ok(()),
        }
    }
}

impl Life {
    /// When a moment of the replica's monotonic time is.
    fn moment(&self, mono: Monotonic) -> Moment {
        self.started.plus(mono.since(Monotonic::default()))
    }
}
