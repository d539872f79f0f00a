//! Static keys: for gateways and scripts, which nobody logs in.
//!
//! ```toml
//! [[key]]
//! name = "gateway"
//! sha256 = "…64 hexadecimal digits…"
//! scopes = ["play", "read"]
//! profiles = ["*"]
//! ```
//!
//! A file holds the hashes of keys and never a key. A key is 256 random bits, so that a fast hash is
//! enough: nothing shorter than all of them can be guessed.

use std::{collections::BTreeSet, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Denied, Scope,
    caller::{Named, Profiles, Subject},
};

/// What every key begins with, so that it is found where it has been leaked.
pub const KEY_PREFIX: &str = "pmk_";

/// How many keys a file may hold: each is compared with each that is presented.
pub const KEYS_MAX: usize = 1_024;

/// The longest name of a key.
const NAME_CHARS_MAX: usize = 64;

const HASH_BYTES: usize = 32;

/// A key, while it is made; it is shown once.
pub struct NewKey {
    /// The key itself.
    pub key: String,
    /// Its hash, as the file wants it.
    pub sha256: String,
}

impl NewKey {
    /// Makes a key of 256 random bits.
    pub fn from_random(bits: [u8; HASH_BYTES]) -> Self {
        let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
        let sha256 = hash(&key).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Self { key, sha256 }
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// The keys of a file.
#[derive(Debug)]
pub(super) struct Keys(Vec<([u8; HASH_BYTES], Arc<Named>)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    scopes: Vec<String>,
    profiles: Vec<String>,
}

impl Keys {
    /// Reads a file of keys. A file without any lets nobody in, which may be meant.
    ///
    /// # Errors
    /// The first key that is none, by its name.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
        let File { key: entries } = toml::from_str(text).map_err(|why| why.message().to_owned())?;
        if entries.len() > KEYS_MAX {
            return Err(format!("it has {} keys, and at most {KEYS_MAX} may be", entries.len()));
        }
        let mut names = BTreeSet::new();
        let mut keys = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = entry.name.clone();
            if !names.insert(name.clone()) {
                return Err(format!("key \"{name}\": the name is given twice"));
            }
            keys.push(entry.read().map_err(|why| format!("key \"{name}\": {why}"))?);
        }
        Ok(Self(keys))
    }

    /// Finds whose key it is. All are compared, and each in constant time, so that how long it takes says
    /// nothing of any.
    pub(super) fn find(&self, key: &str) -> Result<Arc<Named>, Denied> {
        let presented = hash(key);
        let mut found = None;
        for (known, named) in &self.0 {
            if bool::from(known.ct_eq(&presented)) {
                found = Some(named);
            }
        }
        found.map(Arc::clone).ok_or(Denied::Invalid("no such key"))
    }
}

impl Entry {
    fn read(self) -> Result<([u8; HASH_BYTES], Arc<Named>), String> {
        let is_name = (1..=NAME_CHARS_MAX).contains(&self.name.chars().count());
        if !is_name || self.name.chars().any(char::is_control) {
            return Err(format!("a name has 1 to {NAME_CHARS_MAX} characters"));
        }
        let hash = from_hex(&self.sha256).ok_or("`sha256` must be 64 hexadecimal digits")?;
        let scopes = self.scopes.iter().map(|name| {
            let all = Scope::ALL.map(Scope::as_str).join(", ");
            Scope::parse(name).ok_or_else(|| format!("\"{name}\" is no scope; there are {all}"))
        });
        let named = Named {
            subject: Subject::Key(self.name.as_str().into()),
            scopes: scopes.collect::<Result<_, _>>()?,
            profiles: Profiles::parse(self.profiles.iter().map(String::as_str))?,
            issued: None,
            expires: None,
        };
        Ok((hash, Arc::new(named)))
    }
}

fn hash(key: &str) -> [u8; HASH_BYTES] {
    Sha256::digest(key.as_bytes()).into()
}

fn from_hex(text: &str) -> Option<[u8; HASH_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * HASH_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; HASH_BYTES];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, key: &NewKey, more: &str) -> String {
        let sha256 = &key.sha256;
        format!("[[key]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\n{more}\n")
    }

    const ALL: &str = "scopes = [\"play\"]\nprofiles = [\"*\"]";

    #[test]
    fn a_key_is_found_by_itself_and_by_nothing_else() {
        let (one, other) = (NewKey::from_random([1; 32]), NewKey::from_random([2; 32]));
        let keys = Keys::parse((file("one", &one, ALL) + &file("other", &other, ALL)).as_bytes());
        let keys = keys.expect("both are keys");
        let found = keys.find(&other.key).expect("it is there");
        assert_eq!(found.subject, Subject::Key("other".into()));
        assert_eq!(found.scopes, BTreeSet::from([Scope::Play]));
        for wrong in ["", KEY_PREFIX, &one.sha256, &one.key[..one.key.len() - 1], &one.key.to_lowercase()] {
            assert!(keys.find(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_is_wrong_says_which_key_and_what() {
        let key = NewKey::from_random([1; 32]);
        let check = |text: String, said: &str| {
            let why = Keys::parse(text.as_bytes()).expect_err(said);
            assert!(why.contains(said), "{why}");
        };
        check(file("one", &key, "scopes = [\"fly\"]\nprofiles = []"), "key \"one\": \"fly\" is no scope");
        check(file("one", &key, "scopes = []\nprofiles = [\"ada\", \"*\"]"), "stands alone");
        check(file("one", &key, ALL) + &file("one", &key, ALL), "given twice");
        check(file("one", &key, ALL).replace(&key.sha256, "77"), "64 hexadecimal");
        check(file("", &key, ALL), "1 to 64");
        check(file("one", &key, "scopes = []"), "profiles");
        check(file("one", &key, &format!("{ALL}\nkey = \"{}\"", key.key)), "unknown field");
        assert!(Keys::parse(b"").expect("nobody").find(&key.key).is_err());
    }

    #[test]
    fn a_new_key_does_not_show_itself_in_a_log() {
        let key = NewKey::from_random([1; 32]);
        assert!(!format!("{key:?}").contains(&key.key[KEY_PREFIX.len()..]));
    }
}
