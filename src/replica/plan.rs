//! Who feeds whom: the receiver decides, from all it knows, each time it learns something.
//!
//! An origin is fed by its owner while that is linked here, else by one peer that is ahead in it. The
//! decision is level-triggered: made anew from the whole picture, never from the event that changed it. A
//! feed that does not move while some status shows its origin ahead does not count as one, whatever its
//! link says: so a cut in one direction only is passed through a third replica.

use std::{collections::BTreeMap, time::Duration};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    crdt::{Monotonic, Origin, ReplicaId, VersionVector},
    replica::PeerView,
    zoo::{Bug, planted},
};

/// How often a replica tells its peers what it holds. At 27 bytes an origin it costs next to nothing, and
/// it bounds how long an origin without a feed stays unnoticed.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a feed may stand still while its origin is known to be ahead: two statuses and a long path.
pub const STALL_AFTER: Duration = Duration::from_secs(2);

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

impl Plan {
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

    /// Decides anew for every origin that anybody knows, `own` excepted.
    pub(super) fn decide(
        &mut self,
        peers: &BTreeMap<ReplicaId, PeerView>,
        held: &VersionVector,
        own: Origin,
        now: Monotonic,
    ) {
        self.avoided.retain(|_, &mut until| until > now);
        self.heard.retain(|peer, _| peers.contains_key(peer));
        let known = peers.values().flat_map(|peer| {
            let told = peer.vector.iter().map(|(&origin, _)| origin);
            told.chain([peer.origin])
        });
        let origins: std::collections::BTreeSet<_> = known.filter(|&origin| origin != own).collect();
        let mut sources = BTreeMap::new();
        for origin in origins {
            if let Some(source) = self.source_for(origin, peers, held) {
                sources.insert(origin, source);
            }
        }
        self.sources = sources;
    }

    fn source_for(
        &self,
        origin: Origin,
        peers: &BTreeMap<ReplicaId, PeerView>,
        held: &VersionVector,
    ) -> Option<ReplicaId> {
        let willing = |peer: &ReplicaId| !self.avoided.contains_key(&(*peer, origin));
        let owner = peers.iter().find(|(_, view)| view.origin == origin).map(|(&peer, _)| peer);
        if owner.is_none() && planted(Bug::OldOriginsNotFed) {
            return None;
        }
        if let Some(owner) = owner.filter(willing) {
            return Some(owner);
        }
        let current = self.sources.get(&origin).copied().filter(|peer| peers.contains_key(peer));
        if let Some(current) = current.filter(willing) {
            return Some(current);
        }
        let ahead = peers.iter().filter(|(_, view)| view.is_ahead(origin, held.upto(origin)));
        let ahead: Vec<_> = ahead.map(|(&peer, _)| peer).collect();
        let best = ahead.iter().copied().filter(willing).max_by_key(|&peer| weight(peer, origin));
        best.or_else(|| ahead.into_iter().max_by_key(|&peer| weight(peer, origin))).or(owner).or(current)
    }

    /// Finds the feeds that stand still; those peers are avoided, and must be asked anew if nobody else can.
    pub(super) fn stalled(
        &mut self,
        peers: &BTreeMap<ReplicaId, PeerView>,
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
            if now.since(since.max(heard.unwrap_or_default())) >= STALL_AFTER {
                self.standing.insert(origin, now);
                self.avoided.insert((source, origin), now.plus(AVOID_FOR));
                stalled.push(source);
            }
        }
        stalled
    }
}

/// Rendezvous hashing (Thaler and Ravishankar 1998): each origin prefers its peers in its own order.
fn weight(peer: ReplicaId, origin: Origin) -> u64 {
    let seed = u64::from_be_bytes(origin.as_bytes()[..8].try_into().expect("eight of sixteen bytes"));
    xxh3_64_with_seed(peer.as_bytes(), seed)
}
