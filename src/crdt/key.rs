//! Where a register stands: (profile, content, slot).

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::crdt::IdError;

/// How many shards profiles fall into: enough to spread over machines in small steps, few enough to list.
pub const SHARDS: u16 = 4_096;

/// Room for an account id and a profile id side by side, each a UUID or a mail address.
pub const PROFILE_BYTES_MAX: usize = 128;
/// Room for a path-like content id; longer ones are hashed by whoever has them.
pub const CONTENT_BYTES_MAX: usize = 256;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text as an id.
            ///
            /// # Errors
            /// An empty text, one that is too long, and one with control characters name nothing.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let fits = (1..=$max).contains(&text.len());
                if fits && !text.chars().any(char::is_control) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError::NotAnId { what: $what, max: $max })
                }
            }

            /// Lends the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id! {
    /// Who watches: a viewer inside an account. 1 to 128 bytes without control characters.
    ProfileId, "a profile", PROFILE_BYTES_MAX
}

id! {
    /// What is watched: a film, an episode, a recording, a book. 1 to 256 bytes without control characters.
    ContentId, "a content", CONTENT_BYTES_MAX
}

impl ProfileId {
    /// The shard that the profile falls into, with all that is its own: a hash, below [`SHARDS`].
    ///
    /// # Panics
    /// Never: a remainder is below what it was divided by.
    pub fn shard(&self) -> u16 {
        let hash = xxh3_64(self.as_str().as_bytes()) % u64::from(SHARDS);
        u16::try_from(hash).expect("the remainder is below the number of shards")
    }

    /// The title under which what concerns the whole profile stands: its fence, its settings.
    ///
    /// Its content id is the empty text, which [`ContentId::parse`] takes from nobody.
    pub fn scope(&self) -> TitleId {
        TitleId { profile: self.clone(), content: ContentId("".into()) }
    }
}

impl ContentId {
    /// Takes a text as it stands in a key: an id, or the empty one of a profile's scope.
    ///
    /// # Errors
    /// As for [`ContentId::parse`], save for the empty text.
    pub fn of_key(text: &str) -> Result<Self, IdError> {
        if text.is_empty() { Ok(Self("".into())) } else { Self::parse(text) }
    }
}

/// One viewer's one content: the unit that is read, pruned and answered together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TitleId {
    /// Who watches.
    pub profile: ProfileId,
    /// What is watched.
    pub content: ContentId,
}

/// One place inside a title. Here it is a kind and sixteen bytes; `playback` gives both their meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Slot {
    /// The kind's number; a number once given is never given again.
    pub kind: u8,
    /// Which one of the kind: a session's id, or zeros where a title has only one.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 16],
}

/// Names a register.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Whose place in what.
    pub title: TitleId,
    /// Which of the title's registers.
    pub slot: Slot,
}

impl Slot {
    /// The least slot of a title.
    pub const FIRST: Self = Self { kind: 0, id: [0; 16] };
    /// The greatest slot of a title.
    pub const LAST: Self = Self { kind: u8::MAX, id: [u8::MAX; 16] };
}

impl TitleId {
    /// Makes a title from texts.
    ///
    /// # Errors
    /// Either of them may not be an id.
    pub fn parse(profile: &str, content: &str) -> Result<Self, IdError> {
        Ok(Self { profile: ProfileId::parse(profile)?, content: ContentId::parse(content)? })
    }

    /// Says whether this is no title but the scope of a profile.
    pub fn is_scope(&self) -> bool {
        self.content.as_str().is_empty()
    }

    /// Names one of the title's registers.
    pub fn key(&self, slot: Slot) -> Key {
        Key { title: self.clone(), slot }
    }
}

impl fmt::Display for TitleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.profile, self.content)
    }
}
