//! Who feeds whom: the receiver decides, from all it knows, each time it learns something.
//!
//! Which peer that is, of those there are, is told in `choice`; here it is decided when, and for how long one is passed over.
//!
//! The decision is level-triggered: made anew from the whole picture, never from the event that changed it. A
//! feed that does not move while some status shows its origin ahead does not count as one, whatever its
//! link says: so a cut in one direction only is passed through a third replica.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    crdt::{Monotonic, Origin, Region, ReplicaId, VersionVector},
    replica::{PeerView, choice::Choice},
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

pub(super) type Peers = BTreeMap<ReplicaId, PeerView>;

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
        let source = |origin| Some((origin, Choice { origin, peers, here, plan: self }.source()?));
        self.sources = origins.into_iter().filter_map(source).collect();
    }

    /// Whether a peer has not stood still with an origin of late.
    pub(super) fn is_willing(&self, peer: ReplicaId, origin: Origin) -> bool {
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
