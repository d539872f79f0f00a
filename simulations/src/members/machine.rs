//! A machine, and the life of the member that runs on it.

use std::collections::BTreeSet;

use playmark::{
    crdt::{Monotonic, Origin, ReplicaId, Timestamp},
    membership::{Kept, Member, Membership},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Profile;

/// A place where a member lives, or has lived.
pub(super) struct Machine {
    index: usize,
    pub(super) replica: ReplicaId,
    region: usize,
    pub(super) skew_ms: i64,
    /// Whom its configuration names.
    pub(super) join: Vec<usize>,
    pub(super) links: BTreeSet<usize>,
    pub(super) lives: Option<Life>,
    /// What its last life has kept of whom it knew.
    pub(super) kept: Vec<u8>,
    lives_begun: u64,
}

/// One life of a member.
pub(super) struct Life {
    /// Counts the lives of its machine.
    pub(super) number: u64,
    /// What it says of itself over a new link.
    pub(super) hello: Member,
    pub(super) membership: Membership,
    timeout: Option<Monotonic>,
}

impl Machine {
    pub(super) fn new(index: usize, profile: &Profile, rng: &mut ChaCha8Rng) -> Self {
        let earlier = |rng: &mut ChaCha8Rng| rng.random_range(0..index.max(1));
        let join = if index == 0 { Vec::new() } else { vec![earlier(rng), earlier(rng)] };
        Self {
            index,
            replica: ReplicaId::from_random(rng.random()),
            region: index % profile.regions,
            skew_ms: if index == 1 { profile.skew_ms } else { 0 },
            join,
            links: BTreeSet::new(),
            lives: None,
            kept: Kept::default().encode(),
            lives_begun: 0,
        }
    }

    /// The life of a number, if it is the present one.
    pub(super) fn of_life(&mut self, number: u64) -> Option<&mut Life> {
        self.lives.as_mut().filter(|life| life.number == number)
    }

    /// Begins a life, above all earlier ones by its clock or by what it has kept.
    pub(super) fn begin(&mut self, wall_ms: u64, rng: &mut ChaCha8Rng) {
        self.lives_begun += 1;
        let kept = Kept::decode(&self.kept).expect("it was written by the last life");
        let hello = Member {
            replica: self.replica,
            life: kept.next_life(Timestamp::from_u64(wall_ms << 16)),
            origin: Origin::from_random(rng.random()),
            name: format!("m-{}", self.index),
            region: format!("r{}", self.region).parse().expect("a region"),
            address: Some(format!("m:{}", self.index)),
            wire_min: 1,
            wire_max: 1,
        };
        let membership = Membership::new(hello.clone(), kept.members, rng.random());
        self.lives = Some(Life { number: self.lives_begun, hello, membership, timeout: None });
    }

    /// Loses its disk: who comes next is another replica under the same name.
    pub(super) fn lose_disk(&mut self, rng: &mut ChaCha8Rng) {
        self.replica = ReplicaId::from_random(rng.random());
        self.kept = Kept::default().encode();
    }
}

impl Life {
    /// Whether a timeout is sooner than the one that is set.
    pub(super) fn timeout_is_new(&mut self, due: Option<Monotonic>) -> bool {
        let is_new = due != self.timeout;
        self.timeout = due;
        is_new
    }
}

/// The machine at a member's address.
pub(super) fn address_of(member: &Member) -> usize {
    let port = member.address.as_deref().and_then(|address| address.strip_prefix("m:"));
    port.and_then(|port| port.parse().ok()).expect("members of these worlds say where they are")
}
