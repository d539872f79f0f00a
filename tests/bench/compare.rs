//! What two replicas say to find out that they hold the same, and to find and mend one register that differs.
//!
//! `cargo bench --no-default-features --bench compare [-- REGISTERS…]`: two replicas in memory and in virtual time, that hold so many registers
//! (10^5, if none is given; 10^6 take nine minutes, for the store in memory looks at all of them for each shard). It weighs the frames of
//! comparisons, as they are sent and without those of QUIC: of one that finds all equal at rest, of one that does so while each writes two
//! hundred times a second, and all of them until a register that one of them has lost is found and back.

use std::{collections::VecDeque, env, time::Duration};

use playmark::{
    crdt::{Dot, Key, Now, Origin, Register, ReplicaId, Stamp, Timestamp, TitleId, WallTime},
    playback::{retain_title, slot},
    replica::{ALONE_AFTER, Beginning, Linger, Message, Options, Replica, Retain, Step, wire},
    store::{Batch, Durability, MemoryStore, Read, Store},
};

const TOTALS: [u64; 1] = [100_000];

/// How much virtual time goes by between two turns: each of them a write, under load.
const TURN: Duration = Duration::from_millis(5);

/// Beyond the count of all registers and the longest pause between two comparisons.
const PATIENCE: Duration = Duration::from_mins(10);

const BEGAN_MS: u64 = 1_800_000_000_000;

struct Pair {
    replicas: [Replica<MemoryStore>; 2],
    passed: Duration,
    /// What comparisons have said, one frame each, with who said it.
    said: Vec<(usize, Step, usize)>,
}

fn main() {
    let named: Vec<u64> = env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let totals = if named.is_empty() { TOTALS.to_vec() } else { named };
    println!("| registers | equal, at rest | equal, under load | one lost, until it is back |");
    println!("|---|---|---|---|");
    for total in totals {
        let mut alike = Pair::of(total, None);
        let at_rest = alike.until(None, |pair| pair.equal_costs().len() > 2);
        let at_rest = at_rest.equal_costs();
        let under_load = alike.until(Some(total), |pair| pair.equal_costs().len() > at_rest.len() + 2);
        let under_load = under_load.equal_costs();
        let lost = Pair::of(total, Some(total / 2));
        let key = key(total / 2);
        let mended = lost.mend(&key);
        println!(
            "| {total} | {} B | {} B | {} B in {} frames |",
            at_rest.iter().max().expect("it has been found equal"),
            under_load[at_rest.len()..].iter().max().expect("it has been found equal"),
            mended.said.iter().map(|(.., bytes)| bytes).sum::<usize>(),
            mended.said.len(),
        );
    }
}

impl Pair {
    /// Two replicas that have the same vector, of which the second may have lost a register.
    fn of(total: u64, lost: Option<u64>) -> Self {
        let now = now(Duration::ZERO);
        let open = |index: u128, lost| {
            let options = Options {
                id: ReplicaId::from_random(index),
                region: "eu".parse().expect("a region"),
                origin: Origin::from_random(100 + index),
                retain: Retain { leaving: retain_title, fence: slot::FENCE },
                linger: Linger::NONE,
                beginning: Beginning::Alone,
                alone_after: ALONE_AFTER,
            };
            Replica::open(options, store(total, lost), now).expect("memory can be read")
        };
        let mut replicas = [open(1, None), open(2, lost)];
        for at in 0..2 {
            let other = &replicas[1 - at];
            let (peer, origin, region) = (other.id(), other.origin(), other.region().clone());
            replicas[at].handle_peer_up(peer, origin, region, now);
        }
        Self { replicas, passed: Duration::ZERO, said: Vec::new() }
    }

    fn until(&mut self, writes_among: Option<u64>, is_over: impl Fn(&Self) -> bool) -> &Self {
        let until = self.passed + PATIENCE;
        while !is_over(self) {
            assert!(self.passed < until, "it takes longer than {PATIENCE:?}");
            self.turn(writes_among);
        }
        self
    }

    fn mend(mut self, key: &Key) -> Self {
        self.until(None, |pair| {
            pair.replicas[1].store().register(key).expect("memory can be read").is_some()
        });
        self
    }

    fn turn(&mut self, writes_among: Option<u64>) {
        self.passed += TURN;
        let now = now(self.passed);
        for (number, replica) in (0..).zip(&mut self.replicas) {
            replica.handle_timeout(now);
            if let Some(total) = writes_among {
                let moment = u64::try_from(self.passed.as_millis()).expect("it is short");
                let key = key((moment * 2 + number) * 7_919 % total);
                let stamp = Stamp { time: now.wall, counter: 0, writer: [9; 16] };
                replica.write(&key, stamp, [7; 40].as_slice().into(), now).expect("the life goes on");
            }
            replica.commit(Durability::Process, now).expect("memory can be written");
        }
        self.deliver(now);
    }

    fn deliver(&mut self, now: Now) {
        let mut under_way = VecDeque::new();
        loop {
            for from in 0..2 {
                while let Some(transmit) = self.replicas[from].poll_transmit(now).expect("memory can be read")
                {
                    if let Message::Compare(compare) = &transmit.message {
                        let bytes = wire::encode(&transmit.message).len();
                        self.said.push((from, compare.step.clone(), bytes));
                    }
                    under_way.push_back((from, transmit.message));
                }
            }
            let Some((from, message)) = under_way.pop_front() else { return };
            let sender = self.replicas[from].id();
            let receiver = &mut self.replicas[1 - from];
            receiver.handle_message(sender, message, now).expect("it is sound");
            receiver.commit(Durability::Process, now).expect("memory can be written");
        }
    }

    /// What each comparison came to that ended with *equal*, from its first frame on.
    fn equal_costs(&self) -> Vec<usize> {
        let mut costs = Vec::new();
        let mut bytes = 0;
        for (_, step, frame) in &self.said {
            bytes = if matches!(step, Step::Begin { .. }) { 0 } else { bytes } + frame;
            if *step == Step::Equal {
                costs.push(bytes);
            }
        }
        costs
    }
}

fn now(passed: Duration) -> Now {
    let began = Now::at_ms(0).mono;
    let passed_ms = u64::try_from(passed.as_millis()).expect("it is short");
    Now { wall: WallTime::from_ms(BEGAN_MS + passed_ms), mono: began.plus(passed) }
}

fn key(number: u64) -> Key {
    let title = TitleId::parse(&format!("viewer {number}"), "metropolis").expect("both are ids");
    title.key(slot::session(playmark::playback::SessionId::from_bytes([3; 16])))
}

/// What replicas hold that have been fed by a third.
fn store(total: u64, lost: Option<u64>) -> MemoryStore {
    let mut store = MemoryStore::default();
    let mut batch = Batch::default();
    let origin = Origin::from_random(7);
    for number in 0..total {
        let (key, version) = (key(number), Timestamp::new(WallTime::from_ms(BEGAN_MS - total + number), 0));
        let stamp = Stamp { time: version.wall(), counter: 0, writer: [3; 16] };
        let register = Register::seal(&key, stamp, Dot { origin, version }, [5; 40].as_slice().into());
        batch.changes.insert((origin, version), Some(key.clone()));
        batch.vector.advance(origin, version);
        if lost != Some(number) {
            batch.registers.insert(key, Some(register));
        }
    }
    store.commit(&batch, Durability::Synced).expect("memory can be written");
    store
}
