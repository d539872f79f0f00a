//! What the owner of a transport is told, and in which order.

use std::time::Duration;

use playmark::{
    crdt::{Origin, ReplicaId, Timestamp},
    transport::{
        FRAME_BYTES_MAX, Gossip, LinkEnd, LinkEvent, PeerState, Priority, QUEUE_FRAMES_MAX, SendError,
    },
};

use super::{
    relay::Relay,
    world::{Authority, Node, eventually, within},
};

#[tokio::test]
async fn frames_travel_both_ways_in_the_order_of_their_priority() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", b.address())];
    let mut a = Node::start(options);

    let ((hello_b, to_b), (hello_a, to_a)) = (a.up().await, b.up().await);
    assert_eq!((hello_a.name, hello_b.name), (demo.name("a"), demo.name("b")));
    assert_eq!((hello_a.replica, hello_b.replica), (to_a.peer(), to_b.peer()));

    let bytes = |priority: Priority, number: u8| vec![number; 1 + 500 * (priority as usize)];
    for priority in Priority::ALL {
        for number in 0..50 {
            to_b.send(bytes(priority, number), priority).expect("there is room");
            to_a.send(bytes(priority, number), priority).expect("there is room");
        }
    }
    for (node, id) in [(&mut a, to_b.id()), (&mut b, to_a.id())] {
        let mut next = [0_u8; 3];
        for _ in 0..3 * 50 {
            let (link, frame) = node.frame().await;
            assert_eq!(link, id);
            let priority = Priority::ALL[frame.len() / 500];
            assert_eq!(frame, bytes(priority, next[priority as usize]), "{priority:?}");
            next[priority as usize] += 1;
        }
    }

    let status = a.status(&demo.name("b")).expect("a configured peer");
    assert_eq!((status.state, status.last_error), (PeerState::Up, None));
    assert!(status.bytes_sent > 50 * 1_500 && status.bytes_received > 50 * 1_500);
    assert!(status.rtt.is_some());
    let seen = b.status(&demo.name("a")).expect("a peer that dialled in");
    assert_eq!((seen.state, seen.address), (PeerState::Up, None));
}

#[tokio::test]
async fn the_longest_frame_passes_and_a_longer_one_is_refused() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", b.address())];
    let mut a = Node::start(options);
    let ((_, to_b), (_, _to_a)) = (a.up().await, b.up().await);

    for length in [0, 1, FRAME_BYTES_MAX] {
        to_b.send(vec![7; length], Priority::Bulk).expect("there is room");
        assert_eq!(b.frame().await.1, vec![7; length]);
    }
    let bytes = FRAME_BYTES_MAX + 1;
    assert_eq!(to_b.send(vec![7; bytes], Priority::Bulk), Err(SendError::TooLarge { bytes }));
}

#[tokio::test]
async fn two_that_dial_each_other_at_once_end_with_one_link() {
    let demo = Authority::new("demo");
    for round in 0..8 {
        let (before_a, before_b) = (Relay::bind().await, Relay::bind().await);
        let ids = if round % 2 == 0 { (1, 2) } else { (2, 1) };
        let mut options = demo.options("a", ids.0);
        options.peers = vec![demo.peer("b", before_b.address)];
        let mut a = Node::start(options);
        let mut options = demo.options("b", ids.1);
        options.peers = vec![demo.peer("a", before_a.address)];
        let mut b = Node::start(options);
        tokio::join!(before_a.lead_to(&a), before_b.lead_to(&b));

        let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);
        // Round trips over a while in which both might have dialled again: nothing but frames is told.
        for number in 0..200_u8 {
            to_b.send(vec![number], Priority::Control).expect("the link stands");
            assert_eq!(b.frame().await, (to_a.id(), vec![number]), "round {round}");
            to_a.send(vec![number], Priority::Control).expect("the link stands");
            assert_eq!(a.frame().await, (to_b.id(), vec![number]), "round {round}");
        }
        for (node, peer) in [(&a, "b"), (&b, "a")] {
            let status = node.status(&demo.name(peer)).expect("a configured peer");
            assert_eq!((status.state, status.last_error), (PeerState::Up, None), "round {round}");
        }
    }
}

#[tokio::test]
async fn three_nodes_have_a_link_for_each_pair() {
    let demo = Authority::new("demo");
    let names = ["a", "b", "c"];
    let relays = [Relay::bind().await, Relay::bind().await, Relay::bind().await];
    let mut nodes = Vec::new();
    for (name, replica) in names.into_iter().zip([2, 3, 1]) {
        let mut options = demo.options(name, replica);
        let others = names.iter().zip(&relays).filter(|(other, _)| **other != name);
        options.peers = others.map(|(other, relay)| demo.peer(other, relay.address)).collect();
        nodes.push(Node::start(options));
    }
    for (relay, node) in relays.iter().zip(&nodes) {
        relay.lead_to(node).await;
    }
    for (node, name) in nodes.iter_mut().zip(names) {
        let mut peers = [node.up().await.0.name, node.up().await.0.name];
        peers.sort();
        let others: Vec<_> =
            names.into_iter().filter(|other| *other != name).map(|it| demo.name(it)).collect();
        assert_eq!(peers, *others);
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_has_room_again_when_the_peer_reads() {
    let demo = Authority::new("demo");
    let mut b = Node::start_with(demo.options("b", 2), 1);
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", b.address())];
    let mut a = Node::start(options);
    let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);

    // What a stream's window holds on its way, and what the queue holds behind it.
    let window = 2 * 1_024 * 1_024 / FRAME_BYTES_MAX;
    let least = u32::try_from(window + QUEUE_FRAMES_MAX).expect("few") - 1;
    let mut sent = 0_u32;
    within(async {
        loop {
            match to_b.send(sent.to_be_bytes().repeat(FRAME_BYTES_MAX / 4), Priority::Bulk) {
                Ok(()) => sent += 1,
                Err(SendError::Full) if sent >= least => break,
                Err(SendError::Full) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
    assert_eq!(to_b.room(Priority::Bulk), 0);
    assert!(sent < least + 64, "{sent} frames are on the way or wait, and the peer reads none");

    // Urgent frames go past all that, both here and there.
    to_b.send("urgent", Priority::Control).expect("its queue is empty");
    to_a.send("back", Priority::Control).expect("its queue is empty");
    assert_eq!(a.frame().await.1, b"back");
    let (mut bulk, mut urgent_after) = (0, None);
    while bulk < sent {
        match b.frame().await.1 {
            frame if frame == b"urgent" => urgent_after = Some(bulk),
            frame => {
                assert_eq!(frame[..4], bulk.to_be_bytes());
                bulk += 1;
            }
        }
    }
    assert!(urgent_after.expect("it has come") < sent, "before the bulk that was queued before it");
    eventually(|| (to_b.room(Priority::Bulk) == QUEUE_FRAMES_MAX).then_some(())).await;
}

#[tokio::test]
async fn what_is_urgent_goes_first_where_the_path_is_narrow() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let relay = Relay::before(&b).await;
    relay.narrow(4_000_000);
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", relay.address)];
    let mut a = Node::start(options);
    let ((_, to_b), (_, _to_a)) = (a.up().await, b.up().await);

    let send = |priority: Priority, frames: usize| {
        for _ in 0..frames {
            to_b.send(vec![priority as u8; FRAME_BYTES_MAX], priority).expect("there is room");
        }
    };
    send(Priority::Bulk, 60);
    assert_eq!(b.frame().await.1[0], Priority::Bulk as u8);
    send(Priority::Delta, 20);
    send(Priority::Control, 20);
    let mut arrived = [0; 3];
    while arrived[Priority::Control as usize] < 20 {
        arrived[usize::from(b.frame().await.1[0])] += 1;
    }
    // Only what was on its way already comes before; one after the other it would be as many of each.
    let [_, deltas, bulk] = arrived;
    assert!(deltas < 5 && bulk < 12, "{deltas} deltas and {bulk} of bulk before 20 of control");
}

#[tokio::test]
async fn a_node_that_closes_is_seen_to_leave() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", b.address())];
    let mut a = Node::start(options);
    let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);

    within(b.transport.close("upgrade")).await;
    assert_eq!(to_a.send("late", Priority::Control), Err(SendError::Gone));
    assert_eq!(a.down().await, (to_b.id(), LinkEnd::PeerLeft("upgrade".into())));
    assert_eq!(to_b.send("late", Priority::Control), Err(SendError::Gone));
    let mut last = None;
    while let Some(event) = within(b.events.recv()).await {
        last = Some(event);
    }
    assert!(matches!(last, Some(LinkEvent::Down { why: LinkEnd::Leaving(_), .. })), "{last:?}");
}

#[tokio::test]
async fn a_link_that_its_owner_closes_comes_up_again() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", b.address())];
    let mut a = Node::start(options);
    let ((_, to_b), (_, to_a)) = (a.up().await, b.up().await);

    to_a.close("a span ends before it starts");
    assert!(matches!(b.down().await, (id, LinkEnd::Dismissed(_)) if id == to_a.id()));
    let (id, why) = a.down().await;
    assert_eq!(id, to_b.id());
    assert_eq!(why, LinkEnd::PeerClosed { code: 2, reason: "a span ends before it starts".into() });
    let ((_, again_b), (_, again_a)) = (a.up().await, b.up().await);
    assert!(again_b.id() > to_b.id() && again_a.id() > to_a.id());
}

#[tokio::test]
async fn links_that_never_last_are_dialled_ever_more_seldom() {
    let demo = Authority::new("demo");
    let (before_a, before_b) = (Relay::bind().await, Relay::bind().await);
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", before_b.address)];
    let mut a = Node::start(options);
    let mut options = demo.options("b", 2);
    options.peers = vec![demo.peer("a", before_a.address)];
    let mut b = Node::start(options);
    tokio::join!(before_a.lead_to(&a), before_b.lead_to(&b));

    let mut links = 0;
    let refuse_all = async {
        loop {
            let (_, link) = a.up().await;
            links += 1;
            link.close("a message of which this build knows nothing");
            a.down().await;
        }
    };
    let take_all = async { while b.events.recv().await.is_some() {} };
    // Two loops whose mean pauses are 50, 100, 200 … ms have some six turns each in three seconds.
    let _ = tokio::time::timeout(Duration::from_secs(3), async { tokio::join!(refuse_all, take_all) }).await;
    assert!((2..40).contains(&links), "{links} links in three seconds");
}

#[tokio::test]
async fn datagrams_pass_beside_the_frames_and_links_are_told_of_in_both_channels() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let mut options = demo.options("a", 1);
    options.join = vec![b.address().to_string()];
    let mut a = Node::start(options);

    let ((hello, to_b), _) = (a.up().await, b.up().await);
    assert_eq!(hello.name, demo.name("b"), "it was dialled by its address alone, and has proven its name");
    assert_eq!(
        hello.address,
        Some(b.address().to_string()),
        "one address that it listens on is the one to dial"
    );
    let Gossip::Up { peer, .. } = b.heard().await else { panic!("a link comes before its datagrams") };
    assert_eq!(peer.name, demo.name("a"));
    to_b.send_datagram(vec![7; 1_100].into());
    let heard = b.heard().await;
    assert!(matches!(&heard, Gossip::Datagram(datagram) if *datagram == vec![7; 1_100]), "{heard:?}");
    to_b.close("enough");
    let heard = b.heard().await;
    assert!(matches!(heard, Gossip::Down { peer, .. } if peer == ReplicaId::from_random(1)), "{heard:?}");
}

#[tokio::test]
async fn of_two_lives_of_a_replica_the_later_one_keeps_the_link() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let life = |life: u64, origin: u128| {
        let mut options = demo.options("a", 1);
        options.peers = vec![demo.peer("b", b.address())];
        (options.life, options.origin) = (Timestamp::from_u64(life), Origin::from_random(origin));
        options
    };
    let (later, earlier) = (life(9, 9), life(8, 8));
    let _later = Node::start(later);
    assert_eq!(b.up().await.0.origin, Origin::from_random(9));
    let earlier = Node::start(earlier);
    earlier.error(&demo.name("b"), &["a later life of this replica", "stop one of two nodes"]).await;
}

#[tokio::test]
async fn whom_others_tell_of_is_dialled_until_nobody_does() {
    let demo = Authority::new("demo");
    let mut b = Node::start(demo.options("b", 2));
    let mut a = Node::start(demo.options("a", 1));
    a.transport.wanted().set(vec![demo.peer("b", b.address()), demo.peer("a", a.address())]);
    let (hello, to_b) = a.up().await;
    assert_eq!((hello.name, b.up().await.0.name), (demo.name("b"), demo.name("a")));
    a.transport.wanted().set(Vec::new());
    assert_eq!(
        a.status(&demo.name("b")).expect("it has a link").state,
        PeerState::Up,
        "a link that stands is left alone"
    );
    eventually(|| a.status(&demo.name("b"))?.address.is_none().then_some(())).await;
    let again = demo.peer("b", b.address());
    to_b.close("enough");
    eventually(|| (a.status(&demo.name("b"))?.state == PeerState::Down).then_some(())).await;
    a.transport.wanted().set(vec![again]);
    eventually(|| (a.status(&demo.name("b"))?.state == PeerState::Up).then_some(())).await;
}
