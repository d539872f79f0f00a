//! What becomes of a span that was begun, given up, and fed again.

use super::{Net, id, key, slot};
use crate::{
    crdt::{Key, Origin, Span, Timestamp, TitleId},
    replica::{ENTER_AGAIN_AFTER, Message, plan},
    store::Read,
};

/// Where an origin's writes went, as a replica could tell others.
fn index(net: &Net, at: usize, origin: Origin) -> Vec<(Timestamp, Key)> {
    let span = Span { origin, after: Timestamp::ZERO, upto: Timestamp::from_u64(u64::MAX) };
    net.replicas[at].store().changes(span, usize::MAX).expect("memory can be read")
}

#[test]
fn a_span_whose_beginning_has_entered_again_is_fed_from_its_beginning() {
    // Two hears of zero's writes through one alone, and for long not even that there are more of them.
    let mut net = Net::of(3);
    let now = net.now;
    net.replicas[2].handle_peer_down(id(0), now);
    net.replicas[0].handle_peer_down(id(2), now);
    let origin = net.replicas[0].origin();
    net.write(0, &key(1), 10, b"first");
    net.pass(2 * plan::STATUS_INTERVAL);
    assert_eq!(index(&net, 2, origin).len(), 1, "one feeds two");
    net.lose = |from, to, message| {
        let is_first = matches!(message, Message::Part(part) if part.number < 2);
        (from, to) == (1, 2) && !is_first && !matches!(message, Message::Ack(_))
    };
    for title in 0..100u16 {
        let title = TitleId::parse("ada", &format!("film {title}")).expect("an id");
        net.stage(0, &title.key(slot(1)), 10, &[1; 400]);
    }
    net.commit(0);
    net.settle();
    let begun = index(&net, 2, origin).len();
    assert!((2..101).contains(&begun), "a part of it has come: {begun}");
    net.pass(ENTER_AGAIN_AFTER + 2 * plan::STATUS_INTERVAL);
    net.lose = |_, _, _| false;
    net.pass(plan::STALL_AFTER + 3 * plan::STATUS_INTERVAL);
    net.assert_alike();
    let (two, one) = (index(&net, 2, origin), index(&net, 1, origin));
    assert!(two == one, "it covers {} writes, and can feed {}", one.len(), two.len());
}
