//! Who is no peer: the region that it knocks at refuses it, and all regions go on.

use tokio::net::UdpSocket;

use super::trio::{Trio, point_after, status, up};
use crate::{
    patience::until_found,
    serving::{Authority, anonymous},
    transport::forger::Forger,
};

impl Trio {
    /// Fails unless the three, and only they, still tell each other what they take.
    async fn assert_among_themselves(&self, content: &str) {
        for (region, node) in self.nodes() {
            let content = format!("{content} in {region}");
            let dot = node.stored(&anonymous(&content, 61_000, "playing")).await;
            for (other, reader) in self.nodes() {
                let point = point_after(reader, &content, &dot).await;
                assert_eq!(point["position_ms"], 61_000, "{content} as read in {other}");
            }
            let status = status(node).await;
            assert_eq!((up(&status), status.misbehaved_total), (2, 0), "{region}: {:?}", status.peers);
        }
    }
}

#[tokio::test]
async fn a_node_of_another_authority_is_refused_and_the_others_go_on() {
    let trio = Trio::start().await;
    let elsewhere = Authority::make().await;
    let stranger = elsewhere.node("sa", &[("eu", trio.eu_address)]).await;
    let stranger = stranger.flagged("--found").start().await;
    stranger.stored(&anonymous("foreign", 61_000, "playing")).await;
    let why = until_found(async || {
        let status = status(&stranger).await;
        status.peers.into_iter().find_map(|peer| peer.last_error)
    })
    .await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    trio.assert_among_themselves("beside a stranger").await;
    let origin = status(&stranger).await.origin;
    for (region, node) in trio.nodes() {
        let status = status(node).await;
        assert!(status.vector.iter().all(|held| held.origin != origin), "{region} holds what it wrote");
        assert_eq!(node.position("foreign").await, None, "{region}");
    }
    assert_eq!(up(&status(&stranger).await), 0);
}

#[tokio::test]
async fn whoever_has_no_certificate_is_refused_and_the_others_go_on() {
    let trio = Trio::start().await;
    let name = playmark::transport::NodeName::new("eu-1", "eu".parse().expect("a region"), "demo");
    let name = name.expect("a name");
    let ca = trio.authority.certificates().join("ca.crt");
    // Who dials has finished its part of the handshake when the other side says no.
    let refused = match Forger::bind().connect_nameless(trio.eu_address, &name, &ca).await {
        Ok(connection) => crate::patience::within(connection.closed()).await,
        Err(why) => why,
    };
    assert!(refused.to_string().contains("certificate"), "{refused}");
    trio.assert_among_themselves("beside somebody nameless").await;
}

#[tokio::test]
async fn datagrams_that_are_no_quic_change_nothing() {
    let trio = Trio::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    for length in (0..1_400).step_by(7) {
        let noise: Vec<_> = (0..length).map(|at| u8::try_from(at * 31 % 251).expect("below 251")).collect();
        socket.send_to(&noise, trio.eu_address).await.expect("the loopback takes it");
    }
    trio.assert_among_themselves("beside noise").await;
}
