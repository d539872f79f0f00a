//! Nodes and an authority for them, on loopback.
#![expect(clippy::disallowed_methods, reason = "certificates are made for the present day")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

use playmark::{
    crdt::{Origin, ReplicaId, WallTime},
    transport::{
        Gossip, Link, LinkEnd, LinkEvent, LinkId, NodeName, PeerAddress, PeerHello, PeerState, PeerStatus,
        TlsPaths, Transport, TransportOptions, WireVersions, certs,
    },
};
use tokio::sync::mpsc;

use crate::patience::PATIENCE;
pub(crate) use crate::patience::{eventually, within};

pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) fn wall_now() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    WallTime::from_ms(u64::try_from(since.as_millis()).expect("before the year 584 million"))
}

/// A fresh directory of this test's own.
pub(crate) fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certs-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a directory can be made");
    path
}

/// A cluster's authority and what it signs.
pub(crate) struct Authority {
    pub(crate) directory: PathBuf,
    cluster: String,
}

impl Authority {
    pub(crate) fn new(cluster: &str) -> Self {
        let directory = directory();
        certs::make_ca(cluster, &directory, wall_now()).expect("an authority");
        Self { directory, cluster: cluster.to_owned() }
    }

    pub(crate) fn name(&self, name: &str) -> NodeName {
        NodeName::new(name, "eu".parse().expect("a region"), &self.cluster).expect("a name")
    }

    pub(crate) fn certify(&self, name: &str) -> TlsPaths {
        self.certify_at(name, wall_now())
    }

    pub(crate) fn certify_at(&self, name: &str, now: WallTime) -> TlsPaths {
        let region = "eu".parse().expect("a region");
        let files = certs::make_node(&self.directory, name, &region, &directory(), now).expect("a node");
        TlsPaths { ca: self.directory.join("ca.crt"), certificate: files.certificate, key: files.key }
    }

    pub(crate) fn options(&self, name: &str, replica: u128) -> TransportOptions {
        TransportOptions::new(
            LOOPBACK,
            self.name(name),
            ReplicaId::from_random(replica),
            Origin::from_random(replica),
            WireVersions { min: 1, max: 1 },
            self.certify(name),
        )
    }

    pub(crate) fn peer(&self, name: &str, address: SocketAddr) -> PeerAddress {
        PeerAddress { name: self.name(name), address: address.to_string() }
    }
}

/// A transport and what it has told.
pub(crate) struct Node {
    pub(crate) transport: Transport,
    pub(crate) events: mpsc::Receiver<LinkEvent>,
    pub(crate) heard: mpsc::Receiver<Gossip>,
}

impl Node {
    pub(crate) fn start(options: TransportOptions) -> Self {
        Self::start_with(options, 1_024)
    }

    pub(crate) fn start_with(options: TransportOptions, events_max: usize) -> Self {
        let (sender, events) = mpsc::channel(events_max);
        let (gossip, heard) = mpsc::channel(events_max);
        Self { transport: Transport::start(options, sender, gossip).expect("a transport"), events, heard }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.transport.local_addr()
    }

    pub(crate) async fn event(&mut self) -> LinkEvent {
        within(self.events.recv()).await.expect("the transport lives")
    }

    pub(crate) async fn heard(&mut self) -> Gossip {
        within(self.heard.recv()).await.expect("the transport lives")
    }

    pub(crate) async fn up(&mut self) -> (PeerHello, Link) {
        match self.event().await {
            LinkEvent::Up { peer, link } => (peer, link),
            other @ (LinkEvent::Frame { .. } | LinkEvent::Down { .. }) => {
                panic!("{other:?} where a link was to come up")
            }
        }
    }

    pub(crate) async fn frame(&mut self) -> (LinkId, Vec<u8>) {
        match self.event().await {
            LinkEvent::Frame { link, frame, .. } => (link, frame.to_vec()),
            other @ (LinkEvent::Up { .. } | LinkEvent::Down { .. }) => {
                panic!("{other:?} where a frame was to come")
            }
        }
    }

    /// The end of a link; frames that came before it are passed over.
    pub(crate) async fn down(&mut self) -> (LinkId, LinkEnd) {
        loop {
            match self.event().await {
                LinkEvent::Down { link, why, .. } => return (link, why),
                LinkEvent::Frame { .. } => {}
                other @ LinkEvent::Up { .. } => panic!("{other:?} where a link was to go down"),
            }
        }
    }

    pub(crate) fn status(&self, name: &NodeName) -> Option<PeerStatus> {
        self.transport.status().into_iter().find(|status| status.name == *name)
    }

    /// Waits for an error of a peer that has all of `words` in it.
    pub(crate) async fn error(&self, name: &NodeName, words: &[&str]) -> PeerStatus {
        let mut last = None;
        let matching = eventually(|| {
            let status = self.status(name)?;
            last.clone_from(&status.last_error);
            let error = status.last_error.as_ref()?;
            words.iter().all(|word| error.contains(word)).then_some(status)
        });
        let Ok(status) = tokio::time::timeout(PATIENCE / 2, matching).await else {
            panic!("{last:?} where all of {words:?} were to be said of {name}");
        };
        assert_ne!(status.state, PeerState::Up);
        status
    }
}
