//! Bytes that outlive a process: MessagePack behind a version byte.
//!
//! ```text
//! ┌─────────┬──────────────────────┐
//! │ version │ MessagePack          │
//! └─────────┴──────────────────────┘
//! ```

use serde::{Serialize, de::DeserializeOwned};

/// Encodes a value behind its format's version byte.
///
/// # Panics
/// Never for the types of this crate: they have no map with keys that cannot be written, and a vector of
/// bytes takes all that is given.
pub fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    rmp_serde::encode::write(&mut bytes, value).expect("a vector takes every byte it is given");
    bytes
}

/// Encodes a value as a map with the names of its fields, which a later build may add to.
///
/// [`decode`] reads both forms, and passes over names that it does not know.
///
/// # Panics
/// As for [`encode`]: never.
pub fn encode_named<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    rmp_serde::encode::write_named(&mut bytes, value).expect("a vector takes every byte it is given");
    bytes
}

/// Decodes a value of a known format version.
///
/// Never panics, and never allocates more than a small multiple of the input: lengths written in the
/// input are not believed beyond what follows them.
///
/// # Errors
/// Unknown versions, bytes that are not the value, and bytes left over.
pub fn decode<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, DecodeError> {
    let (&found, mut body) = bytes.split_first().ok_or(DecodeError::Empty)?;
    if found != version {
        return Err(DecodeError::Version { found, known: version });
    }
    let value = rmp_serde::decode::from_read(&mut body).map_err(|why| DecodeError::Body(why.to_string()))?;
    if body.is_empty() { Ok(value) } else { Err(DecodeError::LeftOver { bytes: body.len() }) }
}

/// Says why bytes are not what they should be; the writer's fault or rot, and nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing at all.
    #[error("no bytes")]
    Empty,
    /// A format this build does not know.
    #[error("format version {found}, and this build knows {known}")]
    Version {
        /// As read.
        found: u8,
        /// As expected.
        known: u8,
    },
    /// Not MessagePack, or not of this type.
    #[error("{0}")]
    Body(String),
    /// More than one value.
    #[error("{bytes} bytes too many")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
}
