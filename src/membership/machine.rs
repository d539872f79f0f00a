//! The state machine: `foca` with its timers, and the list of everybody.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

use bytes::Bytes;
use foca::{AccumulatingRuntime, Config, Foca, NoCustomBroadcast, PeriodicParams, Timer};
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{Member, Members, Reach, codec::Codec};
use crate::{
    crdt::{Monotonic, Now, ReplicaId},
    zoo::{Bug, planted},
};

/// The longest datagram: what QUIC carries over a path of the least MTU (RFC 9000, 14), less its own framing.
pub const DATAGRAM_BYTES_MAX: usize = 1_100;

/// How often a member is asked for a sign of life. More often finds a loss sooner, less often costs less.
pub const PROBE_EVERY: Duration = Duration::from_secs(2);

/// How long its answer may take before others are asked to try: the longest round trip, twice.
const PROBE_RTT: Duration = Duration::from_millis(600);

/// How long a member may object to a suspicion: three of its own probes, one of which reaches somebody.
pub const SUSPECT_FOR: Duration = Duration::from_secs(6);

/// How many others are asked to try.
const INDIRECT_PROBES: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");

/// How often one change is passed on by each member.
const TRANSMISSIONS_MAX: NonZeroU8 = NonZeroU8::new(10).expect("not zero");

/// How long the protocol knows that a life is down.
const DOWN_FOR: Duration = Duration::from_hours(24);

/// How often those are told that this member is there whom it has a link with and takes for down.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How many datagrams wait to be sent. When full, the oldest is dropped, as a path may.
const OUTBOX_MAX: usize = 256;

/// One member's view of who is there.
///
/// Called like the replica: `handle_*` with time as an argument, then [`Membership::poll_transmit`] until it is
/// empty, then [`Membership::poll_timeout`].
pub struct Membership {
    foca: Foca<Member, Codec, Draws, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Member>,
    timers: BTreeMap<(Monotonic, u64), Timer<Member>>,
    timers_set: u64,
    outbox: VecDeque<(ReplicaId, Bytes)>,
    /// Who has a link, as it said of itself when that came up.
    linked: BTreeMap<ReplicaId, Member>,
    next_look: Monotonic,
    members: Members,
}

impl Membership {
    /// Begins a life among those whom an earlier one has met; `seed` drives its draws.
    pub fn new(own: Member, members: Members, seed: u64) -> Self {
        let foca = Foca::new(own, config(), Draws(SmallRng::seed_from_u64(seed)), Codec);
        Self {
            foca,
            runtime: AccumulatingRuntime::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            outbox: VecDeque::new(),
            linked: BTreeMap::new(),
            next_look: Monotonic::default(),
            members,
        }
    }

    /// Who it is itself.
    pub fn own(&self) -> &Member {
        self.foca.identity()
    }

    /// Everybody it has met.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Takes note of a link, whose other end has proven who it is; both sides tell each other whom they know.
    pub fn handle_link_up(&mut self, peer: Member, now: Now) {
        self.linked.insert(peer.replica, peer.clone());
        let met = foca::Member::alive(peer.clone());
        // Neither fails but for want of room in a datagram, which the least of them has.
        let _ = self.foca.apply_many([met].into_iter(), true, &mut self.runtime);
        let _ = self.foca.announce(peer, &mut self.runtime);
        self.settle(now);
    }

    /// Takes note that a link has gone. That says nothing of its other end, which others may reach.
    pub fn handle_link_down(&mut self, peer: ReplicaId) {
        self.linked.remove(&peer);
    }

    /// Takes note that a peer has left and said so over its link, which no datagram does as surely: this life is over.
    pub fn handle_peer_left(&mut self, peer: ReplicaId, now: Now) {
        self.linked.remove(&peer);
        if let Some(known) = self.members.get(peer) {
            let gone = foca::Member::down(known.member.clone());
            // It fails only for want of room in a datagram, which the least of them has.
            let _ = self.foca.apply_many([gone].into_iter(), true, &mut self.runtime);
        }
        self.settle(now);
    }

    /// Takes a datagram in.
    ///
    /// # Errors
    /// Bytes that say nothing; they are passed over.
    pub fn handle_datagram(&mut self, datagram: &[u8], now: Now) -> Result<(), Misspoken> {
        let outcome = self.foca.handle_data(datagram, &mut self.runtime);
        self.settle(now);
        outcome.map_err(|why| Misspoken(why.to_string()))
    }

    /// Does what time asks for; early, late and repeated calls do no harm.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now.mono) {
            let timer = entry.remove();
            // A probe that ran late is begun anew by the protocol itself.
            let _ = self.foca.handle_timer(timer, &mut self.runtime);
            self.settle(now);
        }
        if self.next_look <= now.mono {
            self.next_look = now.mono.plus(LOOK_EVERY);
            self.announce_to_strangers(now);
        }
    }

    /// Tells some of those who are there that it leaves.
    pub fn leave(&mut self, now: Now) {
        // It fails only where there is nobody to be told.
        let _ = self.foca.leave_cluster(&mut self.runtime);
        self.settle(now);
    }

    /// The next datagram to be sent, and to whom. Whoever has no link is not sent any: it counts as lost.
    pub fn poll_transmit(&mut self) -> Option<(ReplicaId, Bytes)> {
        self.outbox.pop_front()
    }

    /// When [`Membership::handle_timeout`] will next have something to do.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let timer = self.timers.keys().next().map(|&(due, _)| due);
        let look = (!self.linked.is_empty()).then_some(self.next_look);
        timer.into_iter().chain(look).min()
    }

    /// Tells those that it is there with whom it has a link and who are not alive here.
    ///
    /// After a cut each half has declared the other down, and each member whom that reaches renews itself: what all
    /// know of each other is then down and of the past, and the protocol asks nobody who is down.
    fn announce_to_strangers(&mut self, now: Now) {
        let is_stranger =
            |peer: &&Member| self.members.get(peer.replica).is_none_or(|it| it.reach == Reach::Down);
        let strangers: Vec<_> = self.linked.values().filter(is_stranger).cloned().collect();
        for stranger in strangers.into_iter().filter(|_| !planted(Bug::StrangersUntold)) {
            // It fails only for want of room in a datagram, which the least of them has.
            let _ = self.foca.announce(stranger, &mut self.runtime);
        }
        self.settle(now);
    }

    /// Carries out what the protocol has asked for, and looks at all it knows.
    fn settle(&mut self, now: Now) {
        while let Some((to, datagram)) = self.runtime.to_send() {
            if self.linked.contains_key(&to.replica) {
                self.outbox.push_back((to.replica, datagram));
            }
        }
        let beyond = self.outbox.len().saturating_sub(OUTBOX_MAX);
        self.outbox.drain(..beyond);
        while let Some((after, timer)) = self.runtime.to_schedule() {
            self.timers_set += 1;
            self.timers.insert((now.mono.plus(after), self.timers_set), timer);
        }
        // The list says it all.
        while self.runtime.to_notify().is_some() {}
        let own = self.foca.identity().replica;
        self.members.look(own, self.foca.iter_membership_state(), now.wall);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("own", self.foca.identity()).finish_non_exhaustive()
    }
}

fn config() -> Config {
    let periodic = |frequency, members| {
        let num_members = NonZeroUsize::new(members).unwrap_or(NonZeroUsize::MIN);
        Some(PeriodicParams { frequency, num_members })
    };
    Config {
        probe_period: PROBE_EVERY,
        probe_rtt: PROBE_RTT,
        num_indirect_probes: INDIRECT_PROBES,
        max_transmissions: TRANSMISSIONS_MAX,
        suspect_to_down_after: SUSPECT_FOR,
        remove_down_after: Some(DOWN_FOR),
        max_packet_size: NonZeroUsize::new(DATAGRAM_BYTES_MAX).unwrap_or(NonZeroUsize::MIN),
        notify_down_members: true,
        periodic_announce: periodic(Duration::from_secs(30), 1),
        periodic_announce_to_down_members: periodic(Duration::from_secs(30), 2),
        periodic_gossip: periodic(Duration::from_secs(1), 2),
    }
}

/// The protocol's draws: `foca` asks for them by the traits of a later `rand` than the rest of this crate.
struct Draws(SmallRng);

impl rand_core::TryRng for Draws {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.random())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.random())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// Says why a datagram was passed over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misspoken(String);
