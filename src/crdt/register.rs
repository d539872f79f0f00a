//! The last-writer-wins register, and the one place where two values meet.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::crdt::{Key, Origin, Timestamp, WallTime};

/// A value's greatest length in bytes: a heartbeat takes about 80, and its device's name and its series'
/// key at most 256 and 128 more.
///
/// A title keeps at most 272 registers, 256 of them without a value, so that the whole of one fits a
/// frame of 64 KiB with room.
pub const VALUE_BYTES_MAX: usize = 576;

/// When the viewer did it: the total order that arbitrates between two values of a register.
///
/// Time first, then the counter, then the writer. It is a function of the request alone, the same at
/// every node and in every retry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// When, on the replica set's time line.
    pub time: WallTime,
    /// Order within one writer's millisecond: a heartbeat's `seq`.
    pub counter: u32,
    /// Who: the session's id for heartbeats, the origin for commands.
    #[serde(with = "serde_bytes")]
    pub writer: [u8; 16],
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let writer = u128::from_be_bytes(self.writer) >> 96;
        write!(f, "{}#{}@{writer:08x}", self.time.as_ms(), self.counter)
    }
}

/// A write's identity in vectors and indexes: which life of which replica accepted it, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Dot {
    /// The life that accepted it.
    pub origin: Origin,
    /// Its clock at that moment; strictly rising, one for each register written.
    pub version: Timestamp,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.origin, self.version.as_u64())
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{:?}", self.origin, self.version)
    }
}

impl std::str::FromStr for Dot {
    type Err = crate::crdt::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (origin, version) = text.split_once(':').ok_or(Self::Err::NotAnOrigin)?;
        let version = version.parse().map_err(|_| Self::Err::NotAnOrigin)?;
        Ok(Self { origin: origin.parse()?, version: Timestamp::from_u64(version) })
    }
}

/// A last-writer-wins register: the value with the greatest stamp seen so far.
///
/// The value is opaque here: made once by the accepting node, then stored, compared and relayed
/// unchanged. The check covers key, stamp and value; a register that fails it is not to be merged,
/// served or fed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Register {
    /// When the viewer did it.
    pub stamp: Stamp,
    /// Which write it is.
    pub dot: Dot,
    /// What was said, at most [`VALUE_BYTES_MAX`] bytes.
    #[serde(with = "shared_bytes")]
    pub value: Arc<[u8]>,
    /// Guards key, stamp and value against rot.
    pub check: u64,
}

/// Whether a merge changed what stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merged {
    /// The other register, or its dot, stands here.
    Changed,
    /// What stood here stands.
    Unchanged,
}

impl Register {
    /// Makes the register that a replica accepts under `key`, with its check.
    pub fn seal(key: &Key, stamp: Stamp, dot: Dot, value: Arc<[u8]>) -> Self {
        let check = check(key, &stamp, &value);
        Self { stamp, dot, value, check }
    }

    /// Says whether key, stamp and value are those that were sealed.
    pub fn is_sound(&self, key: &Key) -> bool {
        self.check == check(key, &self.stamp, &self.value)
    }

    /// Joins another register of the same key into this one.
    ///
    /// The greater stamp stays; under equal stamps the greater value, so that even a writer which says
    /// two things under one stamp converges; under equal values the lesser dot. The order is total, so
    /// the join is commutative, associative and idempotent (Shapiro et al. 2011, 3.2.1).
    pub fn merge(&mut self, other: &Self) -> Merged {
        let (ours, theirs) = ((self.stamp, &self.value), (other.stamp, &other.value));
        let other_stands = theirs > ours || (theirs == ours && other.dot < self.dot);
        if other_stands {
            *self = other.clone();
            Merged::Changed
        } else {
            Merged::Unchanged
        }
    }
}

fn check(key: &Key, stamp: &Stamp, value: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    for text in [key.title.profile.as_str(), key.title.content.as_str()] {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(&[key.slot.kind]);
    hash.update(&key.slot.id);
    hash.update(&stamp.time.as_ms().to_be_bytes());
    hash.update(&stamp.counter.to_be_bytes());
    hash.update(&stamp.writer);
    hash.update(value);
    hash.digest()
}

mod shared_bytes {
    //! An `Arc<[u8]>` as one byte string, where serde alone would write a sequence of numbers.

    use std::sync::Arc;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Arc<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<[u8]>, D::Error> {
        serde_bytes::deserialize::<Vec<u8>, _>(from).map(Into::into)
    }
}
