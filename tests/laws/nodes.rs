//! Three nodes in memory: the door, the replica and the reader of the real thing, and nothing else.

use std::sync::Arc;

use playmark::{
    crdt::{Monotonic, Now, Origin, Register, ReplicaId, Slot, Stamp, WallTime},
    playback::{
        Accepted, Answer, Claims, Heartbeat, Known, Order, Outcome, Policy, Progress, Refused, ResumePoint,
        Sample, Scope, Sender, SessionId, Shown, SlotKind, Title, What, Write, accept, answer, retain_title,
        settle,
        slot::{self, FENCE},
    },
    replica::{ALONE_AFTER, Beginning, Linger, Options, Replica, Retain, plan::STATUS_INTERVAL},
    store::{Durability, MemoryStore, Read},
};

use crate::{
    players::{Report, keys, story_time},
    worlds::title,
};

/// When the reports of a story are delivered: two days on.
const LATE_MS: u64 = 172_800_000;
/// How many statuses may pass until nodes that can hear each other are equal.
const STATUSES_MAX: u32 = 12;

/// A node: a replica, and a clock that may be off.
pub(crate) struct Node {
    replica: Replica<MemoryStore>,
    wall: WallTime,
    mono: Monotonic,
    /// Heartbeats that were taken in and wait for the commit.
    waiting: Vec<(Claims, Heartbeat, Accepted)>,
}

impl Node {
    pub(crate) fn new(number: u128, skew_ms: i64) -> Self {
        let retain = Retain { leaving: retain_title, fence: FENCE };
        let (id, origin) = (ReplicaId::from_random(number), Origin::from_random(number));
        let wall = WallTime::from_ms(story_time(LATE_MS).as_ms().saturating_add_signed(skew_ms));
        let mono = Monotonic::default();
        let (beginning, alone_after) = (Beginning::Alone, ALONE_AFTER);
        let region = "eu".parse().expect("a region");
        let options = Options { id, region, origin, retain, linger: Linger::NONE, beginning, alone_after };
        let replica = Replica::open(options, MemoryStore::default(), Now { wall, mono });
        Self { replica: replica.expect("memory can be read"), wall, mono, waiting: Vec::new() }
    }

    /// A node of no story that has taken these reports.
    pub(crate) fn that_holds(reports: &[Report]) -> Self {
        let mut node = Self::new(9, 0);
        for report in reports {
            node.deliver(report);
        }
        node.commit();
        node
    }

    fn now(&self) -> Now {
        Now { wall: self.wall, mono: self.mono }
    }

    /// Takes a report into this turn.
    pub(crate) fn deliver(&mut self, report: &Report) {
        match report {
            Report::Heartbeat(json) => self.heartbeat(json),
            Report::Progress(json) => self.progress(json),
            Report::Order(json, what) => self.order(json, *what),
            Report::Command(write) => self.write(write),
        }
    }

    fn heartbeat(&mut self, json: &str) {
        let mut heartbeat = Heartbeat::from_json(json.as_bytes()).expect("stories are told in heartbeats");
        settle([&mut heartbeat]).expect("one is in order");
        let token = heartbeat.token.as_deref().expect("the players of stories have tokens");
        let claims = keys().verify(token, self.wall).expect("the token is the replica set's");
        let known = Known { fence: self.found().fence(), ..Known::default() };
        let accepted = accept(&heartbeat, Sender::Signed(&claims), known, self.wall, &Policy::default());
        // What was erased here before it came: its player would open a new session.
        if accepted == Err(Refused::Erased) {
            return;
        }
        let accepted = accepted.expect("stories are told at their time");
        if let Outcome::Write { place, completion } = &accepted.outcome {
            for write in std::iter::once(place).chain(completion) {
                self.write(write);
            }
        }
        self.waiting.push((claims, heartbeat, accepted));
    }

    fn order(&mut self, json: &str, what: What) {
        let said = serde_json::from_str(json).expect("stories are told in JSON");
        let order = Order::from_value(&said, what).expect("stories are told in orders");
        let claims = keys().verify(&order.token, self.wall).expect("the token is the replica set's");
        let write = order.write(&claims, self.found().fence(), self.wall, &Policy::default());
        if let Some(write) = write.expect("stories are told at their time") {
            self.write(&write);
        }
    }

    fn progress(&mut self, json: &str) {
        let said = serde_json::from_str(json).expect("stories are told in JSON");
        let progress = Progress::from_value(&said).expect("stories are told in progress");
        let read = progress.read.as_ref().map(|token| keys().verify(token, self.wall).expect("it is ours"));
        let found = self.found();
        let of_session = |(slot, _): &&(Slot, Register)| *slot == slot::session(progress.session());
        let own = found.registers.iter().find(of_session);
        let own = own.map(|(_, it)| (it.stamp, Sample::decode(&it.value).expect("we wrote it")));
        let current = own.as_ref().map(|(stamp, sample)| (*stamp, sample));
        let known = Known { fence: found.fence(), current, paused: false };
        let accepted = progress.accept(&title(), read.as_ref(), known, self.wall, &Policy::default());
        if let Outcome::Write { place, .. } = accepted.expect("stories are told at their time").outcome {
            self.write(&place);
        }
    }

    fn write(&mut self, write: &Write) {
        let Write { key, stamp, value } = write;
        self.replica.write(key, *stamp, value.clone(), self.now()).expect("memory can be written");
    }

    /// Ends the turn: commits, and answers those who wait for it.
    pub(crate) fn commit(&mut self) -> Vec<Answer> {
        self.replica.commit(Durability::Process, self.now()).expect("memory can be written");
        let waiting = std::mem::take(&mut self.waiting);
        waiting.iter().map(|(claims, heartbeat, accepted)| self.answer(claims, heartbeat, accepted)).collect()
    }

    fn answer(&self, claims: &Claims, heartbeat: &Heartbeat, accepted: &Accepted) -> Answer {
        let sent_elapsed_ms = heartbeat.sent_elapsed_ms.expect("filled in where it was left out");
        let title = self.found();
        let point = title.resume(&Policy::default());
        let answer = answer(claims, accepted.stamp, sent_elapsed_ms, &title, point.as_ref(), self.wall);
        let shown = title.shown_to(claims.session);
        if let Some((fresh, why)) = &answer.fresh {
            let above = shown.greatest.is_none_or(|greatest| fresh.anchor > greatest.time);
            assert!(above, "a fresh line ({why:?}) begins above all that is shown: {fresh:?}, {shown:?}");
        }
        answer
    }

    /// The title's committed registers.
    pub(crate) fn registers(&self) -> Vec<(Slot, Register)> {
        self.replica.store().title(&title()).expect("memory can be read")
    }

    /// What the registers say: all but which node's write of it is named.
    pub(crate) fn said(&self) -> Vec<(Slot, Stamp, Arc<[u8]>)> {
        let said = |(slot, register): (Slot, Register)| (slot, register.stamp, register.value);
        self.registers().into_iter().map(said).collect()
    }

    fn found(&self) -> Title {
        let fence = self.replica.store().register(&title().profile.scope().key(FENCE));
        let scope = Scope::of(fence.expect("memory can be read").as_ref());
        Title { registers: self.registers(), scope }
    }

    pub(crate) fn shown_to(&self, session: SessionId) -> Shown {
        self.found().shown_to(session)
    }

    pub(crate) fn completions(&self) -> usize {
        let kinds = self.registers().into_iter().map(|(slot, _)| SlotKind::of(slot));
        kinds.filter(|kind| *kind == Some(SlotKind::Completed)).count()
    }

    pub(crate) fn resume(&self) -> Option<ResumePoint> {
        self.found().resume(&Policy::default())
    }
}

/// Three nodes, and the links between them.
pub(crate) struct Nodes {
    pub(crate) all: [Node; 3],
    linked: [[bool; 3]; 3],
}

/// Every pair of nodes.
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

impl Nodes {
    /// Three nodes that do not hear each other yet.
    pub(crate) fn new(skew_ms: [i64; 3]) -> Self {
        let node = |number: usize| Node::new(number as u128 + 1, skew_ms[number]);
        Self { all: [node(0), node(1), node(2)], linked: Default::default() }
    }

    /// Makes and unmakes links until exactly those of the pairs are cut whose flag is set.
    pub(crate) fn cut(&mut self, cut: [bool; 3]) {
        for ((one, other), cut) in PAIRS.into_iter().zip(cut) {
            for (from, to) in [(one, other), (other, one)] {
                if self.linked[from][to] != cut {
                    continue;
                }
                self.linked[from][to] = !cut;
                let other = &self.all[to].replica;
                let (peer, origin, region) = (other.id(), other.origin(), other.region().clone());
                let node = &mut self.all[from];
                let now = node.now();
                if cut {
                    node.replica.handle_peer_down(peer, now);
                } else {
                    node.replica.handle_peer_up(peer, origin, region, now);
                }
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut([false; 3]);
    }

    /// Ends a node's turn: commits, answers, and says what there is to say; `always` looks at every node
    /// whose state that may have changed.
    pub(crate) fn turn(&mut self, at: usize, always: &impl Fn(&Node)) {
        self.all[at].commit();
        always(&self.all[at]);
        let mut speaks = vec![at];
        while let Some(from) = speaks.pop() {
            let now = self.all[from].now();
            while let Some(transmit) = self.all[from].replica.poll_transmit(now).expect("memory can be read")
            {
                let is_to = |node: &Node| node.replica.id() == transmit.to;
                let to = self.all.iter().position(is_to).expect("all peers are among the three");
                if !self.linked[from][to] {
                    continue;
                }
                let (sender, node) = (self.all[from].replica.id(), &mut self.all[to]);
                let now = node.now();
                node.replica.handle_message(sender, transmit.message, now).expect("all are correct");
                node.commit();
                always(node);
                speaks.push(to);
            }
        }
    }

    /// Lets time pass until all hold the same; all must hear each other.
    pub(crate) fn settle(&mut self, always: &impl Fn(&Node)) {
        for _ in 0..STATUSES_MAX {
            for at in 0..self.all.len() {
                self.turn(at, always);
            }
            let vectors = self.all.each_ref().map(|node| node.replica.vector());
            if vectors[0] == vectors[1] && vectors[0] == vectors[2] {
                return;
            }
            for node in &mut self.all {
                node.mono = node.mono.plus(STATUS_INTERVAL);
                node.replica.handle_timeout(node.now());
            }
        }
        panic!("three nodes that hear each other are not equal after {STATUSES_MAX} statuses");
    }
}
