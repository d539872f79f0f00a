//! What chance gives one world: each seed first draws its faults, then the run.
//!
//! Every kind of fault is left out of about half of the worlds, so that a rare meeting of two kinds is
//! not drowned by the others (Groce et al. 2012, swarm testing). Eight worlds in ten are aimed besides: at
//! meetings that chance alone brings about too seldom.

use std::{fmt, time::Duration};

use playmark::{
    crdt::{Region, VALUE_BYTES_MAX},
    replica::Linger,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    network::{Quality, chance},
    players::Habits,
    world::Disaster,
};

/// One world in four meets one.
const DISASTERS: [Option<Disaster>; 8] =
    [None, None, None, None, None, None, Some(Disaster::Loss), Some(Disaster::Restore)];

/// What a world is of, how long its fault phase is, and how much happens in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Replicas with their data, a few seconds.
    Short,
    /// The same, about a minute.
    Long,
    /// Members without data, and many of them.
    Members,
}

impl Kind {
    /// The kind of a name; the name is what it displays as.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Short, Self::Long, Self::Members].into_iter().find(|kind| kind.to_string() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Short => "short",
            Self::Long => "long",
            Self::Members => "members",
        })
    }
}

/// One world's faults and load.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) nodes: usize,
    /// Over how many regions they are spread.
    pub(crate) regions: usize,
    /// Whether each pair of nodes can have a link; where not, others must relay.
    pub(crate) mesh: Mesh,
    pub(crate) faults_ms: u64,
    pub(crate) quality: Quality,
    /// The mean time between two cuts of links; zero for never.
    pub(crate) cut_every_ms: u64,
    pub(crate) cut_ms: u64,
    /// Of a hundred cuts so many are seen by the link, which then goes down.
    pub(crate) seen_percent: u32,
    /// The mean time between two ends of processes; zero for never.
    pub(crate) crash_every_ms: u64,
    pub(crate) down_ms: u64,
    /// Of a hundred crashes so many are cuts of the power.
    pub(crate) power_percent: u32,
    /// Of ten thousand turns so many meet a commit that fails.
    pub(crate) failures_per_myriad: u32,
    /// The mean time between two jumps of a wall clock; zero for never.
    pub(crate) jump_every_ms: u64,
    pub(crate) skew_ms: i64,
    pub(crate) drift_ppm: i64,
    /// What is wrong with the clock of the first node beside.
    pub(crate) odd_clock: Option<OddClock>,
    /// The mean time between two times in which a process stands still; zero for never.
    pub(crate) stall_every_ms: u64,
    pub(crate) disaster: Option<Disaster>,
    /// Of a thousand parts so many come from rotten memory.
    pub(crate) rot_per_mille: u32,
    pub(crate) turn_us: u64,
    pub(crate) transmits_max: usize,
    pub(crate) sync_every: Duration,
    pub(crate) linger: Linger,
    pub(crate) load: Load,
    pub(crate) habits: Habits,
    /// Whether only a part of the nodes heals at first.
    pub(crate) core_first: bool,
    pub(crate) acquaintance: Acquaintance,
    /// How long a node that has answered before looks for a peer that knows more.
    pub(crate) alone_after: Duration,
}

/// A clock that no time service would leave so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OddClock {
    /// It shows an hour too much.
    HourAhead,
    /// It stands still, and is never set.
    Frozen,
}

/// Whether the nodes know each other when the world begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acquaintance {
    /// They have always been there, and each answers as soon as it runs.
    Old,
    /// The first one founds, and the others answer when they have caught up.
    New,
}

/// Which pairs of nodes can have a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mesh {
    Full,
    /// Each with the next one.
    Line,
    /// All with the first one.
    Star,
}

/// What writers do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) writes: u32,
    pub(crate) titles: u32,
    pub(crate) sessions: u32,
    /// How many writes come at once at most.
    pub(crate) burst: u32,
    pub(crate) value_bytes: usize,
    /// Of a hundred writes so many repeat an earlier request.
    pub(crate) retry_percent: u32,
    /// Of a hundred writes so many say something else under the stamp of an earlier one.
    pub(crate) lie_percent: u32,
    /// Of a hundred writes so many are fences.
    pub(crate) fence_percent: u32,
    /// How far stamps are off the order of arrival.
    pub(crate) disorder_ms: u64,
    pub(crate) promises: bool,
}

impl Profile {
    pub(crate) fn draw(rng: &mut ChaCha8Rng, kind: Kind) -> Self {
        let mut profile = Self::swarm(rng, kind);
        match rng.random_range(0..10) {
            0 => profile.aim_at_spans(rng),
            1 => profile.aim_at_tails(rng),
            2 => profile.aim_at_relays(rng),
            3 => profile.aim_at_pruning(rng),
            4 => profile.aim_at_hand_overs(rng),
            5 => profile.aim_at_narrow_paths(rng),
            6 => profile.aim_at_changes_of_feeder(rng),
            7 => profile.aim_at_gateways(rng),
            _ => {}
        }
        profile.core_first &= profile.nodes > 2;
        profile.regions = pick(rng, &[1, 2, 2, 3]);
        profile.odd_clock =
            pick(rng, &[None, None, None, None, Some(OddClock::HourAhead), Some(OddClock::Frozen)]);
        if chance(rng, 50) {
            profile.acquaintance = Acquaintance::New;
        }
        profile.alone_after = Duration::from_millis(pick(rng, &[0, 100, 1_000, 10_000]));
        profile
    }

    /// Spans of many parts, whose entries are overwritten while they are read.
    fn aim_at_spans(&mut self, rng: &mut ChaCha8Rng) {
        self.nodes = pick(rng, &[2, 2, 3]);
        self.mesh = Mesh::Full;
        self.core_first = false;
        self.quality.bytes_per_ms = 100_000;
        self.turn_us = pick(rng, &[100, 3_000, 20_000]);
        self.transmits_max = pick(rng, &[1, 1, 2, 8]);
        self.crash_every_ms = if chance(rng, 70) { 0 } else { 800 };
        self.seen_percent = pick(rng, &[0, 0, 100]);
        let load = &mut self.load;
        load.writes *= 10;
        (load.value_bytes, load.burst) = (VALUE_BYTES_MAX, pick(rng, &[4, 40, 200]));
        (load.titles, load.sessions) = (pick(rng, &[8, 20]), pick(rng, &[3, 8]));
        (load.fence_percent, load.disorder_ms) = (0, 0);
    }

    /// Spans of many parts that one feeder begins and another ends.
    fn aim_at_changes_of_feeder(&mut self, rng: &mut ChaCha8Rng) {
        self.aim_at_spans(rng);
        self.nodes = pick(rng, &[3, 3, 4]);
        (self.cut_every_ms, self.cut_ms, self.seen_percent) = (pick(rng, &[100, 200]), 500, 100);
        self.quality.bytes_per_ms = pick(rng, &[300, 1_000]);
        self.crash_every_ms = 0;
    }

    /// Tails that are sent, and lost before they are synced.
    fn aim_at_tails(&mut self, rng: &mut ChaCha8Rng) {
        self.crash_every_ms = pick(rng, &[200, 600]);
        self.power_percent = 100;
        self.sync_every = Duration::from_secs(3);
        self.transmits_max = pick(rng, &[1, 2]);
        self.turn_us = pick(rng, &[3_000, 20_000]);
        self.load.value_bytes = VALUE_BYTES_MAX;
        self.load.burst = 40;
        self.load.titles = 20;
        self.load.promises = false;
    }

    /// Writes that reach some nodes only through others, over links that fail in one direction.
    fn aim_at_relays(&mut self, rng: &mut ChaCha8Rng) {
        self.nodes = pick(rng, &[3, 4, 5]);
        self.mesh = pick(rng, &[Mesh::Full, Mesh::Line, Mesh::Star]);
        (self.cut_every_ms, self.cut_ms) = (pick(rng, &[100, 300]), pick(rng, &[500, 2_000]));
        self.seen_percent = 0;
        self.core_first = false;
        (self.load.titles, self.load.sessions) = (2, pick(rng, &[1, 4]));
        self.load.disorder_ms = 10_000;
    }

    /// Regions of several nodes, whose links across come and go, and nodes with them.
    fn aim_at_gateways(&mut self, rng: &mut ChaCha8Rng) {
        self.nodes = pick(rng, &[4, 5, 6]);
        self.mesh = Mesh::Full;
        self.core_first = false;
        (self.cut_every_ms, self.cut_ms) = (pick(rng, &[100, 300]), pick(rng, &[500, 2_000]));
        (self.crash_every_ms, self.down_ms) = (pick(rng, &[0, 300, 800]), pick(rng, &[200, 1_000]));
        self.seen_percent = pick(rng, &[0, 50, 100]);
    }

    /// Titles with more sessions than they keep, written on both sides of a cut.
    fn aim_at_pruning(&mut self, rng: &mut ChaCha8Rng) {
        (self.cut_every_ms, self.cut_ms) = (pick(rng, &[100, 300]), pick(rng, &[500, 2_000]));
        (self.load.titles, self.load.sessions) = (1, 40);
        self.load.fence_percent = pick(rng, &[0, 0, 5]);
        self.load.disorder_ms = pick(rng, &[1_000, 10_000]);
    }

    /// More to catch up with than a path carries while patience lasts.
    fn aim_at_narrow_paths(&mut self, rng: &mut ChaCha8Rng) {
        self.nodes = pick(rng, &[2, 2, 3]);
        self.quality.bytes_per_ms = pick(rng, &[50, 100]);
        self.transmits_max = usize::MAX;
        (self.cut_every_ms, self.cut_ms) = (pick(rng, &[0, 300]), 2_000);
        self.load.writes *= 5;
        (self.load.value_bytes, self.load.burst) = (VALUE_BYTES_MAX, 40);
        (self.load.titles, self.load.sessions) = (60, 40);
    }

    /// Screens that go offline and come back after the next one was turned on.
    fn aim_at_hand_overs(&mut self, rng: &mut ChaCha8Rng) {
        self.load.writes = 10;
        self.jump_every_ms = 0;
        self.skew_ms = pick(rng, &[0, 5, 300]);
        self.habits = Habits {
            viewers: 4,
            sessions: 4,
            samples: 10,
            interval_ms: 100,
            pause_ms: pick(rng, &[500, 2_000]),
            offline_percent: 20,
            ..self.habits
        };
    }

    fn swarm(rng: &mut ChaCha8Rng, kind: Kind) -> Self {
        let nodes = pick(rng, &[2, 3, 3, 4, 5]);
        let faults_ms = match kind {
            Kind::Short | Kind::Members => pick(rng, &[2_000, 4_000, 6_000]),
            Kind::Long => pick(rng, &[20_000, 40_000, 60_000]),
        };
        Self {
            nodes,
            regions: 1,
            mesh: pick(rng, &[Mesh::Full, Mesh::Full, Mesh::Full, Mesh::Line, Mesh::Star]),
            faults_ms,
            quality: quality(rng),
            cut_every_ms: sometimes(rng, &[200, 600, 1_500]),
            cut_ms: pick(rng, &[100, 500, 2_000]),
            seen_percent: pick(rng, &[0, 50, 100]),
            crash_every_ms: sometimes(rng, &[300, 800, 2_000]),
            down_ms: pick(rng, &[10, 200, 1_000]),
            power_percent: pick(rng, &[0, 50, 100]),
            failures_per_myriad: sometimes(rng, &[10, 100, 300]),
            jump_every_ms: sometimes(rng, &[300, 1_000]),
            skew_ms: sometimes(rng, &[5, 300, 3_000, 90_000]),
            drift_ppm: sometimes(rng, &[50, 5_000]),
            odd_clock: None,
            stall_every_ms: if chance(rng, 20) { 800 } else { 0 },
            disaster: pick(rng, &DISASTERS),
            rot_per_mille: if chance(rng, 15) { 20 } else { 0 },
            turn_us: pick(rng, &[0, 100, 3_000, 20_000]),
            transmits_max: pick(rng, &[1, 2, 4, usize::MAX]),
            sync_every: Duration::from_millis(pick(rng, &[0, 5, 50, 500, 3_000])),
            linger: linger(rng),
            load: load(rng, kind),
            habits: if chance(rng, 50) { habits(rng, kind) } else { Habits::default() },
            core_first: nodes > 2 && chance(rng, 30),
            acquaintance: Acquaintance::Old,
            alone_after: Duration::ZERO,
        }
    }
}

fn linger(rng: &mut ChaCha8Rng) -> Linger {
    let near = Duration::from_millis(pick(rng, &[0, 2, 25]));
    Linger { near, across: near * pick(rng, &[1, 5]) }
}

/// The region of a number.
pub(crate) fn region_of(number: usize) -> Region {
    format!("r{number}").parse().expect("a region")
}

fn quality(rng: &mut ChaCha8Rng) -> Quality {
    Quality {
        latency: Duration::from_micros(pick(rng, &[100, 2_000, 20_000, 150_000])),
        jitter: Duration::from_micros(pick(rng, &[0, 500, 10_000, 80_000])),
        loss_percent: sometimes(rng, &[1, 5, 15, 30]),
        copies_percent: sometimes(rng, &[2, 10, 20]),
        reorders: chance(rng, 40),
        bytes_per_ms: pick(rng, &[100, 1_000, 100_000]),
    }
}

fn habits(rng: &mut ChaCha8Rng, kind: Kind) -> Habits {
    Habits {
        viewers: pick(rng, &[1, 2, 4]),
        sessions: pick(rng, &[1, 2, 4, 12]) * if kind == Kind::Long { 4 } else { 1 },
        samples: pick(rng, &[1, 4, 10]),
        interval_ms: pick(rng, &[20, 100, 400]),
        pause_ms: pick(rng, &[10, 500, 2_000]),
        offline_percent: sometimes(rng, &[5, 20]),
        latency_ms: pick(rng, &[1, 20, 100]),
        loss_percent: sometimes(rng, &[5, 30]),
        late_percent: sometimes(rng, &[10, 50]),
    }
}

fn load(rng: &mut ChaCha8Rng, kind: Kind) -> Load {
    let writes = pick(rng, &[10, 30, 60, 120]);
    Load {
        writes: if kind == Kind::Long { writes * 20 } else { writes },
        titles: pick(rng, &[1, 2, 8, 60]),
        sessions: pick(rng, &[1, 4, 12, 40]),
        burst: pick(rng, &[1, 1, 4, 40]),
        value_bytes: pick(rng, &[8, 8, 80, 500]),
        retry_percent: sometimes(rng, &[10, 40]),
        lie_percent: if chance(rng, 20) { 10 } else { 0 },
        fence_percent: if chance(rng, 25) { 4 } else { 0 },
        disorder_ms: sometimes(rng, &[50, 1_000, 10_000]),
        promises: chance(rng, 60),
    }
}

/// One of several values.
pub(crate) fn pick<T: Copy>(rng: &mut ChaCha8Rng, values: &[T]) -> T {
    values[rng.random_range(0..values.len())]
}

/// Nothing in half of the cases, otherwise one of several values.
fn sometimes<T: Copy + Default>(rng: &mut ChaCha8Rng, values: &[T]) -> T {
    if chance(rng, 50) { T::default() } else { pick(rng, values) }
}
