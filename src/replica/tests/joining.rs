//! Replicas that know less than their peers do.

use super::{Net, key, options, slot};
use crate::{
    crdt::TitleId,
    replica::{ALONE_AFTER, Beginning, Message, Options, Readiness, Replica, plan},
    store::MemoryStore,
};

#[test]
fn a_fresh_replica_knows_enough_when_it_has_what_the_founder_held() {
    let mut net = Net::of(1);
    for title in 0..600u16 {
        let title = TitleId::parse("ada", &format!("film {title}")).expect("an id");
        net.write(0, &title.key(slot(1)), 10, &[1; 200]);
    }
    net.join(1);
    net.lose = |_, _, message| matches!(message, Message::Part(part) if part.number > 2);
    net.settle();
    assert_eq!(net.replicas[1].readiness(), Readiness::CatchingUp);
    assert!(net.replicas[1].store().registers().count() > 0, "it has some of it");
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    net.assert_alike();
    assert_eq!(net.replicas[1].readiness(), Readiness::CaughtUp);
    net.join(2);
    net.lose = |from, to, _| from + to == 2;
    net.pass(plan::STALL_AFTER + 2 * plan::STATUS_INTERVAL);
    assert_eq!(net.replicas[2].readiness(), Readiness::CaughtUp, "from whoever has caught up itself");
}

#[test]
fn fresh_replicas_wait_for_each_other_until_somebody_founds() {
    let mut net = Net::of(0);
    net.join(0);
    net.join(1);
    net.pass(2 * ALONE_AFTER);
    for replica in &net.replicas {
        assert_eq!(replica.readiness(), Readiness::Unfounded);
    }
    net.begin_anew(0, Beginning::Founds);
    net.settle();
    assert_eq!(net.replicas[1].readiness(), Readiness::CaughtUp);
}

#[test]
fn a_known_replica_that_comes_back_waits_for_whoever_knows_more_and_not_for_ever() {
    let mut net = Net::of(1);
    net.join(1);
    net.settle();
    net.lose = |_, _, _| true;
    net.write(0, &key(1), 10, b"missed");
    net.begin_anew(1, Beginning::Joins);
    assert_eq!(net.replicas[1].readiness(), Readiness::Searching);
    net.pass(ALONE_AFTER / 2);
    net.lose = |_, _, message| matches!(message, Message::Part(_));
    net.pass(2 * ALONE_AFTER);
    assert_eq!(net.replicas[1].readiness(), Readiness::CatchingUp, "it knows that it lacks something");
    net.lose = |_, _, _| true;
    net.begin_anew(1, Beginning::Joins);
    net.pass(ALONE_AFTER);
    assert_eq!(net.replicas[1].readiness(), Readiness::CaughtUp, "it met nobody");
    assert_eq!(net.value(1, &key(1)), None);
}

impl Net {
    /// A fresh replica joins the others.
    fn join(&mut self, index: usize) {
        let options = Options { beginning: Beginning::Joins, ..options(index, 300 + index as u128) };
        let replica = Replica::open(options, MemoryStore::default(), self.now);
        self.replicas.push(replica.expect("memory can be read"));
        self.link_all(index);
    }

    /// A replica's process ends, and another begins on its store.
    fn begin_anew(&mut self, at: usize, beginning: Beginning) {
        self.lives += 1;
        let placeholder = Replica::open(options(at, 0), MemoryStore::default(), self.now);
        let replica = std::mem::replace(&mut self.replicas[at], placeholder.expect("memory can be read"));
        let options = Options { beginning, ..options(at, self.lives) };
        let replica = Replica::open(options, replica.into_store(), self.now);
        self.replicas[at] = replica.expect("memory can be read");
        self.link_all(at);
    }
}
