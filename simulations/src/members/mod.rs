//! Worlds of members alone: up to 32 of them find each other, come, go and are cut apart, without any data.
//!
//! Each has the real state machine of membership. Links are made as the transport makes them, by what each member wants
//! to dial each time it looks, and carry datagrams that are lost, late and out of order.
//! When the world has calmed down, everybody must know everybody who lives, have a link with them, and take for down
//! all others.

mod fates;
mod machine;
mod verdict;

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use bytes::Bytes;
use playmark::crdt::{Monotonic, Now};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    Stats, Telling, Violation,
    network::chance,
    profile::pick,
    time::{Moment, WallClock},
    trace::Trace,
};
use machine::Machine;

/// How long a link is kept on whose path nothing passes, as the transport does.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest pause between two dials.
const DIAL_EVERY_MS: u64 = 5_000;

/// How long the world may take to be of one mind once it has calmed down. Who has missed that somebody is gone finds out when
/// it asks that one itself: each is asked in its turn, one every two seconds, and after a round the order is drawn anew.
const CALM_WITHIN: Duration = Duration::from_secs(150);

/// What chance gives one world.
#[derive(Debug)]
struct Profile {
    members: usize,
    regions: usize,
    faults: Duration,
    latency_ms: u64,
    loss_percent: u32,
    /// The mean time between two fates of members; zero for never.
    churn_every_ms: u64,
    /// The mean time between two cuts of the world in two; zero for never.
    cut_every_ms: u64,
    skew_ms: i64,
    /// Whether the addresses by which members were to join lead nowhere once all have met. Not where disks are lost: who
    /// has lost one, and with it whom it knew, may need them.
    join_vanishes: bool,
}

impl Profile {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let churn_every_ms = pick(rng, &[0, 2_000, 5_000]);
        Self {
            members: pick(rng, &[2, 3, 5, 9, 32, 32]),
            regions: pick(rng, &[1, 3, 4]),
            faults: Duration::from_secs(pick(rng, &[20, 60, 180])),
            latency_ms: pick(rng, &[1, 20, 150]),
            loss_percent: pick(rng, &[0, 0, 1, 10, 30]),
            churn_every_ms,
            cut_every_ms: pick(rng, &[0, 20_000, 40_000]),
            skew_ms: pick(rng, &[0, 0, 3_600_000]),
            join_vanishes: churn_every_ms == 0,
        }
    }
}

/// What is to happen.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    /// A datagram reaches a life of a member.
    Arrives {
        to: usize,
        life: u64,
        datagram: Bytes,
    },
    /// A life's own time has come.
    Timeout {
        member: usize,
        life: u64,
    },
    /// A life looks whom it wants to have a link with.
    Dials {
        member: usize,
        life: u64,
    },
    /// A link is given up if its path is still cut or its other end gone.
    Fades {
        one: usize,
        other: usize,
    },
    Fate,
    Returns(usize),
    Cut,
    Heal,
    Calm,
    End,
}

struct World {
    profile: Profile,
    rng: ChaCha8Rng,
    now: Moment,
    queue: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    queued: u64,
    machines: Vec<Machine>,
    /// On which side of a cut each member is.
    sides: Vec<bool>,
    /// Whether all have met.
    acquainted: bool,
    calm: bool,
    trace: Trace,
    stats: Stats,
}

/// Runs one world of members.
pub(crate) fn run(seed: u64, telling: Telling) -> (Result<(), Violation>, Stats, Trace) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let profile = Profile::draw(&mut rng);
    let mut trace = Trace::new(telling);
    trace.event(Moment::default(), &[], &[], || format!("{profile:?}"));
    let machines = (0..profile.members).map(|index| Machine::new(index, &profile, &mut rng)).collect();
    let sides = vec![false; profile.members];
    let mut world = World {
        profile,
        rng,
        now: Moment::default(),
        queue: BinaryHeap::new(),
        queued: 0,
        machines,
        sides,
        acquainted: false,
        calm: false,
        trace,
        stats: Stats::default(),
    };
    let result = world.run();
    world.stats.events = world.trace.events();
    world.stats.virtual_ms = world.now.as_ms();
    (result, world.stats, world.trace)
}

impl World {
    fn run(&mut self) -> Result<(), Violation> {
        for member in 0..self.machines.len() {
            let within = self.rng.random_range(0..2_000);
            self.after(Duration::from_millis(within), Event::Returns(member));
        }
        let faults = self.profile.faults;
        self.after(faults, Event::Calm);
        self.fate_later();
        self.cut_later();
        let mut calm_since = None;
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            self.now = at;
            if matches!(event, Event::Calm) {
                calm_since = Some(at);
            }
            if matches!(event, Event::End) {
                return Err(self.disagreement());
            }
            self.happen(event);
            self.check_bounds()?;
            if let Some(since) = calm_since.filter(|_| self.is_of_one_mind()) {
                self.stats.converged_ms = self.now.as_ms() - since.as_ms();
                return Ok(());
            }
        }
        unreachable!("the end is on the list")
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives { to, life, datagram } => {
                let now = self.clock(to);
                if let Some(lives) = self.machines[to].of_life(life) {
                    // A datagram of another life is refused; that is what a real path brings too.
                    let _ = lives.membership.handle_datagram(&datagram, now);
                    self.flush(to);
                }
            }
            Event::Timeout { member, life } => {
                let now = self.clock(member);
                if let Some(lives) = self.machines[member].of_life(life) {
                    lives.membership.handle_timeout(now);
                    self.flush(member);
                }
            }
            Event::Dials { member, life } => self.dial(member, life),
            Event::Fades { one, other } => self.fade(one, other),
            Event::Fate => self.fate(),
            Event::Returns(member) => self.begin(member),
            Event::Cut => self.cut(),
            Event::Heal => self.heal(),
            Event::Calm => self.calm_down(),
            Event::End => {}
        }
    }

    fn after(&mut self, later: Duration, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((self.now.plus(later), self.queued, event)));
    }

    fn clock(&self, member: usize) -> Now {
        let offset_ms = self.machines[member].skew_ms;
        let wall = WallClock { offset_ms, drift_ppm: 0 }.read(self.now);
        Now { wall, mono: Monotonic::since_start(self.now.since(Moment::default())) }
    }

    /// Sends what a member has to say, and sets its next timeout.
    fn flush(&mut self, member: usize) {
        let Some(lives) = &mut self.machines[member].lives else { return };
        let life = lives.number;
        let mut sent = Vec::new();
        while let Some((to, datagram)) = lives.membership.poll_transmit() {
            sent.push((to, datagram));
        }
        let due = lives.membership.poll_timeout();
        let news = lives.timeout_is_new(due);
        for (replica, datagram) in sent {
            self.send(member, replica, datagram);
        }
        if let Some(due) = due.filter(|_| news) {
            let now = Monotonic::since_start(self.now.since(Moment::default()));
            self.after(due.since(now), Event::Timeout { member, life });
        }
    }

    fn send(&mut self, from: usize, replica: playmark::crdt::ReplicaId, datagram: Bytes) {
        self.stats.frames += 1;
        self.stats.bytes += datagram.len() as u64;
        let Some(to) = self.machines.iter().position(|it| it.replica == replica && it.links.contains(&from))
        else {
            return;
        };
        self.trace.event(self.now, &[from as u64, to as u64], &datagram, || {
            format!("m{from} → m{to}: {} bytes", datagram.len())
        });
        let is_lost = chance(&mut self.rng, self.profile.loss_percent) && !self.calm;
        let Some(life) = self.machines[to].lives.as_ref().map(|it| it.number) else { return };
        if !is_lost && self.is_open(from, to) {
            let jitter = self.rng.random_range(0..=self.profile.latency_ms);
            let late = Duration::from_millis(self.profile.latency_ms + jitter);
            self.after(late, Event::Arrives { to, life, datagram });
        }
    }

    fn is_open(&self, one: usize, other: usize) -> bool {
        self.sides[one] == self.sides[other]
    }

    /// Makes the links that a member wants and a path allows.
    fn dial(&mut self, member: usize, life: u64) {
        let Some(lives) = self.machines[member].of_life(life) else { return };
        let mut wanted: Vec<_> = lives.membership.members().to_dial().map(machine::address_of).collect();
        self.acquainted = self.acquainted || self.is_of_one_mind();
        let join_is_gone = self.acquainted && self.profile.join_vanishes;
        wanted.extend(self.machines[member].join.iter().filter(|_| !join_is_gone));
        for other in wanted {
            if other != member && self.is_open(member, other) && !self.machines[member].links.contains(&other)
            {
                self.link(member, other);
            }
        }
        let pause = self.rng.random_range(100..=DIAL_EVERY_MS);
        self.after(Duration::from_millis(pause), Event::Dials { member, life });
    }

    fn link(&mut self, one: usize, other: usize) {
        let names = [one, other].map(|it| self.machines[it].lives.as_ref().map(|it| it.hello.clone()));
        let [Some(first), Some(second)] = names else { return };
        self.trace.event(self.now, &[one as u64, other as u64], b"link", || format!("m{one} ⇄ m{other}"));
        for (here, there, peer) in [(one, other, second), (other, one, first)] {
            let now = self.clock(here);
            self.machines[here].links.insert(there);
            if let Some(lives) = &mut self.machines[here].lives {
                lives.membership.handle_link_up(peer, now);
            }
        }
        self.flush(one);
        self.flush(other);
    }

    fn unlink(&mut self, one: usize, other: usize) {
        for (here, there) in [(one, other), (other, one)] {
            let replica = self.machines[there].replica;
            self.machines[here].links.remove(&there);
            if let Some(lives) = &mut self.machines[here].lives {
                lives.membership.handle_link_down(replica);
            }
        }
    }

    /// Gives a link up whose path is still cut, or whose other end has gone.
    fn fade(&mut self, one: usize, other: usize) {
        let is_whole = self.machines[one].lives.is_some() && self.machines[other].lives.is_some();
        if !is_whole || !self.is_open(one, other) {
            self.unlink(one, other);
        }
    }
}
