//! A session's claims as a text that only the replica set can have made.
//!
//! ```text
//! pm1. base64url( epoch: u32 │ claims: version byte, MessagePack │ HMAC-SHA256 of all before, 32 bytes )
//! ```
//!
//! The epoch is the day of issue. Each day has a key of its own, derived from the cluster's secret, so
//! two sides of a cut verify each other's tokens without a word between them, and the key of any past
//! day can be had: an old token is refused for its age and never for a lost key. Only a day that has
//! not come is unknown; that is a clock's fault, the node's or the issuer's, and no verdict on the player.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    crdt::{ContentId, ProfileId, Stamp, TitleId, WallTime, decode, encode_named},
    playback::{
        Claims, Device, Rights, Series, SessionId, TimeQuality,
        sample::{is_false, short_stamp},
    },
};

/// Says what the text is, and which form of it.
const PREFIX: &str = "pm1.";
/// The format of the claims inside.
const FORMAT: u8 = 1;
const EPOCH_BYTES: usize = 4;
const MAC_BYTES: usize = 32;
const DAY_MS: u64 = 86_400_000;
const READ: u8 = 1;
const WRITE: u8 = 2;

/// The longest text looked at: ids, device and series at their longest take about 1,400 characters.
pub const TOKEN_CHARS_MAX: usize = 1_536;
/// The shortest secret: as many bits as the keys made from it.
pub const SECRET_BYTES_MIN: usize = 32;

/// The cluster's secret, ready to make the key of any day.
#[derive(Clone)]
pub struct TokenKeys {
    root: Hkdf<Sha256>,
}

impl TokenKeys {
    /// Takes the cluster's secret.
    ///
    /// # Errors
    /// Less than [`SECRET_BYTES_MIN`] bytes can be guessed.
    pub fn new(secret: &[u8]) -> Result<Self, SecretTooShort> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort { bytes: secret.len() });
        }
        Ok(Self { root: Hkdf::new(Some(b"playmark tokens"), secret) })
    }

    /// Signs claims that are issued `now`.
    pub fn sign(&self, claims: &Claims, now: WallTime) -> String {
        let epoch = epoch_of(now);
        let mut bytes = epoch.to_be_bytes().to_vec();
        bytes.extend(encode_named(FORMAT, &Wire::from(claims)));
        let mac = self.mac(epoch, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(&bytes, &mut text);
        text
    }

    /// Reads a token's claims, if they are the replica set's. The comparison takes constant time.
    ///
    /// Whether they have expired is for the door to say, which knows when the sample was taken.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, text: &str, now: WallTime) -> Result<Claims, TokenError> {
        let coded = text.strip_prefix(PREFIX).ok_or(TokenError::Malformed)?;
        if text.len() > TOKEN_CHARS_MAX {
            return Err(TokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(coded).map_err(|_| TokenError::Malformed)?;
        let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(TokenError::Malformed)?;
        let (epoch, body) = signed.split_first_chunk::<EPOCH_BYTES>().ok_or(TokenError::Malformed)?;
        let (epoch, today) = (u32::from_be_bytes(*epoch), epoch_of(now));
        if epoch > today.saturating_add(1) {
            return Err(TokenError::UnknownEpoch { epoch, today });
        }
        self.mac(epoch, signed).verify_slice(mac).map_err(|_| TokenError::BadSignature)?;
        let wire: Wire = decode(FORMAT, body).map_err(|_| TokenError::Malformed)?;
        Ok(wire.into())
    }

    fn mac(&self, epoch: u32, signed: &[u8]) -> Hmac<Sha256> {
        let mut key = [0; MAC_BYTES];
        self.root.expand(&epoch.to_be_bytes(), &mut key).expect("one block is within HKDF's 255");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.update(PREFIX.as_bytes());
        mac.update(signed);
        mac
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys").finish_non_exhaustive()
    }
}

fn epoch_of(now: WallTime) -> u32 {
    u32::try_from(now.as_ms() / DAY_MS).unwrap_or(u32::MAX)
}

/// The claims as they stand in a token: short keys, which a later build may add to.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "p")]
    profile: ProfileId,
    #[serde(rename = "c")]
    content: ContentId,
    #[serde(rename = "i", with = "serde_bytes")]
    session: [u8; 16],
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    device: Option<Device>,
    #[serde(rename = "o")]
    opened: WallTime,
    #[serde(rename = "a")]
    anchor: WallTime,
    #[serde(rename = "b")]
    base: WallTime,
    #[serde(rename = "q")]
    quality: TimeQuality,
    #[serde(rename = "r")]
    rights: u8,
    #[serde(rename = "x")]
    expires: WallTime,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none", with = "short_stamp")]
    seen: Option<Stamp>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    series: Option<Series>,
    #[serde(rename = "g", default, skip_serializing_if = "is_false")]
    incognito: bool,
}

impl From<&Claims> for Wire {
    fn from(claims: &Claims) -> Self {
        let Rights { read, write } = claims.rights;
        Self {
            profile: claims.title.profile.clone(),
            content: claims.title.content.clone(),
            session: *claims.session.as_bytes(),
            device: claims.device.clone(),
            opened: claims.opened,
            anchor: claims.anchor,
            base: claims.base,
            quality: claims.quality,
            rights: if read { READ } else { 0 } | if write { WRITE } else { 0 },
            expires: claims.expires,
            seen: claims.seen,
            series: claims.series.clone(),
            incognito: claims.incognito,
        }
    }
}

impl From<Wire> for Claims {
    fn from(wire: Wire) -> Self {
        Self {
            title: TitleId { profile: wire.profile, content: wire.content },
            session: SessionId::from_bytes(wire.session),
            device: wire.device,
            opened: wire.opened,
            anchor: wire.anchor,
            base: wire.base,
            quality: wire.quality,
            rights: Rights { read: wire.rights & READ != 0, write: wire.rights & WRITE != 0 },
            expires: wire.expires,
            seen: wire.seen,
            series: wire.series,
            incognito: wire.incognito,
        }
    }
}

/// Says why a text is no token of this replica set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Not the form of a token: the player's fault, and not worth sending again.
    #[error("not a token: take one from a session or a resume point, and send it whole")]
    Malformed,
    /// Not made with this replica set's secret, or changed since: the player's fault.
    #[error("the token's signature is not this replica set's")]
    BadSignature,
    /// Issued on a day that has not come here: a clock is wrong. Worth sending again, to any node.
    #[error("the token is of day {epoch}, and here it is day {today}")]
    UnknownEpoch {
        /// The day of issue, since 1970.
        epoch: u32,
        /// The day here.
        today: u32,
    },
}

/// Says that a secret can be guessed; the operator's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cluster's secret has {bytes} bytes, and it must have {SECRET_BYTES_MIN} or more")]
pub struct SecretTooShort {
    /// How many it has.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::{Shown, session::tests::opened_at};

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);

    /// Signed with sevens, on the day of `NOW`.
    const GOLDEN: &str = "pm1.AABM2wGJoXCjYW5uoWOkZmlsbaFpxBABAQEBAQEBAQEBAQEBAQEBoW_PAAABi8_laAChYc8AAAGLz-Vo\
        AKFizwAAAYvP5WgAoXEAoXIDoXjPAAABi9ULxADEZj8EJnCoSCJ-L85LXDAj7gaWgXurTNw8PpC4Cv8TTQ";

    fn keys() -> TokenKeys {
        TokenKeys::new(&[7; 32]).expect("long enough")
    }

    fn claims() -> Claims {
        opened_at(NOW, &Shown::default())
    }

    #[test]
    fn a_token_says_what_was_signed_at_any_node_that_has_the_secret() {
        let seen = Some(Stamp { time: NOW, counter: 3, writer: [9; 16] });
        let device = Some(Device::parse("Küche").expect("a name"));
        let series = Some(Series::parse("shows/dark").expect("a key"));
        let rights = Rights { read: false, write: true };
        let claims = Claims { seen, device, series, rights, incognito: true, ..claims() };
        let text = keys().sign(&claims, NOW);
        assert_eq!(keys().verify(&text, NOW), Ok(claims));
    }

    #[test]
    fn the_text_of_a_token_is_the_one_that_players_hold() {
        assert_eq!(keys().sign(&claims(), NOW), GOLDEN);
        assert_eq!(keys().verify(GOLDEN, NOW), Ok(claims()));
    }

    #[test]
    fn the_longest_token_is_within_its_bound() {
        let most = WallTime::from_ms(u64::MAX);
        let title = TitleId::parse(&"p".repeat(128), &"c".repeat(256)).expect("the longest ids");
        let claims = Claims {
            title,
            device: Some(Device::parse(&"𝄞".repeat(64)).expect("64 characters")),
            opened: most,
            anchor: most,
            base: most,
            expires: most,
            seen: Some(Stamp { time: most, counter: u32::MAX, writer: [255; 16] }),
            series: Some(Series::parse(&"s".repeat(128)).expect("128 bytes")),
            incognito: true,
            ..claims()
        };
        let text = keys().sign(&claims, NOW);
        assert!(text.len() <= TOKEN_CHARS_MAX, "{} characters", text.len());
        assert_eq!(keys().verify(&text, NOW), Ok(claims));
    }

    #[test]
    fn no_character_of_a_token_can_be_changed_removed_or_added() {
        let text = keys().sign(&claims(), NOW);
        for at in 0..text.len() {
            for other in ["A", "_", "=", "."] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                let inserted = format!("{}{other}{}", &text[..at], &text[at..]);
                for tampered in [changed, inserted] {
                    let same = tampered == text;
                    assert_eq!(keys().verify(&tampered, NOW).is_ok(), same, "{tampered}");
                }
            }
            assert!(keys().verify(&text[..at], NOW).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_secret_is_a_bad_signature() {
        let text = TokenKeys::new(&[8; 32]).expect("long enough").sign(&claims(), NOW);
        assert_eq!(keys().verify(&text, NOW), Err(TokenError::BadSignature));
    }

    #[test]
    fn a_day_that_has_not_come_is_unknown_and_an_old_one_is_not() {
        let later = |days: u64| NOW.plus_ms(days * DAY_MS);
        let text = keys().sign(&claims(), later(1));
        assert!(keys().verify(&text, NOW).is_ok());
        let text = keys().sign(&claims(), later(2));
        assert_eq!(
            keys().verify(&text, NOW),
            Err(TokenError::UnknownEpoch { epoch: epoch_of(NOW) + 2, today: epoch_of(NOW) })
        );
        assert!(keys().verify(&text, later(500)).is_ok());
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert!(TokenKeys::new(&[7; 31]).is_err());
    }
}
