//! Paths that carry less than what is written.

use std::collections::VecDeque;

use super::*;
use crate::replica::LISTED_MAX;

/// Frames with parts that wait for their turn on a path; everything else passes it by.
type Path = VecDeque<Message>;

impl Net {
    /// Writes every key again.
    fn rewrite(&mut self, keys: &[Key], time: u64) {
        self.now.wall = self.now.wall.plus_ms(1);
        for key in keys {
            self.stage(0, key, time, &[7; 32]);
        }
        self.commit(0);
    }

    fn standing(&self, at: usize, key: &Key) -> Option<Register> {
        self.replicas[at].store().register(key).expect("memory can be read")
    }

    fn deliver(&mut self, to: usize, message: Message) {
        let from = id(1 - to);
        self.replicas[to].handle_message(from, message, self.now).expect("peers are correct");
        self.commit(to);
    }

    /// Delivers all but parts, until nobody has anything else to say.
    fn pass_by(&mut self, path: &mut Path) {
        loop {
            self.collect();
            let Some((_, to, frame)) = self.queue.pop_front() else { return };
            let message = wire::decode(&frame).expect("it was encoded").expect("its kind is known");
            if matches!(message, Message::Part(_)) {
                path.push_back(message);
            } else {
                self.deliver(to, message);
            }
        }
    }
}

fn keys(count: usize) -> Vec<Key> {
    let key = |number| TitleId::parse("ada", &format!("film {number}")).expect("both are ids").key(slot(1));
    (0..count).map(key).collect()
}

#[test]
fn a_feed_that_is_slower_than_the_writers_comes_to_the_end_of_its_spans() {
    let mut net = Net::of(2);
    net.settle();
    let (keys, mut path, writer) = (keys(1_000), Path::new(), net.replicas[0].origin());
    net.rewrite(&keys, 1);
    let first = net.replicas[0].vector().upto(writer);
    // A part carries some hundred of a thousand keys, and all of them are written again before the next one passes.
    let mut parts = 0;
    while net.replicas[1].vector().upto(writer) < first {
        parts += 1;
        assert!(parts <= 30, "its end runs away from it");
        net.rewrite(&keys, 1 + parts);
        net.pass_by(&mut path);
        let part = path.pop_front().expect("a feed that is behind has something to say");
        net.deliver(1, part);
        net.pass_by(&mut path);
    }
    assert!(parts > 3, "a span of many parts was meant");
    // What was on its way when its end was fixed came as it stood later, and was told as that.
    for part in path {
        net.deliver(1, part);
    }
    net.settle();
    assert_eq!(net.replicas[1].vector(), net.replicas[0].vector());
    for key in &keys {
        assert_eq!(net.standing(1, key), net.standing(0, key));
    }
}

#[test]
fn more_than_a_list_holds_is_fed_all_the_same() {
    let mut net = Net::of(2);
    net.settle();
    let keys = keys(LISTED_MAX + 5_000);
    net.rewrite(&keys, 1);
    net.settle();
    assert_eq!(net.replicas[1].vector(), net.replicas[0].vector());
    let last = keys.last().expect("there are many");
    assert_eq!(net.standing(1, last), net.standing(0, last));
}
