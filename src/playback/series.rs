//! To which larger work a title belongs, as its player says.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::crdt::IdError;

/// Room for a path-like key of a catalogue, or for a hash in hexadecimal digits.
pub const SERIES_BYTES_MAX: usize = 128;

/// A series' key: 1 to 128 bytes, none of them of a control character.
///
/// Nothing is known here of catalogues. Titles whose players say the same key stand together in a row,
/// and that is all a key does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Series(Arc<str>);

impl Series {
    /// Takes a text as a series' key.
    ///
    /// # Errors
    /// An empty text, one that is too long, and one with control characters name nothing.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let fits = (1..=SERIES_BYTES_MAX).contains(&text.len());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(IdError::NotAnId { what: "a series", max: SERIES_BYTES_MAX })
        }
    }

    /// Lends the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Series {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Series> for String {
    fn from(series: Series) -> Self {
        series.0.as_ref().into()
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_1_to_128_bytes_of_any_script() {
        for good in ["s", "shows/dark 2017", &"x".repeat(128), &"ö".repeat(64)] {
            assert_eq!(Series::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", "a\nb", "\0", &"x".repeat(129), &"ö".repeat(65)] {
            assert!(Series::parse(bad).is_err(), "{bad:?}");
        }
    }
}
