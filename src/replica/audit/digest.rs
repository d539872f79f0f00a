//! What a replica's registers come to, in little: sums that are kept by every commit.
//!
//! A sum adds up a hash for each register, so that it follows a commit by taking the old one away and adding
//! the new one, whatever the order. Two replicas with equal sums hold the same registers, but for one chance in
//! 2^64. The hash is made from the check that a register carries, which stands for its key, stamp and value.
//!
//! Sums are kept for each [shard](crate::crdt::SHARDS), 24 bytes each. What is inside a shard, its *leaves*, is
//! added up from the registers themselves when somebody asks.

use std::{
    fmt,
    ops::{AddAssign, Sub, SubAssign},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::crdt::{Key, Register, SHARDS, VersionVector};

/// How many leaves a shard has.
pub(super) const LEAVES: u8 = 64;

/// How many shards make up a group, the step between one sum for all and one for each.
pub(super) const GROUP: u16 = 64;

/// How many registers there are, and what their hashes come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sum(u64, u128);

impl Sum {
    /// Of one register.
    pub(super) fn of(register: &Register) -> Self {
        Self(1, xxh3_128(&register.check.to_be_bytes()))
    }

    /// Of several registers, in whatever order.
    pub fn of_all<'a>(registers: impl IntoIterator<Item = &'a Register>) -> Self {
        registers.into_iter().map(Self::of).sum()
    }

    /// How many registers were added up.
    pub fn count(self) -> u64 {
        self.0
    }
}

/// The sum of the hashes, as 32 hexadecimal digits.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.1)
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
        self.1 = self.1.wrapping_add(other.1);
    }
}

impl SubAssign for Sum {
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
        self.1 = self.1.wrapping_sub(other.1);
    }
}

impl Sub for Sum {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

impl std::iter::Sum for Sum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        let mut all = Self::default();
        sums.for_each(|sum| all += sum);
        all
    }
}

/// The leaf of its shard that a key falls into.
pub(super) fn leaf(key: &Key) -> usize {
    let Key { title, slot } = key;
    let mut bytes = Vec::with_capacity(128);
    bytes.extend(title.profile.as_str().as_bytes());
    bytes.push(0);
    bytes.extend(title.content.as_str().as_bytes());
    bytes.extend([0, slot.kind]);
    bytes.extend(slot.id);
    usize::try_from(xxh3_64(&bytes) % u64::from(LEAVES)).expect("a remainder is small")
}

/// The sums of a shard's leaves.
pub(super) fn leaves(registers: &[(Key, Register)]) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); usize::from(LEAVES)];
    for (key, register) in registers {
        sums[leaf(key)] += Sum::of(register);
    }
    sums
}

/// A hash of what a vector says.
pub(super) fn of_vector(vector: &VersionVector) -> u64 {
    let mut bytes = Vec::with_capacity(vector.len() * 24);
    for (origin, version) in vector {
        bytes.extend(origin.as_bytes());
        bytes.extend(version.as_u64().to_be_bytes());
    }
    xxh3_64(&bytes)
}

/// A sum for each shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Roots(Vec<Sum>);

impl Default for Roots {
    fn default() -> Self {
        Self(vec![Sum::default(); usize::from(SHARDS)])
    }
}

impl Roots {
    pub(super) fn shard(&self, shard: u16) -> Sum {
        self.0[usize::from(shard)]
    }

    pub(super) fn set(&mut self, shard: u16, sum: Sum) {
        self.0[usize::from(shard)] = sum;
    }

    /// Follows a register that is about to be replaced, or to come, or to go.
    pub(super) fn change(&mut self, shard: u16, before: Option<&Register>, after: Option<&Register>) {
        let sum = &mut self.0[usize::from(shard)];
        *sum -= before.map(Sum::of).unwrap_or_default();
        *sum += after.map(Sum::of).unwrap_or_default();
    }

    /// All shards but those left out, in one.
    pub(super) fn total(&self, left_out: &Shards) -> Sum {
        (0..SHARDS).filter(|&shard| !left_out.contains(shard)).map(|shard| self.shard(shard)).sum()
    }

    /// The same in groups.
    pub(super) fn groups(&self, left_out: &Shards) -> Vec<Sum> {
        (0..SHARDS / GROUP).map(|group| self.group(group, left_out).into_iter().sum()).collect()
    }

    /// The shards of one group, with nothing in the place of those left out.
    pub(super) fn group(&self, group: u16, left_out: &Shards) -> Vec<Sum> {
        let shards = group * GROUP..(group + 1) * GROUP;
        shards.map(|it| if left_out.contains(it) { Sum::default() } else { self.shard(it) }).collect()
    }
}

/// A set of shards, as a map of bits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_bytes::ByteBuf", into = "serde_bytes::ByteBuf")]
pub struct Shards(Vec<u8>);

const MAP_BYTES: usize = SHARDS as usize / 8;

impl Default for Shards {
    fn default() -> Self {
        Self(vec![0; MAP_BYTES])
    }
}

impl Shards {
    pub(super) fn insert(&mut self, shard: u16) {
        self.0[usize::from(shard / 8)] |= 1 << (shard % 8);
    }

    pub(super) fn contains(&self, shard: u16) -> bool {
        self.0[usize::from(shard / 8)] & (1 << (shard % 8)) != 0
    }

    /// Those of either.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(here, there)| *here |= there);
    }
}

impl TryFrom<serde_bytes::ByteBuf> for Shards {
    type Error = String;

    fn try_from(bytes: serde_bytes::ByteBuf) -> Result<Self, String> {
        let bytes = bytes.into_vec();
        if bytes.len() == MAP_BYTES {
            Ok(Self(bytes))
        } else {
            Err(format!("a map of {} bytes", bytes.len()))
        }
    }
}

impl From<Shards> for serde_bytes::ByteBuf {
    fn from(shards: Shards) -> Self {
        Self::from(shards.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::{Dot, Slot, Stamp, TitleId, WallTime};

    fn register(profile: &str, ms: u64) -> (Key, Register) {
        let key = TitleId::parse(profile, "film").expect("both are ids").key(Slot::FIRST);
        let stamp = Stamp { time: WallTime::from_ms(ms), counter: 0, writer: [1; 16] };
        let register = Register::seal(&key, stamp, Dot::default(), b"here".as_slice().into());
        (key, register)
    }

    #[test]
    fn a_sum_follows_what_comes_is_replaced_and_goes_in_any_order() {
        let (key, one) = register("ann", 1);
        let (_, two) = register("ann", 2);
        let (_, other) = register("bob", 1);
        let shard = key.title.profile.shard();
        let (mut here, mut there) = (Roots::default(), Roots::default());
        here.change(shard, None, Some(&one));
        here.change(shard, Some(&one), Some(&two));
        here.change(shard, None, Some(&other));
        there.change(shard, None, Some(&other));
        there.change(shard, None, Some(&two));
        assert_eq!(here, there);
        assert_eq!(here.shard(shard).count(), 2);
        here.change(shard, Some(&two), Some(&one));
        assert_ne!(here, there, "another stamp is another register");
        here.change(shard, Some(&one), None);
        here.change(shard, Some(&other), None);
        assert_eq!(here, Roots::default());
    }

    #[test]
    fn totals_groups_and_leaves_add_up_and_leave_out_what_they_are_told_to() {
        let registers: Vec<_> = (0..500).map(|number| register(&format!("viewer {number}"), 1)).collect();
        let mut roots = Roots::default();
        for (key, register) in &registers {
            roots.change(key.title.profile.shard(), None, Some(register));
        }
        let mut left_out = Shards::default();
        let of = |wanted: &Shards| {
            let inside = registers.iter().filter(|(key, _)| !wanted.contains(key.title.profile.shard()));
            inside.map(|(_, register)| Sum::of(register)).sum::<Sum>()
        };
        for shard in [None, Some(registers[0].0.title.profile.shard()), Some(0), Some(SHARDS - 1)] {
            if let Some(shard) = shard {
                left_out.insert(shard);
            }
            assert_eq!(roots.total(&left_out), of(&left_out));
            assert_eq!(roots.groups(&left_out).into_iter().sum::<Sum>(), of(&left_out));
            assert!(shard.is_none_or(|shard| left_out.contains(shard)));
        }
        assert_eq!(leaves(&registers).into_iter().sum::<Sum>(), roots.total(&Shards::default()));
    }
}
