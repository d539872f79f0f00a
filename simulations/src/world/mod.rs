//! One world: a queue of events in virtual time, and what they do.

mod disasters;
mod end;
mod faults;
mod links;
mod machines;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use playmark::crdt::ReplicaId;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    invariants::{Violation, Watch, readiness::Meetings},
    ledger::Ledger,
    network::{Connection, Link},
    node::{Input, Node},
    players::Players,
    profile::{Mesh, OddClock, Profile, region_of},
    request::{Answer, PlayerId, Request},
    time::{Moment, WallClock},
    trace::Trace,
    writers::Writers,
};

/// A world that does not end is a bug of its own.
const EVENTS_MAX: u64 = 20_000_000;

pub(crate) use self::disasters::Disaster;

pub(crate) struct World {
    now: Moment,
    queue: BinaryHeap<Reverse<(Moment, u64)>>,
    events: BTreeMap<u64, Event>,
    scheduled: u64,
    profile: Profile,
    phase: Phase,
    nodes: Vec<Node>,
    links: BTreeMap<(usize, usize), Link>,
    connections: BTreeMap<(usize, usize), Connection>,
    connected: u64,
    /// Connections that have lost a frame, which those of the real transport never do.
    lossy: BTreeSet<Connection>,
    /// Nodes that stay broken while the others heal.
    outside: Vec<usize>,
    /// Whether a machine or its disk was lost.
    struck: bool,
    ledger: Ledger,
    meetings: Meetings,
    writers: Writers,
    players: Players,
    last_busy: Moment,
    healed_at: Moment,
    /// How long all may take, from then on, until they are equal.
    patience: Duration,
    converged_at: Option<Moment>,
    random: Random,
    trace: Trace,
    stats: Stats,
    watch: Watch,
}

/// Streams of chance, apart so that more of one does not move the others.
struct Random {
    network: ChaCha8Rng,
    faults: ChaCha8Rng,
    load: ChaCha8Rng,
    names: ChaCha8Rng,
    players: ChaCha8Rng,
}

/// What a world came to.
#[derive(Clone, Copy, Default, Debug)]
pub struct Stats {
    /// Events of all kinds.
    pub events: u64,
    /// Requests that reached a node.
    pub requests: u64,
    /// Frames sent.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Comparisons that had something to compare and found it equal.
    pub compared: u64,
    /// Processes that ended.
    pub crashes: u64,
    /// Virtual milliseconds from the heal until all were equal.
    pub converged_ms: u64,
    /// Virtual milliseconds in all.
    pub virtual_ms: u64,
}

/// An hour.
const HOUR_MS: i64 = 3_600_000;

/// A drift at which a clock shows the same for ever.
const STANDS_STILL_PPM: i64 = -1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    Faults,
    CoreHeals,
    AllHeals,
    Quiet,
    Over,
}

#[derive(Debug)]
enum Event {
    Frame { from: ReplicaId, to: usize, connection: Connection, bytes: Vec<u8>, rot: bool },
    Turn(usize),
    Dial(usize, usize),
    Down { node: usize, peer: ReplicaId, connection: Connection },
    Broken(usize, usize, Connection),
    Write,
    Client(usize, Request),
    Answer(Answer),
    Player(PlayerId),
    Resend { player: PlayerId, sample: usize, late: bool },
    Cut,
    Mend(usize, usize),
    Crash,
    Boot(usize),
    Stall,
    Backup(usize),
    Disaster(usize),
    Jump,
    Heal,
    Probe,
}

impl World {
    pub(crate) fn new(seed: u64, profile: Profile, watch: Watch, trace: Trace) -> Self {
        let stream = |stream| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            rng
        };
        let mut random = Random {
            network: stream(1),
            faults: stream(2),
            load: stream(3),
            names: stream(4),
            players: stream(5),
        };
        let mut nodes = Vec::new();
        for index in 0..profile.nodes {
            let mut clock = WallClock {
                offset_ms: random.faults.random_range(-profile.skew_ms..=profile.skew_ms),
                drift_ppm: random.faults.random_range(-profile.drift_ppm..=profile.drift_ppm),
            };
            match profile.odd_clock.filter(|_| index == 0) {
                Some(OddClock::HourAhead) => clock.offset_ms += HOUR_MS,
                Some(OddClock::Frozen) => clock.drift_ppm = STANDS_STILL_PPM,
                None => {}
            }
            let id = ReplicaId::from_random(random.names.random());
            nodes.push(Node::new(index, id, region_of(index % profile.regions), clock, watch));
        }
        let mut links = BTreeMap::new();
        for (a, b) in pairs(&profile) {
            links.insert((a, b), Link::new(profile.quality));
            links.insert((b, a), Link::new(profile.quality));
        }
        let writers = Writers::new(profile.load);
        let (players, wishes) = Players::new(profile.habits, profile.nodes, &mut random.players);
        let mut world = Self {
            now: Moment::default(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            scheduled: 0,
            profile,
            phase: Phase::Faults,
            nodes,
            links,
            connections: BTreeMap::new(),
            connected: 0,
            lossy: BTreeSet::new(),
            outside: Vec::new(),
            struck: false,
            ledger: Ledger::default(),
            meetings: Meetings::default(),
            writers,
            players,
            last_busy: Moment::default(),
            healed_at: Moment::default(),
            patience: Duration::ZERO,
            converged_at: None,
            random,
            trace,
            stats: Stats::default(),
            watch,
        };
        world.grant(wishes);
        world
    }

    /// Runs to the end, or to the first violation.
    pub(crate) fn run(mut self) -> (Result<(), Violation>, Stats, Trace) {
        let result = self.run_all();
        self.stats.virtual_ms = self.now.as_ms();
        self.stats.events = self.trace.events();
        if let Err(violation) = &result {
            let words = violation.to_string();
            self.trace.event(self.now, &[], words.as_bytes(), || words.clone());
        }
        (result, self.stats, self.trace)
    }

    fn run_all(&mut self) -> Result<(), Violation> {
        self.begin()?;
        while self.phase != Phase::Over {
            let Some(Reverse((at, number))) = self.queue.pop() else { break };
            self.now = at;
            let event = self.events.remove(&number).expect("what is queued is kept");
            self.handle(event)?;
            if self.trace.events() > EVENTS_MAX {
                return Err(Violation::new("bounded", "the world does not end"));
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Violation> {
        for index in 0..self.nodes.len() {
            self.boot(index)?;
        }
        for (a, b) in pairs(&self.profile) {
            self.after_us(0, Event::Dial(a, b));
        }
        self.after_us(0, Event::Write);
        self.schedule_next(self.profile.cut_every_ms, Event::Cut);
        self.schedule_next(self.profile.crash_every_ms, Event::Crash);
        self.schedule_next(self.profile.jump_every_ms, Event::Jump);
        self.schedule_next(self.profile.stall_every_ms, Event::Stall);
        self.plan_disaster();
        self.at(Moment::ms(self.profile.faults_ms), Event::Heal);
        Ok(())
    }

    fn at(&mut self, at: Moment, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse((at.max(self.now), self.scheduled)));
        self.events.insert(self.scheduled, event);
    }

    fn after_us(&mut self, us: u64, event: Event) {
        self.at(self.now.plus_us(us), event);
    }

    fn schedule_next(&mut self, mean_ms: u64, event: Event) {
        if mean_ms > 0 && self.phase == Phase::Faults {
            let after = self.random.faults.random_range(0..=mean_ms * 2_000);
            self.after_us(after, event);
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Frame { from, to, connection, bytes, rot } => {
                self.deliver(to, Input::Frame { from, connection, bytes, rot });
            }
            Event::Turn(node) => self.turn(node)?,
            Event::Dial(a, b) => self.dial(a, b),
            Event::Down { node, peer, connection } => {
                self.deliver(node, Input::Down { peer, connection });
            }
            Event::Broken(a, b, connection) => self.broken(a, b, connection),
            Event::Write => self.write(),
            Event::Client(node, request) => self.client(node, request),
            Event::Answer(answer) => self.answered(answer),
            Event::Player(player) => {
                let wishes = self.players.wake(player, self.now, &mut self.random.players);
                self.grant(wishes);
            }
            Event::Resend { player, sample, late } => {
                let rng = &mut self.random.players;
                let wishes = self.players.resend(player, sample, late, self.now, rng);
                self.grant(wishes);
            }
            Event::Cut => self.cut(),
            Event::Mend(from, to) => self.mend(from, to),
            Event::Crash => self.crash_some()?,
            Event::Boot(node) => self.boot(node)?,
            Event::Stall => self.stall(),
            Event::Backup(node) => self.backup(node),
            Event::Disaster(node) => self.strike(node)?,
            Event::Jump => self.jump(),
            Event::Heal => self.heal()?,
            Event::Probe => self.probe()?,
        }
        Ok(())
    }

    fn tell(&mut self, numbers: &[u64], words: impl FnOnce() -> String) {
        self.trace.event(self.now, numbers, &[], words);
    }
}

/// The pairs of nodes that can have a link, the lesser first.
fn pairs(profile: &Profile) -> Vec<(usize, usize)> {
    let all = (0..profile.nodes).flat_map(|a| (a + 1..profile.nodes).map(move |b| (a, b)));
    all.filter(|&(a, b)| match profile.mesh {
        Mesh::Full => true,
        Mesh::Line => a + 1 == b,
        Mesh::Star => a == 0,
    })
    .collect()
}

fn ordered(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}
