//! Three regions: the real door, replica and reader, and beside them the two that let the last writer win.
//!
//! What is committed is told at once to whoever can be reached: how replicas come to be equal, and how soon,
//! is the business of the other worlds.

use std::time::Duration;

use playmark::{
    crdt::{Monotonic, Now, Origin, ReplicaId, TitleId, WallTime},
    playback::{
        Began, Claims, Heartbeat, Known, Outcome, Policy, Refused, Rights, Sender, SessionId, Title, accept,
        answer, retain_title, slot::FENCE,
    },
    replica::{ALONE_AFTER, Beginning, Linger, Options, Replica, Retain, plan::STATUS_INTERVAL},
    store::{Durability, MemoryStore},
    zoo::{Bug, planted},
};

use super::baseline::{By, Places, Told};
use crate::{
    disk::found,
    profile::region_of,
    time::{Moment, WallClock},
};

/// How many systems are compared.
pub(super) const SYSTEMS: usize = 3;
/// How many statuses may pass until replicas that can be reached are equal.
const STATUSES_MAX: u32 = 30;
/// The pairs of regions.
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

struct Region {
    replica: Replica<MemoryStore>,
    clock: WallClock,
    others: [Places; 2],
}

/// The three regions and the links between them.
pub(super) struct Regions {
    all: [Region; 3],
    linked: [[bool; 3]; 3],
    /// Time for timers, which only the replicas see.
    mono: Monotonic,
}

/// What a player's request comes to.
pub(super) enum Reply {
    /// Taken in, and perhaps a fresh line.
    Taken(Option<Box<Claims>>),
    Refused(Refused),
}

impl Regions {
    /// Three regions that hear each other, with these clocks.
    pub(super) fn new(clocks: [WallClock; 3]) -> Self {
        let region = |number: usize| {
            let bits = number as u128 + 1;
            let retain = Retain { leaving: retain_title, fence: FENCE };
            let (id, origin) = (ReplicaId::from_random(bits), Origin::from_random(bits));
            let (beginning, alone_after) = (Beginning::Alone, ALONE_AFTER);
            let region = region_of(number);
            let options =
                Options { id, region, origin, retain, linger: Linger::NONE, beginning, alone_after };
            let now = Now { wall: clocks[number].read(Moment::default()), mono: Monotonic::default() };
            let replica = Replica::open(options, MemoryStore::default(), now).expect("memory can be read");
            let others = [Places::new(By::Arrival, number), Places::new(By::DeviceClock, number)];
            Region { replica, clock: clocks[number], others }
        };
        let all = [region(0), region(1), region(2)];
        let mut regions = Self { all, linked: Default::default(), mono: Monotonic::default() };
        regions.cut([false; 3], Moment::default());
        regions
    }

    pub(super) fn wall(&self, at: usize, moment: Moment) -> WallTime {
        self.all[at].clock.read(moment)
    }

    fn now(&self, at: usize, moment: Moment) -> Now {
        Now { wall: self.wall(at, moment), mono: self.mono }
    }

    /// Whether every region hears every other.
    pub(super) fn is_whole(&self) -> bool {
        PAIRS.iter().all(|&(one, other)| self.linked[one][other])
    }

    /// Cuts those of the three links whose flag is set, and mends the others; who can be reached is told all.
    pub(super) fn cut(&mut self, cut: [bool; 3], moment: Moment) {
        for ((one, other), cut) in PAIRS.into_iter().zip(cut) {
            for (from, to) in [(one, other), (other, one)] {
                if self.linked[from][to] != cut {
                    continue;
                }
                self.linked[from][to] = !cut;
                let other = &self.all[to].replica;
                let (peer, origin, region) = (other.id(), other.origin(), other.region().clone());
                let now = self.now(from, moment);
                let replica = &mut self.all[from].replica;
                if cut {
                    replica.handle_peer_down(peer, now);
                } else {
                    replica.handle_peer_up(peer, origin, region, now);
                }
            }
        }
        self.settle(moment);
        self.tell_others(Places::hear_all);
    }

    /// Lets the replicas' time pass until those that can reach each other, over whomever, are equal.
    fn settle(&mut self, moment: Moment) {
        for _ in 0..STATUSES_MAX {
            (0..3).for_each(|at| self.talk(at, moment));
            let vector = |at: usize| self.all[at].replica.vector();
            if PAIRS.iter().all(|&(one, other)| !self.linked[one][other] || vector(one) == vector(other)) {
                return;
            }
            self.mono = self.mono.plus(STATUS_INTERVAL);
            for at in 0..3 {
                let now = self.now(at, moment);
                self.all[at].replica.handle_timeout(now);
            }
        }
        panic!("regions that hear each other are not equal after {STATUSES_MAX} statuses");
    }

    /// Commits at one node, and says what there is to say until nobody answers any more.
    fn talk(&mut self, at: usize, moment: Moment) {
        let now = self.now(at, moment);
        self.all[at].replica.commit(Durability::Synced, now).expect("memory can be written");
        let mut speaks = vec![at];
        while let Some(from) = speaks.pop() {
            let now = self.now(from, moment);
            while let Some(transmit) = self.all[from].replica.poll_transmit(now).expect("memory can be read")
            {
                let is_to = |region: &Region| region.replica.id() == transmit.to;
                let to = self.all.iter().position(is_to).expect("all peers are among the three");
                if !self.linked[from][to] {
                    continue;
                }
                let (sender, now) = (self.all[from].replica.id(), self.now(to, moment));
                let replica = &mut self.all[to].replica;
                replica.handle_message(sender, transmit.message, now).expect("all are correct");
                replica.commit(Durability::Synced, now).expect("memory can be written");
                speaks.push(to);
            }
        }
    }

    /// Lets the other systems' nodes hear of each other; twice, so that one may pass on what another said.
    fn tell_others(&mut self, hear: impl Fn(&mut Places, &Places)) {
        for (from, to) in [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)].into_iter().cycle().take(12) {
            if !self.linked[from][to] {
                continue;
            }
            let [from, to] = self.all.get_disjoint_mut([from, to]).expect("two regions");
            to.others.iter_mut().zip(&from.others).for_each(|(place, other)| hear(place, other));
        }
    }

    fn title(&self, at: usize, title: &TitleId) -> Title {
        found(self.all[at].replica.store(), title)
    }

    /// Opens a session.
    pub(super) fn open(&self, at: usize, moment: Moment, title: &TitleId, session: SessionId) -> Claims {
        let shown = self.title(at, title).shown_to(session);
        let wall = self.wall(at, moment);
        Claims::open(title.clone(), session, None, Rights::ALL, &shown, wall, &Policy::default())
    }

    /// Gives a running session a fresh line; `None` where its authorisation has run out.
    pub(super) fn renew(&self, at: usize, moment: Moment, old: &Claims, sent_ms: u64) -> Option<Claims> {
        let shown = self.title(at, &old.title).shown_to(old.session);
        old.renewed(sent_ms, &shown, self.wall(at, moment))
    }

    /// Dates a session that began offline.
    pub(super) fn derive(
        &self,
        at: usize,
        moment: Moment,
        title: &TitleId,
        session: SessionId,
        began: &Began,
    ) -> Claims {
        let wall = self.wall(at, moment);
        let derived = began.derive(wall).expect("these players count rightly");
        let (title, policy) = (title.clone(), Policy::default());
        Claims::derived(title, session, None, Rights::ALL, derived, wall, &policy)
    }

    /// Takes a heartbeat, in each of the systems.
    pub(super) fn take(
        &mut self,
        at: usize,
        moment: Moment,
        claims: &Claims,
        heartbeat: &Heartbeat,
        reported: WallTime,
    ) -> Reply {
        let (wall, policy) = (self.wall(at, moment), Policy::default());
        self.tell_baselines(at, claims, heartbeat, reported, wall);
        let known = Known { fence: self.title(at, &claims.title).fence(), ..Known::default() };
        let accepted = match accept(heartbeat, Sender::Signed(claims), known, wall, &policy) {
            Ok(accepted) => accepted,
            Err(why) => return Reply::Refused(why),
        };
        if let Outcome::Write { place, completion } = &accepted.outcome {
            for write in std::iter::once(place).chain(completion) {
                let now = self.now(at, moment);
                let replica = &mut self.all[at].replica;
                let mut stamp = write.stamp;
                if planted(Bug::StampClampedToNow) {
                    stamp.time = stamp.time.max(now.wall);
                }
                let written = replica.write(&write.key, stamp, write.value.clone(), now);
                written.expect("memory can be written");
            }
            self.talk(at, moment);
        }
        let title = self.title(at, &claims.title);
        let sent_ms = heartbeat.sent_elapsed_ms.expect("these players always say it");
        let answer = answer(claims, accepted.stamp, sent_ms, &title, title.resume(&policy).as_ref(), wall);
        Reply::Taken(answer.fresh.map(|(claims, _)| Box::new(claims)))
    }

    fn tell_baselines(
        &mut self,
        at: usize,
        claims: &Claims,
        heartbeat: &Heartbeat,
        reported: WallTime,
        wall: WallTime,
    ) {
        let played_ms = heartbeat.played_ms.expect("these players always say it");
        if !heartbeat.deliberate && Duration::from_millis(played_ms) < playmark::playback::ENGAGED {
            return;
        }
        let seq = heartbeat.seq.expect("these players always say it");
        let told = Told { session: claims.session, seq, position_ms: heartbeat.position_ms, reported };
        for places in &mut self.all[at].others {
            places.take(&claims.title, told, wall);
        }
        self.tell_others(|place, other| place.hear(other, &claims.title));
    }

    /// Where each system says that the title was left.
    pub(super) fn positions_ms(&self, at: usize, title: &TitleId) -> [Option<u64>; SYSTEMS] {
        let point = self.title(at, title).resume(&Policy::default());
        let [arrival, device] = &self.all[at].others;
        [
            point.map(|point| point.place.sample.position_ms),
            arrival.position_ms(title),
            device.position_ms(title),
        ]
    }
}
