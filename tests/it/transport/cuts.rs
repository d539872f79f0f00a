//! Paths that are cut and heal, and peers that come back as somebody else.

use std::time::Duration;

use playmark::{
    crdt::{Origin, ReplicaId},
    transport::{LinkEnd, Priority, TransportOptions},
};

use super::{
    relay::Relay,
    world::{Authority, Node, within},
};

/// As patient as a test can be that waits for the patience to end.
fn impatient(mut options: TransportOptions) -> TransportOptions {
    options.keep_alive = Duration::from_millis(300);
    options.idle_timeout = Duration::from_millis(1_500);
    options
}

/// Two nodes, of which `a` dials `b` through a relay.
async fn two_with_a_relay(demo: &Authority) -> (Node, Node, Relay) {
    let b = Node::start(impatient(demo.options("b", 2)));
    let relay = Relay::before(&b).await;
    let mut options = impatient(demo.options("a", 1));
    options.peers = vec![demo.peer("b", relay.address)];
    (Node::start(options), b, relay)
}

#[tokio::test]
async fn a_cut_in_either_or_both_directions_brings_both_sides_down_and_a_heal_up_again() {
    let demo = Authority::new("demo");
    for (to_b, from_b) in [(true, true), (true, false), (false, true)] {
        let (mut a, mut b, relay) = two_with_a_relay(&demo).await;
        let ((_, before_b), (_, before_a)) = (a.up().await, b.up().await);
        relay.cut(to_b, from_b);
        let (down_at_a, down_at_b) = tokio::join!(a.down(), b.down());
        assert_eq!((down_at_a.0, down_at_b.0), (before_b.id(), before_a.id()));
        // Whoever gives up first says so, and where that way is open the other side hears it.
        let silent = |end: &LinkEnd| matches!(end, LinkEnd::Silent(_) | LinkEnd::PeerClosed { code: 3, .. });
        assert!(silent(&down_at_a.1) && silent(&down_at_b.1), "{down_at_a:?} {down_at_b:?}");

        relay.cut(false, false);
        let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);
        assert!(to_b.id() > before_b.id() && to_a.id() > before_a.id());
        to_b.send("healed", Priority::Delta).expect("the link stands");
        assert_eq!(b.frame().await, (to_a.id(), b"healed".to_vec()));
    }
}

#[tokio::test]
async fn a_busy_owner_is_not_taken_for_a_dead_one() {
    let demo = Authority::new("demo");
    let mut b = Node::start_with(impatient(demo.options("b", 2)), 1);
    let mut options = impatient(demo.options("a", 1));
    options.peers = vec![demo.peer("b", b.address())];
    let mut a = Node::start(options);
    let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);
    for number in 0..40_u8 {
        to_b.send(vec![number; 50_000], Priority::Control).expect("there is room");
    }
    // The owner of `b` takes nothing for longer than either side is patient.
    let silence = tokio::time::timeout(Duration::from_secs(4), a.events.recv()).await;
    assert!(silence.is_err(), "{silence:?}");
    for number in 0..40_u8 {
        assert_eq!(b.frame().await, (to_a.id(), vec![number; 50_000]));
    }
}

#[tokio::test]
async fn a_peer_that_restarts_is_down_and_then_up_with_its_new_origin() {
    let demo = Authority::new("demo");
    // Both orders of ids, for the decider and for the follower in the restarted role.
    for (at_a, at_b) in [(1, 2), (2, 1)] {
        let mut a = Node::start(demo.options("a", at_a));
        let relay = Relay::before(&a).await;
        let mut options = demo.options("b", at_b);
        options.peers = vec![demo.peer("a", relay.address)];
        let mut b = Node::start(options.clone());
        let ((hello, before), _) = (a.up().await, b.up().await);
        assert_eq!(hello.origin, options.origin);

        // As after a sudden death: nothing of the old life reaches `a` any more.
        relay.cut(true, true);
        options.origin = Origin::from_random(99);
        options.peers = vec![demo.peer("a", a.address())];
        let mut reborn = Node::start(options);
        let (id, why) = a.down().await;
        assert_eq!((id, why), (before.id(), LinkEnd::Replaced));
        let (hello, after) = a.up().await;
        assert_eq!((hello.replica, hello.origin), (ReplicaId::from_random(at_b), Origin::from_random(99)));
        assert!(after.id() > before.id());
        let (_, to_a) = reborn.up().await;
        to_a.send("again", Priority::Delta).expect("the link stands");
        assert_eq!(a.frame().await, (after.id(), b"again".to_vec()));
    }
}

#[tokio::test]
async fn a_peer_that_lost_a_link_this_side_still_holds_gets_another() {
    let demo = Authority::new("demo");
    let mut a = Node::start(impatient(demo.options("a", 1)));
    let relay = Relay::before(&a).await;
    let mut options = impatient(demo.options("b", 2));
    options.peers = vec![demo.peer("a", relay.address)];
    let mut b = Node::start(options);
    let ((_, before), (_, to_a)) = (a.up().await, b.up().await);
    // `b` gives up by itself while its words do not reach `a`.
    relay.cut(true, false);
    to_a.close("gone mad");
    b.down().await;
    relay.cut(false, false);
    let (id, _) = a.down().await;
    assert_eq!(id, before.id());
    let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);
    to_b.send("well again", Priority::Delta).expect("the link stands");
    assert_eq!(within(b.frame()).await, (to_a.id(), b"well again".to_vec()));
}
