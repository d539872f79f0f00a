//! Who gets no link, and how both sides learn why.

use std::{fs, time::Duration};

use playmark::{
    crdt::WallTime,
    transport::{
        FRAME_BYTES_MAX, HANDSHAKES_MAX, LinkEnd, LinkEvent, PeerMisbehaved, PeerState, SEEN_MAX, Transport,
        TransportError, TransportOptions, WireVersions,
    },
};
use tokio::sync::mpsc;

use super::{
    forger::{Forger, closed, hello_of, say},
    relay::Relay,
    world::{Authority, Node, directory, eventually, wall_now, within},
};

/// Two nodes that dial each other.
async fn pair(a: TransportOptions, b: TransportOptions) -> (Node, Node, [Relay; 2]) {
    let relays = [Relay::bind().await, Relay::bind().await];
    let start = |mut options: TransportOptions, peer: &TransportOptions, relay: &Relay| {
        options.peers = vec![playmark::transport::PeerAddress {
            name: peer.name.clone(),
            address: relay.address.to_string(),
        }];
        Node::start(options)
    };
    let (node_a, node_b) = (start(a.clone(), &b, &relays[1]), start(b, &a, &relays[0]));
    relays[0].lead_to(&node_a).await;
    relays[1].lead_to(&node_b).await;
    (node_a, node_b, relays)
}

#[tokio::test]
async fn certificates_of_another_authority_are_refused_and_both_sides_say_so() {
    let (demo, impostor) = (Authority::new("demo"), Authority::new("demo"));
    let (a, b, _relays) = pair(demo.options("a", 1), impostor.options("b", 2)).await;
    a.error(&demo.name("b"), &["handshake", "UnknownIssuer"]).await;
    b.error(&demo.name("a"), &["handshake", "UnknownIssuer"]).await;
}

#[tokio::test]
async fn a_stranger_is_blamed_on_the_peer_that_is_dialled_at_its_address() {
    let (demo, impostor) = (Authority::new("demo"), Authority::new("demo"));
    let forger = Forger::bind();
    let mut options = demo.options("a", 1);
    options.peers = vec![demo.peer("b", forger.endpoint.local_addr().expect("an address"))];
    let a = Node::start(options);
    eventually(|| a.status(&demo.name("b")).filter(|status| status.state == PeerState::Dialing)).await;

    let mut paths = impostor.certify("b");
    paths.ca = demo.directory.join("ca.crt");
    let connection = forger.connect(a.address(), &demo.name("a"), &paths).await;
    // Who dials has finished its part of the handshake when the other side says no.
    let refused = match connection {
        Ok(connection) => connection.closed().await,
        Err(error) => error,
    };
    assert!(matches!(refused, quinn::ConnectionError::ConnectionClosed(_)), "{refused}");
    a.error(&demo.name("b"), &["refused the handshake", "UnknownIssuer"]).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_both_sides_say_so() {
    let demo = Authority::new("demo");
    let mut expired = demo.options("b", 2);
    let two_years_ago = wall_now().minus_ms(2 * 365 * 24 * 60 * 60 * 1_000);
    expired.identity = demo.certify_at("b", two_years_ago);
    let (a, b, _relays) = pair(demo.options("a", 1), expired).await;
    assert!(b.transport.certificate_expires() < wall_now());
    assert!(a.transport.certificate_expires() > wall_now());
    a.error(&demo.name("b"), &["refused the handshake", "xpired"]).await;
    b.error(&demo.name("a"), &["the peer refused the handshake", "expired"]).await;
}

#[tokio::test]
async fn builds_without_a_common_wire_version_part_and_both_sides_say_so() {
    let demo = Authority::new("demo");
    let mut newer = demo.options("b", 2);
    newer.wire = WireVersions { min: 2, max: 3 };
    let (a, b, _relays) = pair(demo.options("a", 1), newer).await;
    a.error(&demo.name("b"), &["wire versions", "1-1", "2-3"]).await;
    b.error(&demo.name("a"), &["wire versions", "1-1", "2-3"]).await;
}

#[tokio::test]
async fn two_nodes_with_one_data_directory_part_and_both_sides_say_so() {
    let demo = Authority::new("demo");
    let (a, b, _relays) = pair(demo.options("a", 1), demo.options("b", 1)).await;
    a.error(&demo.name("b"), &["one replica"]).await;
    b.error(&demo.name("a"), &["one replica"]).await;
}

#[tokio::test]
async fn a_second_replica_under_a_name_is_refused_while_the_first_has_its_link() {
    let demo = Authority::new("demo");
    for second in [0, 3] {
        let mut a = Node::start(demo.options("a", 1));
        let mut options = demo.options("b", 2);
        options.peers = vec![demo.peer("a", a.address())];
        let b = Node::start(options);
        let (_, to_b) = a.up().await;

        let mut options = demo.options("b", second);
        options.peers = vec![demo.peer("a", a.address())];
        let clone = Node::start(options);
        clone.error(&demo.name("a"), &["code 21", "has a link already"]).await;
        to_b.send("still here", playmark::transport::Priority::Control).expect("the first link stands");
        drop(b);
        let (id, why) = a.down().await;
        assert_eq!(id, to_b.id());
        assert!(matches!(why, LinkEnd::PeerLeft(_)), "{why}");
        let (hello, _) = a.up().await;
        assert_eq!(hello.replica, playmark::crdt::ReplicaId::from_random(second));
    }
}

#[tokio::test]
async fn a_hello_of_another_cluster_is_refused() {
    let (demo, other) = (Authority::new("demo"), Authority::new("other"));
    // Believed by mistake: the file of authorities holds both.
    let both = directory().join("both.crt");
    let pem = |authority: &Authority| fs::read_to_string(authority.directory.join("ca.crt")).expect("a file");
    fs::write(&both, pem(&demo) + &pem(&other)).expect("a file");
    let mut options = demo.options("a", 1);
    options.identity.ca.clone_from(&both);
    let a = Node::start(options);

    let mut paths = other.certify("b");
    paths.ca = both;
    let connection =
        Forger::bind().connect(a.address(), &demo.name("a"), &paths).await.expect("TLS believes both");
    let hello = hello_of(&other.name("b"), 2);
    let _words = say(&connection, hello.len(), &hello).await;
    let (code, reason) = closed(&connection).await;
    assert_eq!((code, &*reason), (17, "cluster \"other\" is not \"demo\""));
    a.error(&other.name("b"), &["\"other\" is not \"demo\""]).await;
}

#[tokio::test]
async fn a_hello_that_its_certificate_does_not_carry_is_refused() {
    let demo = Authority::new("demo");
    let a = Node::start(demo.options("a", 1));
    let paths = demo.certify("mallory");
    let connection =
        Forger::bind().connect(a.address(), &demo.name("a"), &paths).await.expect("a certificate");
    let hello = hello_of(&demo.name("b"), 2);
    let _words = say(&connection, hello.len(), &hello).await;
    let (code, reason) = closed(&connection).await;
    assert_eq!(code, 19);
    assert!(reason.contains("b.eu.demo"), "{reason}");
    assert_eq!(a.transport.status(), [], "a name that is not proven is blamed on nobody");
}

#[tokio::test]
async fn hellos_that_are_none_are_refused() {
    let demo = Authority::new("demo");
    let a = Node::start(demo.options("a", 1));
    let paths = demo.certify("b");
    let mut longer_name = hello_of(&demo.name("b"), 2);
    longer_name[2] = 0xdb;
    for (length, bytes, code) in [
        (0, &[][..], 33),
        (5, &b"hello"[..], 33),
        (longer_name.len(), &longer_name[..], 33),
        (1_025, &[][..], 32),
        (usize::from(u16::MAX) << 15, &[][..], 32),
    ] {
        let connection = Forger::bind().connect(a.address(), &demo.name("a"), &paths).await.expect("a link");
        let _words = say(&connection, length, bytes).await;
        assert_eq!(closed(&connection).await.0, code, "{length} {bytes:?}");
    }
}

#[tokio::test]
async fn whoever_says_nothing_is_hung_up_on() {
    let demo = Authority::new("demo");
    let a = Node::start(demo.options("a", 1));
    let forger = Forger::bind();
    let connection =
        forger.connect(a.address(), &demo.name("a"), &demo.certify("b")).await.expect("a certificate");
    let (code, reason) = closed(&connection).await;
    assert_eq!(code, 23, "{reason}");
}

#[tokio::test]
async fn strangers_beyond_the_bound_are_refused_before_their_handshake() {
    let demo = Authority::new("demo");
    let a = Node::start(demo.options("a", 1));
    let (forger, paths) = (Forger::bind(), demo.certify("b"));
    let mut silent = Vec::new();
    let refused = loop {
        match forger.connect(a.address(), &demo.name("a"), &paths).await {
            Ok(connection) => silent.push(connection),
            Err(error) => break error,
        }
        assert!(silent.len() <= HANDSHAKES_MAX, "{} handshakes", silent.len());
    };
    assert!(matches!(refused, quinn::ConnectionError::ConnectionClosed(_)), "{refused}");
    assert_eq!(silent.len(), HANDSHAKES_MAX);
    // Their places are free again when they have gone.
    drop(silent);
    within(async { while forger.connect(a.address(), &demo.name("a"), &paths).await.is_err() {} }).await;
}

#[tokio::test]
async fn no_more_than_so_many_refused_peers_are_remembered() {
    let demo = Authority::new("demo");
    let a = Node::start(demo.options("a", 1));
    let forger = Forger::bind();
    for number in 0..=SEEN_MAX {
        let name = demo.name(&format!("n{number}"));
        let paths = demo.certify(name.name());
        let connection = forger.connect(a.address(), &demo.name("a"), &paths).await.expect("a certificate");
        let hello = hello_of(&name, 1);
        let _words = say(&connection, hello.len(), &hello).await;
        assert_eq!(closed(&connection).await.0, 20, "the node's own replica");
        a.error(&name, &["one replica"]).await;
    }
    assert_eq!(a.transport.status().len(), SEEN_MAX);
    assert_eq!(a.status(&demo.name("n0")), None, "the one of longest ago is forgotten");
}

/// Brings a forger so far that the node calls it a peer.
async fn befriend(a: &mut Node, demo: &Authority, forger: &Forger) -> (quinn::Connection, quinn::SendStream) {
    let connection =
        forger.connect(a.address(), &demo.name("a"), &demo.certify("b")).await.expect("a certificate");
    let hello = hello_of(&demo.name("b"), 2);
    let words = say(&connection, hello.len(), &hello).await;
    a.up().await;
    (connection, words)
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_loses_its_link() {
    let demo = Authority::new("demo");
    let mut a = Node::start(demo.options("a", 1));

    let forger = Forger::bind();
    let (connection, _words) = befriend(&mut a, &demo, &forger).await;
    let _control = say(&connection, FRAME_BYTES_MAX + 1, b"").await;
    assert_eq!(closed(&connection).await.0, 32);
    let too_large = PeerMisbehaved::FrameTooLarge { bytes: 65_537 };
    assert_eq!(a.down().await.1, LinkEnd::Misbehaved(too_large));

    let (connection, _words) = befriend(&mut a, &demo, &forger).await;
    let mut control = say(&connection, 3, b"abc").await;
    control.finish().expect("it is open");
    assert_eq!(closed(&connection).await.0, 35);
    assert_eq!(a.down().await.1, LinkEnd::Misbehaved(PeerMisbehaved::StreamEnded));

    let (connection, mut words) = befriend(&mut a, &demo, &forger).await;
    words.write_all(&[0, 0, 0, 2, 9, 1]).await.expect("it is open");
    assert_eq!(closed(&connection).await.0, 34);
    assert!(matches!(a.down().await.1, LinkEnd::Misbehaved(PeerMisbehaved::BadNote(_))));

    // Notes of a later build are no offence, and a peer that is merely silent is given up.
    let (connection, mut words) = befriend(&mut a, &demo, &forger).await;
    words.write_all(&[0, 0, 0, 2, 1, 77]).await.expect("it is open");
    assert_eq!(closed(&connection).await.0, 3);
    assert_eq!(a.down().await.1, LinkEnd::Silent(Duration::from_secs(3)));
}

#[tokio::test]
async fn a_start_that_cannot_work_says_what_to_change() {
    let demo = Authority::new("demo");
    let refused = |change: &dyn Fn(&mut TransportOptions)| {
        let mut options = demo.options("a", 1);
        change(&mut options);
        let (events, _kept) = mpsc::channel::<LinkEvent>(1);
        let error: TransportError =
            Transport::start(options, events, mpsc::channel(1).0).expect_err("it cannot work");
        error.to_string()
    };
    let taken = Node::start(demo.options("b", 2));
    let lone = directory().join("nothing.crt");
    fs::write(&lone, "no PEM at all").expect("a file");
    let address = "127.0.0.1:9".parse().expect("an address");
    for (change, words) in [
        (
            &|it: &mut TransportOptions| it.identity = demo.certify("z") as _,
            "does not carry the name a.eu.demo",
        ),
        (&|it| it.identity.key = demo.certify("a").key, "does not go with its certificate"),
        (&|it| it.identity.ca.clone_from(&lone), "no certificate in it"),
        (&|it| it.identity.key = lone.with_extension("gone"), "nothing.gone"),
        (&|it| it.listen = taken.address(), "cannot listen on 127.0.0.1:"),
        (&|it| it.peers = vec![demo.peer("a", address)], "is this node itself"),
        (&|it| it.peers = vec![demo.peer("b", address); 2], "listed twice"),
        (&|it| it.keep_alive = it.idle_timeout, "below idle_timeout"),
        (&|it| it.backoff_min = Duration::ZERO, "backoff_min"),
    ] as [(&dyn Fn(&mut TransportOptions), &str); 9]
    {
        let error = refused(change);
        assert!(error.contains(words) && !error.contains('\n'), "{error}");
    }
    for address in ["", "host", "host:", "host:http", "host:0", "host:65536"] {
        let error = refused(&|it| {
            it.peers = vec![demo.peer("b", taken.address())];
            it.peers[0].address = address.to_owned();
        });
        assert!(error.contains("is not host:port"), "{address}: {error}");
    }
    assert!(taken.transport.certificate_expires() > WallTime::from_ms(0));
}
