//! Which peer feeds an origin, of all there are.
//!
//! Inside a region each origin is fed by its owner. What lives in another region comes in once, however many nodes
//! either has: one member of this region, its **gateway** to that other one, is fed across, by one member of that one and all of
//! its origins over that one link, and the others are fed by the gateway. Both ends are chosen by rendezvous hashing (Thaler and
//! Ravishankar 1998), the gateway among those who say that they have a link there: so all members choose alike
//! without a word about it, each pair of regions has its own pair of nodes, and whoever loses the link or dies is not among them any more.
//!
//! An origin without a living owner is fed by whoever is ahead in it, inside the region if somebody is.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::plan::{Here, Peers, Plan};
use crate::{
    crdt::{Origin, Region, ReplicaId},
    replica::PeerView,
    zoo::{Bug, planted},
};

/// The choice of one origin's feeder.
pub(super) struct Choice<'a> {
    pub(super) origin: Origin,
    pub(super) peers: &'a Peers,
    pub(super) here: &'a Here<'a>,
    /// As decided before, and whom it passes over.
    pub(super) plan: &'a Plan,
}

impl Choice<'_> {
    /// Makes it; `None` where nobody knows of the origin.
    pub(super) fn source(&self) -> Option<ReplicaId> {
        let owner = self.peers.iter().find(|(_, view)| view.origin == self.origin);
        let owner = owner.map(|(&peer, view)| (peer, &view.region));
        if let Some((owner, region)) = owner
            && (region == self.here.region || planted(Bug::EverybodyAcross))
            && self.is_willing(owner)
        {
            return Some(owner);
        }
        let told = || self.peers.values().find_map(|view| view.across.get(&self.origin));
        let across =
            owner.map(|(_, region)| region).or_else(told).filter(|region| *region != self.here.region);
        across.and_then(|region| self.gateway_to(region)).or_else(|| self.relay(owner.map(|(peer, _)| peer)))
    }

    /// Of an origin that lives in another region, the member of this one that takes it across; where that is this
    /// replica, the member of that one that feeds it.
    fn gateway_to(&self, region: &Region) -> Option<ReplicaId> {
        let reaches = |view: &PeerView| view.across.values().any(|at| at == region);
        let near = self.near().filter(|(_, view)| reaches(view));
        let near = near.map(|(peer, view)| (peer, peer, view.catching_up));
        let own = self.feeder_in(region).map(|feeder| (self.here.id, feeder, self.here.catching_up));
        let able = own.into_iter().chain(near).filter(|&(_, source, _)| self.is_willing(source));
        let seed = of_region(region);
        let best = able.max_by_key(|&(member, _, catching_up)| (!catching_up, weight(member, seed)));
        best.map(|(_, source, _)| source)
    }

    /// The member of another region that feeds this replica what lives there.
    fn feeder_in(&self, region: &Region) -> Option<ReplicaId> {
        let there = self.peers.iter().filter(|(_, view)| view.is_near(region));
        let able = there.filter(|&(&peer, _)| self.is_willing(peer));
        let seed = of_region(self.here.region);
        able.max_by_key(|&(&peer, view)| (!view.catching_up, weight(peer, seed))).map(|(&peer, _)| peer)
    }

    /// Of an origin without an owner that could be asked, somebody who is ahead in it: in this region, or in another
    /// by way of one member of this one.
    fn relay(&self, owner: Option<ReplicaId>) -> Option<ReplicaId> {
        if owner.is_none() && planted(Bug::OldOriginsNotFed) {
            return None;
        }
        let held = self.here.held.upto(self.origin);
        let ahead: Vec<_> = self.peers.iter().filter(|(_, view)| view.is_ahead(self.origin, held)).collect();
        let near = ahead.iter().filter(|(_, view)| view.is_near(self.here.region)).map(|&(&peer, _)| peer);
        let near: Vec<_> = near.filter(|&peer| self.is_willing(peer)).collect();
        let current = self.plan.source(self.origin).filter(|peer| self.peers.contains_key(peer));
        let stays =
            |&current: &ReplicaId| self.is_willing(current) && (near.is_empty() || near.contains(&current));
        if let Some(current) = current.filter(stays) {
            return Some(current);
        }
        if let Some(near) = self.best(near.iter().copied()) {
            return Some(near);
        }
        let ahead: Vec<_> = ahead.into_iter().map(|(&peer, _)| peer).collect();
        let gateway = self.gateway().filter(|_| !ahead.is_empty());
        let willing = || self.best(ahead.iter().copied().filter(|&peer| self.is_willing(peer)));
        gateway.or_else(willing).or_else(|| self.best(ahead.iter().copied())).or(owner).or(current)
    }

    /// The member of this region that is to take across what no life is known for; `None` where that is this replica.
    fn gateway(&self) -> Option<ReplicaId> {
        let able = self.near().filter(|&(peer, view)| !view.catching_up && self.is_willing(peer));
        let members = able.map(|(peer, _)| peer).chain([self.here.id]);
        self.best(members).filter(|&gateway| gateway != self.here.id)
    }

    fn near(&self) -> impl Iterator<Item = (ReplicaId, &PeerView)> {
        let near = self.peers.iter().filter(|(_, view)| view.is_near(self.here.region));
        near.map(|(&peer, view)| (peer, view))
    }

    fn best(&self, able: impl Iterator<Item = ReplicaId>) -> Option<ReplicaId> {
        let seed = of_origin(self.origin);
        able.max_by_key(|&peer| weight(peer, seed))
    }

    fn is_willing(&self, peer: ReplicaId) -> bool {
        self.plan.is_willing(peer, self.origin)
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
