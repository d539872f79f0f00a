//! A member of the cluster that says what nobody understands, as fast as it can.

use std::time::Duration;

use playmark::{
    crdt::{Origin, ReplicaId},
    transport::{
        Gossip, LinkEvent, NodeName, Priority, SendError, TlsPaths, Transport, TransportOptions, WireVersions,
    },
};
use tokio::{sync::mpsc, task::yield_now};

use super::trio::status;
use crate::{
    patience::{eventually, until_found, within},
    serving::{Authority, anonymous},
};

/// How often its link is to be closed for it.
const CLOSED: u64 = 5;

#[tokio::test]
async fn garbage_at_full_rate_costs_its_sender_the_link_and_nobody_an_answer() {
    let authority = Authority::make().await;
    let serve = authority.node("eu", &[]).await;
    let node = serve.start().await;
    // Certified, and nothing of it runs but its links.
    drop(authority.node("us", &[]).await);
    let (events, mut heard) = mpsc::channel(64);
    let (gossip, mut said) = mpsc::channel::<Gossip>(64);
    let mut options = options_of(&authority);
    options.join = vec![serve.replication_address().to_string()];
    options.backoff_max = options.backoff_min;
    let liar = Transport::start(options, events, gossip).expect("a transport");
    let lying = tokio::spawn(async move {
        let mut number = 0_u8;
        while let Some(event) = heard.recv().await {
            let LinkEvent::Up { link, .. } = event else { continue };
            // Whole frames of no version, of no message and of no end; and datagrams of the same kind.
            loop {
                number = number.wrapping_add(1);
                let frame = vec![number; 1 + usize::from(number) * 200];
                link.send_datagram(frame[..frame.len().min(1_000)].to_vec().into());
                match link.send(frame, Priority::ALL[usize::from(number) % 3]) {
                    Ok(()) => {}
                    Err(SendError::Full) => yield_now().await,
                    Err(SendError::Gone | SendError::TooLarge { .. }) => break,
                }
            }
        }
    });
    let deaf = tokio::spawn(async move { while said.recv().await.is_some() {} });

    let mut reports = 0_u64;
    until_found(async || {
        node.stored(&anonymous(&format!("film {reports}"), 61_000 + reports, "playing")).await;
        reports += 1;
        (status(&node).await.misbehaved_total >= CLOSED).then_some(())
    })
    .await;
    for number in 0..reports {
        assert_eq!(node.position(&format!("film {number}")).await, Some(61_000 + number));
    }
    eventually(|| liar.status().iter().find_map(|peer| peer.last_error.clone())).await;
    within(liar.close("enough")).await;
    lying.abort();
    deaf.abort();
}

fn options_of(authority: &Authority) -> TransportOptions {
    let file = |name: &str| authority.certificates().join(name);
    let identity = TlsPaths { ca: file("ca.crt"), certificate: file("us-1.crt"), key: file("us-1.key") };
    let name = NodeName::new("us-1", "us".parse().expect("a region"), "demo").expect("a name");
    let (replica, origin) = (ReplicaId::from_random(7), Origin::from_random(7));
    let wire = WireVersions { min: 1, max: 1 };
    let listen = ([127, 0, 0, 1], 0).into();
    TransportOptions {
        keep_alive: Duration::from_secs(1),
        ..TransportOptions::new(listen, name, replica, origin, wire, identity)
    }
}
