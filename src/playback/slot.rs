//! The places inside a title, and who a place belongs to.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::crdt::{IdError, Slot};

/// How many sessions a title keeps: enough for every device of a household, and for a slip to be undone.
pub const SESSIONS_KEPT: usize = 8;
/// How many glimpses a title keeps; apart from sessions, so that failed starts push out no real place.
pub const GLIMPSES_KEPT: usize = 8;
/// How many completions a title keeps: a favourite of every week for five years.
pub const COMPLETIONS_KEPT: usize = 256;

/// What a slot holds. A number once given is never given again.
///
/// ```text
/// kind            id           value            stamp
/// 1 glimpse       session      Sample           anchor + elapsed, seq, session
/// 2 session       session      Sample           anchor + elapsed, seq, session
/// 3 completed     session      nothing          the session's opening, 0, session
/// 4 watched       zeros        Watched          the command's
/// 5 dismissed     zeros        nothing          the command's
/// 6 fence         zeros        nothing          the command's
/// 7 settings      zeros        Settings         the command's
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SlotKind {
    /// The latest heartbeat of a session that has neither played for long nor done anything on purpose.
    Glimpse,
    /// The latest heartbeat of a session that has.
    Session,
    /// That a session reached the end.
    Completed,
    /// What the viewer said by hand: watched, or not.
    Watched,
    /// That the viewer took the title out of the row.
    Dismissed,
    /// Everything at or below its stamp is erased, for ever.
    Fence,
    /// The profile's settings.
    Settings,
}

impl SlotKind {
    const ALL: [Self; 7] = [
        Self::Glimpse,
        Self::Session,
        Self::Completed,
        Self::Watched,
        Self::Dismissed,
        Self::Fence,
        Self::Settings,
    ];

    /// The number that stands in keys.
    pub const fn number(self) -> u8 {
        match self {
            Self::Glimpse => 1,
            Self::Session => 2,
            Self::Completed => 3,
            Self::Watched => 4,
            Self::Dismissed => 5,
            Self::Fence => 6,
            Self::Settings => 7,
        }
    }

    /// The kind of a slot; `None` for a kind that a later build has given a number.
    pub fn of(slot: Slot) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == slot.kind)
    }

    /// The slot of this kind that belongs to a session.
    const fn of_session(self, session: SessionId) -> Slot {
        Slot { kind: self.number(), id: session.0 }
    }

    /// The only slot of this kind.
    const fn alone(self) -> Slot {
        Slot { kind: self.number(), id: [0; 16] }
    }
}

/// Where a session's heartbeats stand while they are but a glimpse.
pub const fn glimpse(session: SessionId) -> Slot {
    SlotKind::Glimpse.of_session(session)
}

/// Where a session's heartbeats stand once it has played, or done something on purpose.
pub const fn session(session: SessionId) -> Slot {
    SlotKind::Session.of_session(session)
}

/// Where it stands that a session reached the end.
pub const fn completed(session: SessionId) -> Slot {
    SlotKind::Completed.of_session(session)
}

/// Where the viewer's own word stands on whether the title is watched.
pub const WATCHED: Slot = SlotKind::Watched.alone();
/// Where it stands that the title was taken out of the row.
pub const DISMISSED: Slot = SlotKind::Dismissed.alone();
/// Where the title's fence stands.
pub const FENCE: Slot = SlotKind::Fence.alone();
/// Where a profile's settings stand.
pub const SETTINGS: Slot = SlotKind::Settings.alone();

/// Names one load of one source on one page or screen.
///
/// A reload, a second load, a duplicated tab and a restart each make a new session. Players that have
/// ids of their own may send any text; what is no UUID is hashed into one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

/// Room for a UUID with its braces, or for a hash in hexadecimal digits.
pub const SESSION_BYTES_MAX: usize = 64;

impl SessionId {
    /// Makes an id from 128 random bits, as a version 4 UUID (RFC 9562, 5.4).
    pub fn from_random(bits: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().into_bytes())
    }

    /// Makes an id from its stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Takes a text as a session: a UUID as it is, any other by its SHA-256, as a version 8 UUID
    /// (RFC 9562, 5.8).
    ///
    /// # Errors
    /// An empty text, one of more than [`SESSION_BYTES_MAX`] bytes and one with control characters name
    /// nothing.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if let Ok(uuid) = Uuid::parse_str(text) {
            return Ok(Self(uuid.into_bytes()));
        }
        let fits = (1..=SESSION_BYTES_MAX).contains(&text.len());
        if !fits || text.chars().any(char::is_control) {
            return Err(IdError::NotAnId { what: "a session", max: SESSION_BYTES_MAX });
        }
        Ok(Self::hashed(text.as_bytes()))
    }

    /// The session of a player that names none: one for each device.
    pub fn unnamed(device: Option<&str>) -> Self {
        // The zero byte keeps it apart from every text that a player may send.
        let mut name = vec![0];
        name.extend_from_slice(device.unwrap_or_default().as_bytes());
        Self::hashed(&name)
    }

    /// Lends the sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn hashed(name: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let (half, _) = digest.split_first_chunk::<16>().expect("sixteen is less than thirty-two");
        Self(uuid::Builder::from_custom_bytes(*half).into_uuid().into_bytes())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u128::from_be_bytes(self.0) >> 96)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kinds_are_those_on_disk() {
        let numbers = SlotKind::ALL.map(SlotKind::number);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(SlotKind::of(Slot { kind: 8, id: [0; 16] }), None);
        assert_eq!(SlotKind::of(FENCE), Some(SlotKind::Fence));
    }

    #[test]
    fn a_uuid_names_itself_and_any_other_text_names_a_uuid() {
        let text = "0190b7f2-6c1d-4a4e-9d3b-1f2e3d4c5b6a";
        assert_eq!(SessionId::parse(text).expect("a UUID").to_string(), text);
        let named = SessionId::parse("living room").expect("a text");
        assert_eq!(SessionId::parse(&named.to_string()), Ok(named));
        assert_ne!(SessionId::parse("living room 2"), Ok(named));
    }

    #[test]
    fn a_session_must_have_1_to_64_bytes() {
        assert!(SessionId::parse("").is_err());
        assert!(SessionId::parse(&"x".repeat(64)).is_ok());
        assert!(SessionId::parse(&"x".repeat(65)).is_err());
    }

    #[test]
    fn unnamed_sessions_are_one_for_each_device() {
        assert_eq!(SessionId::unnamed(Some("tv")), SessionId::unnamed(Some("tv")));
        assert_ne!(SessionId::unnamed(Some("tv")), SessionId::unnamed(None));
        assert_ne!(SessionId::parse("tv"), Ok(SessionId::unnamed(Some("tv"))));
        assert!(SessionId::parse("\u{0}tv").is_err(), "it would be an unnamed one's");
    }
}
