//! Nodes in `eu`, `us` and `ap`, each of which dials those before it.

use std::net::SocketAddr;

use playmark::http::StatusView;
use serde_json::Value;

use crate::{
    patience::until_found,
    serving::{Authority, Node, Player, Serve, route_of},
};

/// Three nodes that have found each other; `eu`, which dials nobody, began it.
pub(super) struct Trio {
    pub(super) authority: Authority,
    pub(super) eu: Node,
    pub(super) us: Node,
    pub(super) ap: Node,
    /// Where `eu` listens for its peers.
    pub(super) eu_address: SocketAddr,
    /// How `ap` is started; nobody dials it, so that it may come back on another port.
    pub(super) serve_ap: Serve,
}

impl Trio {
    pub(super) async fn start() -> Self {
        let authority = Authority::make().await;
        let serve_eu = authority.node("eu", &[]).await;
        let eu = serve_eu.start().await;
        let eu_address = serve_eu.replication_address();
        let serve_us = authority.node("us", &[("eu", eu_address)]).await;
        let us = serve_us.start().await;
        let peers = [("eu", eu_address), ("us", serve_us.replication_address())];
        let serve_ap = authority.node("ap", &peers).await;
        let ap = serve_ap.start().await;
        let trio = Self { authority, eu, us, ap, eu_address, serve_ap };
        trio.until_linked().await;
        for (_, node) in trio.nodes() {
            node.until_ready().await;
        }
        trio
    }

    pub(super) fn nodes(&self) -> [(&str, &Node); 3] {
        [("eu", &self.eu), ("us", &self.us), ("ap", &self.ap)]
    }

    /// Waits until each has a link to both others.
    pub(super) async fn until_linked(&self) {
        for (_, node) in self.nodes() {
            until_found(async || (up(&status(node).await) == 2).then_some(())).await;
        }
    }

    /// Waits until all hold the same.
    pub(super) async fn until_alike(&self) {
        let [(_, one), others @ ..] = self.nodes();
        for (_, other) in others {
            until_found(async || (status(one).await.digest == status(other).await.digest).then_some(()))
                .await;
        }
    }
}

pub(crate) async fn status(node: &Player) -> StatusView {
    serde_json::from_value(node.status().await).expect("it is a status")
}

/// How many links a node has.
pub(crate) fn up(status: &StatusView) -> usize {
    status.peers.iter().filter(|peer| peer.state == "up").count()
}

/// Where a node says that a title stands, once it knows of a write.
pub(crate) async fn point_after(node: &Player, content: &str, dot: &str) -> Value {
    let path = format!("{}?after={dot}", route_of("ada", content));
    until_found(async || {
        let point: Value = node.get(&path).await.json().await.expect("it is JSON");
        (point["stale"] != true).then_some(point)
    })
    .await
}
