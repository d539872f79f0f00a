//! Three nodes in memory: the door, the merge and the pruning of the real thing, and nothing else.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use playmark::{
    crdt::{Dot, Merged, Origin, Register, Slot, Stamp, Timestamp, WallTime},
    playback::{
        Accepted, Claims, Heartbeat, Known, Outcome, Policy, Refused, ResumePoint, Rights, Sender, SessionId,
        Shown, accept, resume, retain_title, settle,
    },
};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};

use crate::worlds::title;

/// Every story begins here; a story's times are counted from it.
const BEGINNING: WallTime = WallTime::from_ms(1_700_000_000_000);
/// When the late copies of a story's heartbeats are delivered: two days on.
const LATE_MS: u64 = 172_800_000;
/// How many random deliveries are tried for each story.
const DELIVERIES: u64 = 300;
/// How many heartbeats a story may have whose orders are all tried: 120 orders.
const ALL_ORDERS_MAX: usize = 5;

pub(crate) const fn seconds(s: u64) -> u64 {
    s * 1_000
}

/// A moment of the story on the replica set's time line.
pub(crate) fn story_time(ms: u64) -> WallTime {
    BEGINNING.plus_ms(ms)
}

/// One heartbeat, as it can be sent to any node any number of times.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// A player's.
    Heartbeat(Box<Claims>, Heartbeat),
    /// What a command has written: commands have no door of their own yet.
    Command(Slot, Stamp, Arc<[u8]>),
}

/// A player's page, as far as the story tells of it.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) claims: Claims,
    seq: Cell<u32>,
}

impl Player {
    /// Opens a session at a node whose clock shows `node_ms` and which holds the reports `shown`.
    pub(crate) fn opens(name: &str, node_ms: u64, shown: &[Report]) -> Self {
        let session = SessionId::parse(name).expect("a text");
        let mut node = Node::new(0);
        node.deliver_all(shown);
        let shown = node.shown_to(session);
        let now = story_time(node_ms);
        let claims = Claims::open(title(), session, None, Rights::ALL, &shown, now, &Policy::default());
        Self { claims, seq: Cell::new(0) }
    }

    /// Reports; elapsed time and position in milliseconds, the rest as members of the JSON object.
    pub(crate) fn says(&self, elapsed_ms: u64, position_ms: u64, members: &str) -> Report {
        self.seq.set(self.seq.get() + 1);
        self.says_as(self.seq.get(), elapsed_ms, position_ms, members)
    }

    /// Reports under a given seq.
    pub(crate) fn says_as(&self, seq: u32, elapsed_ms: u64, position_ms: u64, members: &str) -> Report {
        let json =
            format!(r#"{{"seq":{seq},"elapsed_ms":{elapsed_ms},"position_ms":{position_ms},{members}}}"#);
        let mut heartbeat = Heartbeat::from_json(json.as_bytes()).expect("a heartbeat");
        settle([&mut heartbeat]).expect("one is in order");
        Report::Heartbeat(Box::new(self.claims.clone()), heartbeat)
    }

    /// Reports that it plays, and has played since it opened.
    pub(crate) fn plays(&self, elapsed_ms: u64, position_ms: u64) -> Report {
        self.says(elapsed_ms, position_ms, &format!(r#""event":"playing","played_ms":{elapsed_ms}"#))
    }
}

/// A node: its clock, and one title's registers.
#[derive(Clone)]
pub(crate) struct Node {
    origin: Origin,
    version: u64,
    clock: WallTime,
    pub(crate) registers: BTreeMap<Slot, Register>,
}

impl Node {
    fn new(number: u64) -> Self {
        // The clocks are two seconds apart.
        let clock = story_time(LATE_MS + number * 2_000);
        Self { origin: Origin::from_random(number.into()), version: 0, clock, registers: BTreeMap::new() }
    }

    /// Takes a report, and says whether it changed anything.
    pub(crate) fn deliver(&mut self, report: &Report) -> Merged {
        match report {
            Report::Heartbeat(claims, heartbeat) => {
                let accepted = self.admits(claims, heartbeat).expect("stories are told at their time");
                let Outcome::Write { place, completion } = accepted.outcome else { return Merged::Unchanged };
                std::iter::once(place).chain(completion).fold(Merged::Unchanged, |all, write| {
                    let one = self.write(write.key.slot, write.stamp, &write.value);
                    if one == Merged::Changed { one } else { all }
                })
            }
            Report::Command(slot, stamp, value) => self.write(*slot, *stamp, value),
        }
    }

    fn admits(&self, claims: &Claims, heartbeat: &Heartbeat) -> Result<Accepted, Refused> {
        accept(heartbeat, Sender::Signed(claims), Known::default(), self.clock, &Policy::default())
    }

    fn deliver_all(&mut self, reports: &[Report]) {
        for report in reports {
            self.deliver(report);
        }
    }

    fn write(&mut self, slot: Slot, stamp: Stamp, value: &Arc<[u8]>) -> Merged {
        let stands = self.registers.get(&slot);
        if stands.is_some_and(|register| register.stamp == stamp && register.value == *value) {
            return Merged::Unchanged;
        }
        self.version += 1;
        let dot = Dot { origin: self.origin, version: Timestamp::from_u64(self.version) };
        self.merge_one(slot, &Register::seal(&title().key(slot), stamp, dot, value.clone()))
    }

    /// Merges and prunes; what came and was pruned at once has changed nothing.
    fn merge_one(&mut self, slot: Slot, register: &Register) -> Merged {
        let before = self.registers.get(&slot).cloned();
        let stands = self.registers.entry(slot).or_insert_with(|| register.clone());
        stands.merge(register);
        let stamps = self.stamps();
        for gone in retain_title(&stamps) {
            self.registers.remove(&gone);
        }
        if self.registers.get(&slot) == before.as_ref() { Merged::Unchanged } else { Merged::Changed }
    }

    fn stamps(&self) -> Vec<(Slot, Stamp)> {
        self.registers.iter().map(|(slot, register)| (*slot, register.stamp)).collect()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (slot, register) in &other.registers {
            self.merge_one(*slot, register);
        }
    }

    fn shown_to(&self, session: SessionId) -> Shown {
        Shown::to(session, &self.stamps(), None)
    }

    pub(crate) fn resume(&self) -> Option<ResumePoint> {
        let registers: Vec<_> =
            self.registers.iter().map(|(slot, register)| (*slot, register.clone())).collect();
        resume(&registers, None, &Policy::default())
    }
}

/// A story: what every node has heard before, and what is delivered in every order.
pub(crate) struct Story<'a> {
    pub(crate) before: &'a [Report],
    pub(crate) reports: &'a [Report],
}

impl Story<'_> {
    /// Delivers the reports in many orders, thrice, to three nodes that are cut off from each other and
    /// meet at the end; `always` looks at every node after every delivery, `finally` once all is told.
    pub(crate) fn check(&self, always: impl Fn(&Node), finally: impl Fn(&ResumePoint)) {
        if self.reports.len() <= ALL_ORDERS_MAX {
            for order in orders(self.reports.len()) {
                let deliveries: Vec<_> = order.iter().zip((0..3).cycle()).map(|(&r, n)| (n, r)).collect();
                self.tell(&deliveries, &mut SmallRng::seed_from_u64(0), &always, &finally);
            }
        }
        for seed in 0..DELIVERIES {
            let mut random = SmallRng::seed_from_u64(seed);
            let thrice = (0..self.reports.len()).flat_map(|report| [report; 3]);
            let mut deliveries: Vec<_> = thrice.map(|report| (random.random_range(0..3), report)).collect();
            deliveries.shuffle(&mut random);
            self.tell(&deliveries, &mut random, &always, &finally);
        }
    }

    fn tell(
        &self,
        deliveries: &[(usize, usize)],
        random: &mut SmallRng,
        always: &impl Fn(&Node),
        finally: &impl Fn(&ResumePoint),
    ) {
        let mut nodes = [Node::new(1), Node::new(2), Node::new(3)];
        for node in &mut nodes {
            node.deliver_all(self.before);
            always(node);
        }
        for &(at, report) in deliveries {
            nodes[at].deliver(&self.reports[report]);
            always(&nodes[at]);
            if random.random_ratio(1, 8) {
                let (to, from) = (random.random_range(0..3), random.random_range(0..3));
                let other = nodes[from].clone();
                nodes[to].merge(&other);
                always(&nodes[to]);
            }
        }
        for (to, from) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
            let other = nodes[from].clone();
            nodes[to].merge(&other);
            always(&nodes[to]);
        }
        for node in &mut nodes {
            finally(&node.resume().expect("every story leaves a place"));
            for report in self.reports {
                assert_eq!(node.deliver(report), Merged::Unchanged, "a retry raises no event");
            }
        }
        assert_eq!(nodes[0].registers, nodes[1].registers);
        assert_eq!(nodes[0].registers, nodes[2].registers);
    }
}

/// All orders of the numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in orders(last) {
        for place in 0..=last {
            let mut order = order.clone();
            order.insert(place, last);
            all.push(order);
        }
    }
    all
}
