//! The section `replication`: how this node and its peers reach each other.

use std::{collections::BTreeSet, net::SocketAddr};

use figment::value::Value;

use crate::{
    config::{
        reader::{Reader, text_of},
        spelling::nearest,
    },
    node,
    transport::{Advertise, NodeName, PeerAddress, TlsPaths, is_address},
};

/// The keys of one of `replication.peers`.
const PEER_KEYS: [&str; 3] = ["name", "region", "address"];

/// How many peers may be listed: more full copies than anyone keeps.
const PEERS_MAX: usize = 64;

/// What is given by a node that nobody can dial.
const NOWHERE: &str = "none";

/// How many addresses may be given by which to join.
const JOIN_MAX: usize = 16;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<node::Replication> {
    let listen = reader.address("replication.listen", SocketAddr::from(([127, 0, 0, 1], 7090)));
    let ca = reader.file("replication.ca");
    let certificate = reader.file("replication.certificate");
    let key = reader.file("replication.key");
    let peers = read_peers(reader);
    let advertise = match reader.text("replication.advertise") {
        None => Advertise::Listen,
        Some(text) if text == NOWHERE => Advertise::Nowhere,
        Some(text) => Advertise::At(text),
    };
    let join = reader.texts("replication.join").unwrap_or_default();
    check_addresses(reader, listen, &advertise, &join);
    Some(node::Replication {
        listen: listen?,
        identity: TlsPaths { ca: ca?, certificate: certificate?, key: key? },
        advertise,
        peers: peers?,
        join,
        found: reader.flag("found").unwrap_or_default(),
        alone_after: node::ALONE_AFTER,
    })
}

/// Addresses that others are to reach, and those at which others are.
fn check_addresses(
    reader: &mut Reader<'_>,
    listen: Option<SocketAddr>,
    advertise: &Advertise,
    join: &[String],
) {
    if let Advertise::At(address) = advertise
        && !is_address(address)
    {
        reader.problem("replication.advertise", &format!("\"{address}\" must be host:port, or {NOWHERE}"));
    }
    for address in join.iter().filter(|address| !is_address(address)) {
        reader.problem("replication.join", &format!("\"{address}\" must be host:port"));
    }
    if join.len() > JOIN_MAX {
        let found = format!(
            "lists {} addresses, and at most {JOIN_MAX} may be: give one DNS name for all",
            join.len()
        );
        reader.problem("replication.join", &found);
    }
    let is_everywhere = listen.is_some_and(|listen| listen.ip().is_unspecified());
    if !join.is_empty() && *advertise == Advertise::Listen && is_everywhere {
        reader.problem(
            "replication.advertise",
            "is required where the node joins others and listens on every address: give the host:port at which they reach it, or none",
        );
    }
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
    if !is_address(&address) {
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
