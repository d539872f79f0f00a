mod audit;
mod early;
mod golden;
mod joining;
mod narrow;

use std::{collections::VecDeque, time::Duration};

use super::{
    ALONE_AFTER, Beginning, ENTER_AGAIN_AFTER, HandleError, Linger, Message, Options, Part, PeerMisbehaved,
    Replica, Retain, WINDOW_PARTS, WriteError, feed::WINDOW_PARTS_AT_FIRST, plan, wire,
};
use crate::{
    crdt::{
        Key, Merged, Monotonic, Now, Origin, Region, Register, ReplicaId, Slot, Stamp, TitleId, WallTime,
    },
    store::{Durability, FailedCommit, MemoryStore, Read},
};

#[test]
fn a_write_reaches_every_peer_and_is_acknowledged_back_as_synced() {
    let mut net = Net::of(3);
    let dot = net.write(0, &key(1), 10, b"here");
    net.settle();
    net.assert_alike();
    assert!(!net.replicas[0].is_replicated(dot));
    net.replicas[1].sync().expect("memory syncs");
    net.settle();
    assert!(net.replicas[0].is_replicated(dot));
}

#[test]
fn a_lost_part_is_a_gap_and_is_asked_for_again() {
    let mut net = Net::of(2);
    net.settle();
    net.lose = |from, _, message| from == 0 && matches!(message, Message::Part(_));
    net.write(0, &key(1), 10, b"lost");
    net.settle();
    assert_eq!(net.value(1, &key(1)), None);
    net.lose = |_, _, _| false;
    net.write(0, &key(2), 11, b"after");
    net.settle();
    net.assert_alike();
}

#[test]
fn a_lost_last_part_is_noticed_by_the_next_statuses() {
    let mut net = Net::of(2);
    net.settle();
    net.lose = |from, _, message| from == 0 && matches!(message, Message::Part(_));
    net.write(0, &key(1), 10, b"lost");
    net.settle();
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
}

#[test]
fn a_cut_between_two_is_passed_through_the_third() {
    let mut net = Net::of(3);
    net.settle();
    net.lose = |from, to, _| from + to == 1;
    net.write(0, &key(1), 10, b"from zero");
    net.write(1, &key(2), 10, b"from one");
    net.pass(plan::STALL_AFTER + 3 * plan::STATUS_INTERVAL);
    net.assert_alike();
}

#[test]
fn a_position_whose_merge_changed_nothing_is_relayed_all_the_same() {
    let mut net = Net::of(3);
    net.settle();
    // Two holds something greater before it hears of one's write; zero hears only of two.
    net.lose = |from, to, _| from + to == 1;
    net.write(2, &key(1), 20, b"greater");
    net.write(1, &key(1), 10, b"lesser");
    net.pass(plan::STALL_AFTER + 3 * plan::STATUS_INTERVAL);
    net.assert_alike();
    assert_eq!(net.value(0, &key(1)).as_deref(), Some(&b"greater"[..]));
}

#[test]
fn an_overwritten_entry_is_answered_with_what_stands() {
    let mut net = Net::of(3);
    net.lose = |_, _, _| true;
    net.write(0, &key(1), 10, b"zero");
    net.lose = |from, to, _| from + to != 1;
    net.pass(plan::STALL_AFTER);
    net.write(1, &key(1), 20, b"one");
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
}

#[test]
fn a_pruned_entry_is_answered_with_what_the_title_kept() {
    let mut net = Net::of(2);
    net.lose = |_, _, _| true;
    for session in 0..5 {
        net.write(0, &key(session), 10 + u64::from(session), b"place");
    }
    assert_eq!(net.value(0, &key(0)), None, "only the three greatest stay");
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
}

#[test]
fn a_profiles_fence_erases_all_its_titles_and_what_comes_later_from_before_it() {
    let mut net = Net::of(3);
    let other = TitleId::parse("ada", "nosferatu").expect("both are ids").key(slot(1));
    let scope = title().profile.scope().key(FENCE);
    net.lose = |_, _, _| true;
    net.write(0, &key(1), 10, b"erased");
    net.write(0, &other, 30, b"later");
    net.write(1, &other, 15, b"erased, and comes late");
    net.write(2, &scope, 20, b"");
    net.lose = |from, to, _| from + to == 1;
    net.pass(2 * plan::STALL_AFTER + 4 * plan::STATUS_INTERVAL);
    net.assert_alike();
    assert_eq!(net.value(0, &key(1)), None);
    assert_eq!(net.value(1, &other).as_deref(), Some(&b"later"[..]));
    let now = net.now;
    let behind = net.replicas[1].write(&key(2), stamp(20), b"behind the fence"[..].into(), now);
    assert_eq!(behind.expect("staged"), Merged::Unchanged);
}

#[test]
fn the_same_said_again_elsewhere_takes_no_dot_and_is_told_to_nobody() {
    let mut net = Net::of(2);
    net.settle();
    // The repetition comes to whoever's dots are less, by which an equal stamp would be decided.
    let (greater, lesser) = if net.replicas[0].origin() > net.replicas[1].origin() { (0, 1) } else { (1, 0) };
    let dot = net.write(greater, &key(1), 10, b"here");
    net.settle();
    let now = net.now;
    let again = net.replicas[lesser].write(&key(1), stamp(10), b"here"[..].into(), now);
    assert_eq!(again.expect("staged"), Merged::Unchanged);
    net.replicas[lesser].commit(Durability::Process, now).expect("memory can be written");
    assert_eq!(net.replicas[lesser].standing(&key(1)).expect("memory can be read"), Some(dot));
}

#[test]
fn a_lost_tail_is_learnt_again_from_peers() {
    let mut net = Net::of(2);
    net.settle();
    let tail = net.write(0, &key(1), 10, b"unsynced");
    net.settle();
    net.cut_power(0);
    assert!(!net.replicas[0].vector().covers(tail));
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
    assert!(net.replicas[0].vector().covers(tail));
}

#[test]
fn what_a_lost_life_left_behind_enters_again() {
    let mut net = Net::of(2);
    net.settle();
    // Of a span of many parts only the first arrives; its writer loses all of it.
    net.lose = |_, _, message| matches!(message, Message::Part(part) if part.number > 0);
    for title in 0..100u16 {
        let title = TitleId::parse("ada", &format!("film {title}")).expect("an id");
        net.stage(0, &title.key(slot(1)), 10, &[1; 400]);
    }
    net.commit(0);
    net.settle();
    let early = net.replicas[1].store().registers().count();
    assert!(early > 0 && net.replicas[1].vector().is_empty());
    net.cut_power(0);
    net.lose = |_, _, _| false;
    net.pass(ENTER_AGAIN_AFTER + 3 * plan::STATUS_INTERVAL);
    net.assert_alike();
    assert_eq!(net.replicas[0].store().registers().count(), early);
}

#[test]
fn a_new_life_syncs_what_an_earlier_one_left_unsynced() {
    let mut net = Net::of(1);
    net.write(0, &key(1), 10, b"unsynced");
    let store = net.replicas.remove(0).into_store();
    assert!(store.unsynced() > 0);
    let replica = Replica::open(options(0, 201), store, net.now).expect("memory can be read");
    assert_eq!((replica.store().unsynced(), replica.synced()), (0, replica.vector()));
}

#[test]
fn what_is_committed_while_a_device_syncs_is_not_told_as_synced() {
    let mut net = Net::of(2);
    let before = net.write(0, &key(1), 10, b"before");
    net.settle();
    let upto = net.replicas[1].vector().clone();
    let meanwhile = net.write(0, &key(2), 11, b"meanwhile");
    net.settle();
    net.replicas[1].synced_upto(&upto);
    net.settle();
    assert!(net.replicas[0].is_replicated(before));
    assert!(!net.replicas[0].is_replicated(meanwhile));
}

#[test]
fn a_new_link_tells_what_was_synced_before_it() {
    let mut net = Net::of(2);
    let dot = net.write(0, &key(1), 10, b"here");
    net.settle();
    net.replicas[1].sync().expect("memory syncs");
    net.settle();
    net.link(0, 1);
    net.link(1, 0);
    assert!(!net.replicas[0].is_replicated(dot));
    net.settle();
    assert!(net.replicas[0].is_replicated(dot));
}

#[test]
fn the_window_opens_with_what_is_acknowledged_and_no_further_than_its_bound() {
    let mut net = Net::of(2);
    net.settle();
    let mut rounds = 0..4 * WINDOW_PARTS;
    let write = |net: &mut Net, rounds: &mut dyn Iterator<Item = u64>| {
        for round in rounds {
            net.write(0, &key(u8::try_from(round).expect("less than 256")), 100, &[7; 400]);
            net.settle();
        }
        net.replicas[0].in_flight().map(|(_, parts)| parts).max()
    };
    let acks_lost = |_, _, message: &Message| matches!(message, Message::Ack(_));
    net.lose = acks_lost;
    assert_eq!(write(&mut net, &mut rounds.by_ref().take(5)), Some(WINDOW_PARTS_AT_FIRST));
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    assert_eq!(write(&mut net, &mut rounds.by_ref().take(40)), Some(0));
    net.lose = acks_lost;
    assert_eq!(write(&mut net, &mut rounds), Some(WINDOW_PARTS));
}

#[test]
fn a_feed_that_is_asked_anew_goes_on_in_the_span_where_it_was() {
    let mut net = Net::of(2);
    net.lose = |_, _, _| true;
    for title in 0..600u16 {
        let title = TitleId::parse("ada", &format!("film {title}")).expect("an id");
        net.write(0, &title.key(slot(1)), 10, &[1; 200]);
    }
    net.lose = |_, _, message| matches!(message, Message::Part(part) if part.number == 3);
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.lose = |_, _, message| matches!(message, Message::Part(part) if begins_from_nothing(part));
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
}

/// Whether a part carries the first of all writes, as if nothing had been merged before it.
fn begins_from_nothing(part: &Part) -> bool {
    part.delta.items.iter().any(|item| item.key.title.content.as_str() == "film 0")
}

#[test]
fn a_feed_of_many_parts_moves_the_vector_with_the_last() {
    let mut net = Net::of(2);
    net.lose = |_, _, _| true;
    for title in 0..600u16 {
        let title = TitleId::parse("ada", &format!("film {title}")).expect("an id");
        net.write(0, &title.key(slot(1)), 10, &[1; 200]);
    }
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
}

#[test]
fn after_a_failed_commit_the_life_is_over() {
    let mut net = Net::of(2);
    net.settle();
    let now = net.now;
    let replica = &mut net.replicas[0];
    replica.write(&key(1), stamp(10), b"unknown"[..].into(), now).expect("staged");
    replica.store_mut().fail_next_commit(FailedCommit::Present);
    replica.commit(Durability::Process, now).expect_err("the disk fails");
    let again = replica.write(&key(1), stamp(11), b"later"[..].into(), now);
    assert!(matches!(again, Err(WriteError::LifeIsOver)));
    replica.commit(Durability::Process, now).expect_err("nothing more is written under this origin");
    replica.sync().expect_err("nothing more is claimed under this origin");
    assert_eq!(replica.poll_transmit(now).expect("nothing is read"), None);
}

#[test]
fn two_processes_that_run_as_one_are_found_out() {
    let mut net = Net::of(2);
    net.write(0, &key(1), 10, b"mine");
    net.settle();
    let twin = Replica::open(options(0, 100), MemoryStore::default(), net.now).expect("memory can be read");
    net.replicas[0] = twin;
    let (now, one) = (net.now, id(1));
    net.replicas[0].handle_peer_up(one, origin(101), region(), now);
    let status = Message::Status(super::Status {
        origin: origin(101),
        vector: net.replicas[1].vector().clone(),
        wall: now.wall,
        catching_up: false,
        across: [].into(),
    });
    let found = net.replicas[0].handle_message(one, status, now);
    assert!(matches!(found, Err(HandleError::Peer(PeerMisbehaved::Forked { .. }))), "{found:?}");
}

/// Replicas that talk through queues, in the order of sending.
struct Net {
    replicas: Vec<Replica<MemoryStore>>,
    queue: VecDeque<(usize, usize, Vec<u8>)>,
    lose: fn(usize, usize, &Message) -> bool,
    now: Now,
    lives: u128,
}

impl Net {
    fn of(size: usize) -> Self {
        let now = Now::at_ms(1_000);
        let open = |index| Replica::open(options(index, 100 + index as u128), MemoryStore::default(), now);
        let replicas = (0..size).map(|index| open(index).expect("memory can be read")).collect();
        let mut net = Self { replicas, queue: VecDeque::new(), lose: |_, _, _| false, now, lives: 200 };
        for (a, b) in pairs(size) {
            net.link(a, b);
        }
        (0..size).for_each(|at| net.commit(at));
        net
    }

    fn link(&mut self, a: usize, b: usize) {
        let origin = self.replicas[b].origin();
        self.replicas[a].handle_peer_up(id(b), origin, region(), self.now);
    }

    fn link_all(&mut self, at: usize) {
        for other in (0..self.replicas.len()).filter(|&other| other != at) {
            self.link(other, at);
            self.link(at, other);
        }
    }

    fn stage(&mut self, at: usize, key: &Key, time: u64, value: &[u8]) {
        self.replicas[at].write(key, stamp(time), value.into(), self.now).expect("the life goes on");
    }

    fn commit(&mut self, at: usize) {
        self.replicas[at].commit(Durability::Process, self.now).expect("memory can be written");
    }

    /// Writes and commits, but sends nothing yet.
    fn write(&mut self, at: usize, key: &Key, time: u64, value: &[u8]) -> crate::crdt::Dot {
        let replica = &mut self.replicas[at];
        let before = replica.vector().clone();
        replica.write(key, stamp(time), value.into(), self.now).expect("the life goes on");
        replica.commit(Durability::Process, self.now).expect("memory can be written");
        let origin = replica.origin();
        assert!(replica.vector().upto(origin) > before.upto(origin), "the write was taken");
        crate::crdt::Dot { origin, version: replica.vector().upto(origin) }
    }

    /// Delivers until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            self.collect();
            let Some((from, to, frame)) = self.queue.pop_front() else { return };
            let message = wire::decode(&frame).expect("it was encoded").expect("its kind is known");
            if !(self.lose)(from, to, &message) {
                self.replicas[to].handle_message(id(from), message, self.now).expect("peers are correct");
                self.replicas[to].commit(Durability::Process, self.now).expect("memory can be written");
            }
        }
    }

    fn collect(&mut self) {
        for from in 0..self.replicas.len() {
            while let Some(transmit) =
                self.replicas[from].poll_transmit(self.now).expect("memory can be read")
            {
                let frame = wire::encode(&transmit.message);
                assert!(frame.len() <= wire::FRAME_BYTES_MAX);
                let to = (0..self.replicas.len()).find(|&to| id(to) == transmit.to).expect("a peer");
                self.queue.push_back((from, to, frame));
            }
        }
    }

    /// Lets time go by in steps of a quarter of a second.
    fn pass(&mut self, time: Duration) {
        let end = self.now.mono.plus(time);
        while self.now.mono < end {
            self.now = Now {
                wall: self.now.wall.plus_ms(250),
                mono: self.now.mono.plus(Duration::from_millis(250)),
            };
            for at in 0..self.replicas.len() {
                self.replicas[at].handle_timeout(self.now);
                self.commit(at);
            }
            self.settle();
        }
    }

    fn cut_power(&mut self, at: usize) {
        self.lives += 1;
        let placeholder = Replica::open(options(at, 0), MemoryStore::default(), self.now);
        let replica = std::mem::replace(&mut self.replicas[at], placeholder.expect("memory can be read"));
        let mut store = replica.into_store();
        store.lose_unsynced(0);
        self.replicas[at] =
            Replica::open(options(at, self.lives), store, self.now).expect("memory can be read");
        self.link_all(at);
    }

    fn value(&self, at: usize, key: &Key) -> Option<Vec<u8>> {
        let register = self.replicas[at].store().register(key).expect("memory can be read");
        register.map(|register| register.value.to_vec())
    }

    fn titles(&self, at: usize) -> Vec<(Slot, Register)> {
        self.replicas[at].store().title(&title()).expect("memory can be read")
    }

    fn assert_alike(&self) {
        for at in 1..self.replicas.len() {
            assert_eq!(self.replicas[at].vector(), self.replicas[0].vector(), "vector of {at}");
            assert_eq!(self.titles(at), self.titles(0), "registers of {at}");
        }
    }
}

fn pairs(size: usize) -> Vec<(usize, usize)> {
    (0..size).flat_map(|a| (0..size).map(move |b| (a, b))).filter(|(a, b)| a != b).collect()
}

fn id(index: usize) -> ReplicaId {
    ReplicaId::from_random(index as u128)
}

fn origin(bits: u128) -> Origin {
    Origin::from_random(bits)
}

fn region() -> Region {
    "eu".parse().expect("a region")
}

fn options(index: usize, life: u128) -> Options {
    let retain = Retain { leaving: all_but_three, fence: FENCE };
    let (beginning, alone_after) = (Beginning::Alone, ALONE_AFTER);
    let (id, region, origin) = (id(index), region(), origin(life));
    Options { id, region, origin, retain, linger: Linger::NONE, beginning, alone_after }
}

const FENCE: Slot = Slot { kind: 6, id: [0; 16] };

fn all_but_three(registers: &[(Slot, Stamp)], profile_fence: Option<Stamp>) -> Vec<Slot> {
    let mut by_stamp = registers.to_vec();
    by_stamp.sort_by_key(|&(slot, stamp)| std::cmp::Reverse((Some(stamp) > profile_fence, stamp, slot)));
    let stays = by_stamp.iter().take_while(|&&(_, stamp)| Some(stamp) > profile_fence).take(3).count();
    by_stamp.into_iter().skip(stays).map(|(slot, _)| slot).collect()
}

fn title() -> TitleId {
    TitleId::parse("ada", "metropolis").expect("both are ids")
}

fn slot(session: u8) -> Slot {
    Slot { kind: 2, id: [session; 16] }
}

fn key(session: u8) -> Key {
    title().key(slot(session))
}

fn stamp(time: u64) -> Stamp {
    Stamp { time: WallTime::from_ms(time), counter: 0, writer: [0; 16] }
}

#[test]
fn a_late_or_early_timeout_does_nothing() {
    let mut net = Net::of(2);
    net.settle();
    net.replicas[0].handle_timeout(Now { wall: net.now.wall, mono: Monotonic::default() });
    net.collect();
    assert!(net.queue.is_empty());
}
