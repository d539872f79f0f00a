//! Names of replicas, of their lives, and of the places where they stand.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one holder of the full state; made with its data directory and kept for that directory's life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaId(Uuid);

impl ReplicaId {
    /// Makes an id from 128 random bits, as a version 4 UUID (RFC 9562, 5.4).
    pub fn from_random(bits: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
    }

    /// Lends the sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReplicaId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text).map(Self).map_err(|_| IdError::NotAReplica)
    }
}

/// Names one life of a replica: 128 random bits drawn at each start.
///
/// A life that lost its tail, a restored snapshot and a cloned disk differ from their first write on,
/// because each of them starts as a new origin and no counter has to be believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "serde_bytes::ByteArray<16>", into = "serde_bytes::ByteArray<16>")]
pub struct Origin([u8; 16]);

impl Origin {
    /// Makes an origin from random bits.
    pub const fn from_random(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }

    /// Makes an origin from its stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Lends the sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<serde_bytes::ByteArray<16>> for Origin {
    fn from(bytes: serde_bytes::ByteArray<16>) -> Self {
        Self(bytes.into_array())
    }
}

impl From<Origin> for serde_bytes::ByteArray<16> {
    fn from(origin: Origin) -> Self {
        Self::new(origin.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u128::from_be_bytes(self.0) >> 96)
    }
}

impl FromStr for Origin {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(IdError::NotAnOrigin);
        }
        u128::from_str_radix(text, 16).map(Self::from_random).map_err(|_| IdError::NotAnOrigin)
    }
}

/// Names where a replica stands: 1 to 32 lower-case letters, digits and inner hyphens.
///
/// A region is one label of a certificate's name, so it obeys the rule for labels (RFC 1123, 2.1).
///
/// ```
/// use playmark::crdt::Region;
///
/// assert!("eu-west-1".parse::<Region>().is_ok());
/// assert!("EU".parse::<Region>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Box<str>);

impl Region {
    /// Lends the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let hyphens_inside = !text.starts_with('-') && !text.ends_with('-');
        if (1..=32).contains(&text.len()) && letters && hyphens_inside {
            Ok(Self(text.into()))
        } else {
            Err(IdError::NotARegion)
        }
    }
}

impl TryFrom<String> for Region {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0.into()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says why a text names nothing here; the caller's fault, and nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// Not a UUID.
    #[error("a replica id is a UUID, such as 0190b7f2-6c1d-4a4e-9d3b-1f2e3d4c5b6a")]
    NotAReplica,
    /// Not 32 hexadecimal digits.
    #[error("an origin is 32 hexadecimal digits")]
    NotAnOrigin,
    /// Not a region's name.
    #[error("a region is 1 to 32 lower-case letters, digits and inner hyphens")]
    NotARegion,
    /// Empty, too long or with control characters.
    #[error("{what} must have 1 to {max} bytes and no control characters")]
    NotAnId {
        /// Which id it was to be.
        what: &'static str,
        /// The greatest length, in bytes.
        max: usize,
    },
}
