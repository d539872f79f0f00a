//! The section `replication`: how this node and its peers reach each other.

use std::{collections::BTreeSet, net::SocketAddr};

use figment::value::Value;

use crate::{
    config::{
        reader::{Reader, text_of},
        spelling::nearest,
    },
    node,
    transport::{NodeName, PeerAddress, TlsPaths},
};

/// The keys of one of `replication.peers`.
const PEER_KEYS: [&str; 3] = ["name", "region", "address"];

/// How many peers may be listed: more full copies than anyone keeps.
const PEERS_MAX: usize = 64;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<node::Replication> {
    let listen = reader.address("replication.listen", SocketAddr::from(([127, 0, 0, 1], 7090)));
    let ca = reader.file("replication.ca");
    let certificate = reader.file("replication.certificate");
    let key = reader.file("replication.key");
    let peers = read_peers(reader);
    Some(node::Replication {
        listen: listen?,
        identity: TlsPaths { ca: ca?, certificate: certificate?, key: key? },
        peers: peers?,
        found: reader.flag("found").unwrap_or_default(),
        alone_after: node::ALONE_AFTER,
    })
}

fn read_peers(reader: &mut Reader<'_>) -> Option<Vec<PeerAddress>> {
    let cluster = reader.text("cluster").unwrap_or_else(|| "local".into());
    let Some(value) = reader.value("replication.peers") else { return Some(Vec::new()) };
    let Value::Array(_, values) = value else {
        reader.problem("replication.peers", "must be a list: one [[replication.peers]] table for each");
        return None;
    };
    if values.len() > PEERS_MAX {
        reader.problem(
            "replication.peers",
            &format!("lists {} peers, and at most {PEERS_MAX} may be", values.len()),
        );
        return None;
    }
    let peers = values.into_iter().enumerate().map(|(index, value)| {
        let key = format!("replication.peers[{index}]");
        read_peer(reader, &key, &value, &cluster)
    });
    peers.collect::<Vec<_>>().into_iter().collect()
}

fn read_peer(reader: &mut Reader<'_>, key: &str, value: &Value, cluster: &str) -> Option<PeerAddress> {
    let dict = value.as_dict();
    let members = dict.into_iter().flatten();
    for (member, _) in members.filter(|(member, _)| !PEER_KEYS.contains(&member.as_str())) {
        let nearest = nearest(member, &PEER_KEYS);
        reader.problem("replication.peers", &format!("{key}.{member} is no key; did you mean {nearest}?"));
    }
    let [name, region, address] = PEER_KEYS.map(|member| {
        let found = dict.and_then(|dict| dict.get(member)).and_then(text_of);
        if found.is_none() {
            reader.problem("replication.peers", &format!("{key}.{member} is missing: give a text"));
        }
        found
    });
    let (name, region, address) = (name?, region?, address?);
    let named = region.parse().map_err(|why| format!("{key}.region: {why}"));
    let named =
        named.and_then(|region| NodeName::new(&name, region, cluster).map_err(|why| format!("{key}: {why}")));
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) {
        reader.problem("replication.peers", &format!("{key}.address \"{address}\" must be host:port"));
    }
    let name = named.map_err(|why| reader.problem("replication.peers", &why)).ok()?;
    Some(PeerAddress { name, address })
}

pub(super) fn check(reader: &mut Reader<'_>, own: &NodeName, peers: &[PeerAddress]) {
    let mut seen = BTreeSet::new();
    for peer in peers {
        if peer.name == *own {
            reader.problem("replication.peers", &format!("{own} is this node itself: leave it out"));
        } else if !seen.insert(&peer.name) {
            reader.problem("replication.peers", &format!("{} is listed twice: leave one out", peer.name));
        }
    }
}
