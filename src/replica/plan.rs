//! Who feeds whom: the receiver decides, from all it knows, each time it learns something.
//!
//! Inside a region each origin is fed by its owner. What lives in another region comes in once, however many nodes
//! either has: one member of this region, its **gateway** to that other one, is fed across, by one member of that one and all of
//! its origins over that one link, and the others are fed by the gateway. Both ends are chosen by rendezvous hashing (Thaler and
//! Ravishankar 1998), the gateway among those who say that they have a link there: so all members choose alike
//! without a word about it, each pair of regions has its own pair of nodes, and whoever loses the link or dies is not among them any more.
//!
//! An origin without a living owner is fed by whoever is ahead in it, inside the region if somebody is.
//!
//! The decision is level-triggered: made anew from the whole picture, never from the event that changed it. A
//! feed that does not move while some status shows its origin ahead does not count as one, whatever its
//! link says: so a cut in one direction only is passed through a third replica.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    crdt::{Monotonic, Origin, Region, ReplicaId, VersionVector},
    replica::PeerView,
    zoo::{Bug, planted},
};

/// How often a replica tells its peers what it holds. At 27 bytes an origin it costs next to nothing, and
/// it bounds how long an origin without a feed stays unnoticed.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a feed may stand still while its origin is known to be ahead: two statuses and a long path.
pub const STALL_AFTER: Duration = Duration::from_secs(2);

/// How long a gateway may bring nothing of an origin that is known to be ahead: its path across may be narrow and busy with
/// others, which nobody sees but itself. To take over too soon doubles the load on that path.
pub const GATEWAY_STALL_AFTER: Duration = Duration::from_secs(6);

/// How long a peer whose feed stood still is passed over, where there is another.
pub const AVOID_FOR: Duration = Duration::from_secs(10);

/// Which peer feeds each origin, and how well.
#[derive(Debug, Default)]
pub(super) struct Plan {
    sources: BTreeMap<Origin, ReplicaId>,
    /// Since when an origin has been behind without moving.
    standing: BTreeMap<Origin, Monotonic>,
    /// When a part last came from a peer, of whatever origin and subscription.
    heard: BTreeMap<ReplicaId, Monotonic>,
    avoided: BTreeMap<(ReplicaId, Origin), Monotonic>,
}

/// The replica that decides.
pub(super) struct Here<'a> {
    pub(super) id: ReplicaId,
    /// Its present life, which nobody feeds it.
    pub(super) origin: Origin,
    pub(super) region: &'a Region,
    /// A replica that is catching up takes nothing across for others, if somebody else can.
    pub(super) catching_up: bool,
    pub(super) held: &'a VersionVector,
}

type Peers = BTreeMap<ReplicaId, PeerView>;

impl Plan {
    /// Who feeds an origin.
    pub(super) fn source(&self, origin: Origin) -> Option<ReplicaId> {
        self.sources.get(&origin).copied()
    }

    /// The origins that a peer is to feed.
    pub(super) fn fed_by(&self, peer: ReplicaId) -> impl Iterator<Item = Origin> + '_ {
        self.sources.iter().filter(move |&(_, &source)| source == peer).map(|(&origin, _)| origin)
    }

    /// Takes note that a part has come, even one that is passed over.
    ///
    /// A feed serves its origins one after the other, so on a narrow path most of them stand still for
    /// long while it is hard at work. To ask such a feed anew would throw away what is under way, and the
    /// feed would be no further when patience ends the next time.
    pub(super) fn heard(&mut self, source: ReplicaId, now: Monotonic) {
        self.heard.insert(source, now);
    }

    /// Takes note that a part of an origin was merged.
    pub(super) fn moved(&mut self, origin: Origin) {
        self.standing.remove(&origin);
    }

    /// Decides anew for every origin that anybody knows, the own one excepted.
    pub(super) fn decide(&mut self, peers: &Peers, here: &Here<'_>, now: Monotonic) {
        self.avoided.retain(|_, &mut until| until > now);
        self.heard.retain(|peer, _| peers.contains_key(peer));
        let known = peers.values().flat_map(|peer| {
            let told = peer.vector.iter().map(|(&origin, _)| origin);
            told.chain([peer.origin]).chain(peer.across.keys().copied())
        });
        let origins: BTreeSet<_> = known.filter(|&origin| origin != here.origin).collect();
        let source = |origin| Some((origin, self.source_for(origin, peers, here)?));
        self.sources = origins.into_iter().filter_map(source).collect();
    }

    fn source_for(&self, origin: Origin, peers: &Peers, here: &Here<'_>) -> Option<ReplicaId> {
        let owner = peers.iter().find(|(_, view)| view.origin == origin);
        if let Some((&owner, _)) = owner.filter(|(peer, view)| {
            (view.is_near(here.region) || planted(Bug::EverybodyAcross)) && self.is_willing(**peer, origin)
        }) {
            return Some(owner);
        }
        let across = owner.map(|(_, view)| &view.region);
        let across = across.or_else(|| peers.values().find_map(|view| view.across.get(&origin)));
        let gateway = across.filter(|region| *region != here.region);
        let gateway = gateway.and_then(|region| self.gateway_to(region, origin, peers, here));
        gateway.or_else(|| self.relay_for(origin, owner.map(|(&peer, _)| peer), peers, here))
    }

    /// Of an origin that lives in another region, the member of this one that takes it across; where that is this
    /// replica, the member of that one that feeds it.
    fn gateway_to(
        &self,
        region: &Region,
        origin: Origin,
        peers: &Peers,
        here: &Here<'_>,
    ) -> Option<ReplicaId> {
        let reaches = |view: &PeerView| view.across.values().any(|at| at == region);
        let near = peers.iter().filter(|(_, view)| view.is_near(here.region));
        let near = near.filter(|(_, view)| reaches(view));
        let near = near.map(|(&peer, view)| (peer, peer, view.catching_up));
        let feeder = self.feeder_in(region, origin, peers, here);
        let own = feeder.map(|feeder| (here.id, feeder, here.catching_up));
        let able = own.into_iter().chain(near).filter(|&(_, source, _)| self.is_willing(source, origin));
        let best =
            able.max_by_key(|&(member, _, catching_up)| (!catching_up, weight(member, of_region(region))));
        best.map(|(_, source, _)| source)
    }

    /// The member of another region that feeds this replica what lives there.
    fn feeder_in(
        &self,
        region: &Region,
        origin: Origin,
        peers: &Peers,
        here: &Here<'_>,
    ) -> Option<ReplicaId> {
        let there = peers.iter().filter(|(_, view)| view.is_near(region));
        let able = there.filter(|(peer, _)| self.is_willing(**peer, origin));
        let seed = of_region(here.region);
        able.max_by_key(|(peer, view)| (!view.catching_up, weight(**peer, seed))).map(|(&peer, _)| peer)
    }

    /// Of an origin without an owner that could be asked, somebody who is ahead in it: in this region, or in another
    /// by way of one member of this one.
    fn relay_for(
        &self,
        origin: Origin,
        owner: Option<ReplicaId>,
        peers: &Peers,
        here: &Here<'_>,
    ) -> Option<ReplicaId> {
        if owner.is_none() && planted(Bug::OldOriginsNotFed) {
            return None;
        }
        let ahead: Vec<_> =
            peers.iter().filter(|(_, view)| view.is_ahead(origin, here.held.upto(origin))).collect();
        let best = |able: &mut dyn Iterator<Item = ReplicaId>| {
            able.max_by_key(|&peer| weight(peer, of_origin(origin)))
        };
        let near = ahead.iter().filter(|(_, view)| view.is_near(here.region)).map(|&(&peer, _)| peer);
        let near: Vec<_> = near.filter(|&peer| self.is_willing(peer, origin)).collect();
        let current = self.sources.get(&origin).copied().filter(|peer| peers.contains_key(peer));
        if let Some(current) = current.filter(|&current| {
            self.is_willing(current, origin) && (near.is_empty() || near.contains(&current))
        }) {
            return Some(current);
        }
        if let Some(near) = best(&mut near.into_iter()) {
            return Some(near);
        }
        let members = peers.iter().filter(|(_, view)| view.is_near(here.region) && !view.catching_up);
        let members = members.map(|(&peer, _)| peer).filter(|&peer| self.is_willing(peer, origin));
        let gateway = best(&mut members.chain([here.id])).filter(|&gateway| gateway != here.id);
        if let Some(gateway) = gateway.filter(|_| !ahead.is_empty()) {
            return Some(gateway);
        }
        let willing = ahead.iter().map(|&(&peer, _)| peer).filter(|&peer| self.is_willing(peer, origin));
        let any = ahead.iter().map(|&(&peer, _)| peer);
        best(&mut willing.into_iter()).or_else(|| best(&mut any.into_iter())).or(owner).or(current)
    }

    fn is_willing(&self, peer: ReplicaId, origin: Origin) -> bool {
        !self.avoided.contains_key(&(peer, origin))
    }

    /// Finds the feeds that stand still; those peers are avoided, and must be asked anew if nobody else can.
    pub(super) fn stalled(
        &mut self,
        peers: &Peers,
        region: &Region,
        held: &VersionVector,
        now: Monotonic,
    ) -> Vec<ReplicaId> {
        let mut stalled = Vec::new();
        for (&origin, &source) in &self.sources {
            let behind = peers.values().any(|peer| peer.is_ahead(origin, held.upto(origin)));
            if !behind {
                self.standing.remove(&origin);
                continue;
            }
            let since = *self.standing.entry(origin).or_insert(now);
            let has_it = peers.get(&source).is_some_and(|peer| peer.is_ahead(origin, held.upto(origin)));
            let heard = self.heard.get(&source).copied().filter(|_| has_it && !planted(Bug::BusyFeedRenewed));
            let is_gateway =
                peers.get(&source).is_some_and(|it| it.is_near(region) && it.across.contains_key(&origin));
            let patience = if is_gateway && !has_it { GATEWAY_STALL_AFTER } else { STALL_AFTER };
            if now.since(since.max(heard.unwrap_or_default())) >= patience {
                self.standing.insert(origin, now);
                self.avoided.insert((source, origin), now.plus(AVOID_FOR));
                stalled.push(source);
            }
        }
        stalled
    }
}

/// The weight of rendezvous hashing: each seed prefers replicas in its own order.
fn weight(peer: ReplicaId, seed: u64) -> u64 {
    xxh3_64_with_seed(peer.as_bytes(), seed)
}

fn of_origin(origin: Origin) -> u64 {
    u64::from_be_bytes(origin.as_bytes()[..8].try_into().expect("eight of sixteen bytes"))
}

fn of_region(region: &Region) -> u64 {
    xxh3_64(region.as_str().as_bytes())
}
