//! What one register of a session says: the sample that a heartbeat reported, as bytes.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    crdt::{DecodeError, IdError, Stamp, WallTime, decode, encode, encode_named},
    playback::{Event, Series},
};

/// The format of values written by this build.
const FORMAT: u8 = 1;

/// A device's name: 1 to 64 characters, none of them a control character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Device(Arc<str>);

/// Room for a name that a person gave, in any script; at most four bytes a character.
pub const DEVICE_CHARS_MAX: usize = 64;

impl Device {
    /// Takes a text as a device's name.
    ///
    /// # Errors
    /// An empty text, one that is too long, and one with control characters name nothing.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let fits = (1..=DEVICE_CHARS_MAX).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(IdError::NotAnId { what: "a device", max: DEVICE_CHARS_MAX })
        }
    }

    /// Lends the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Device {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.0.as_ref().into()
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// How far the time of a stamp is to be trusted. A number once given is never given again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum TimeQuality {
    /// Counted by the player's monotonic clock from a moment that the replica set signed.
    Anchored,
    /// Derived from a clock that counts sleep.
    Mono,
    /// Derived from the device's wall clock.
    Wall,
    /// The lowest bound known.
    Bound,
    /// When it arrived.
    Arrival,
    /// When its client had read the title: it was done then or later (R12).
    Read,
    /// When it arrived, from a client that had read nothing: it was done then or earlier (R12).
    Blind,
}

impl TimeQuality {
    /// The name that readers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anchored => "anchored",
            Self::Mono => "mono",
            Self::Wall => "wall",
            Self::Bound => "bound",
            Self::Arrival => "arrival",
            Self::Read => "read",
            Self::Blind => "blind",
        }
    }
}

impl From<TimeQuality> for u8 {
    fn from(quality: TimeQuality) -> Self {
        match quality {
            TimeQuality::Anchored => 0,
            TimeQuality::Mono => 1,
            TimeQuality::Wall => 2,
            TimeQuality::Bound => 3,
            TimeQuality::Arrival => 4,
            TimeQuality::Read => 5,
            TimeQuality::Blind => 6,
        }
    }
}

impl TryFrom<u8> for TimeQuality {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        let all =
            [Self::Anchored, Self::Mono, Self::Wall, Self::Bound, Self::Arrival, Self::Read, Self::Blind];
        all.get(usize::from(number)).copied().ok_or("a time quality of a later build")
    }
}

/// One sample of a session, as it stands in the slots `glimpse` and `session`.
///
/// The bytes are a MessagePack map behind a version byte, with the keys given below. They are a
/// function of the request and its token alone, with no node, address or arrival time in them, so that
/// every node which accepts a heartbeat writes the same register. (A heartbeat stamped at arrival is
/// the exception, and says so in its quality.) Absent keys have the default; unknown ones are passed over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// The player's own count of its reports in this session.
    #[serde(rename = "n")]
    pub seq: u32,
    /// Milliseconds from asking for the token to taking the sample; absent where stamped at arrival.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// Where the playhead was, in milliseconds.
    #[serde(rename = "p")]
    pub position_ms: u64,
    /// How long the title is, in milliseconds.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Where the credits begin, in milliseconds.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub credits_ms: Option<u64>,
    /// What the player was doing.
    #[serde(rename = "e")]
    pub event: Event,
    /// Speed of play in thousandths; 1000 is normal, and negative is backwards.
    #[serde(rename = "r", default = "normal_rate", skip_serializing_if = "is_normal_rate")]
    pub rate_thousandths: i32,
    /// How long the session has played in all, in milliseconds.
    #[serde(rename = "y", default, skip_serializing_if = "is_zero")]
    pub played_ms: u64,
    /// Whether the viewer has sought or restarted on purpose in this session.
    #[serde(rename = "b", default, skip_serializing_if = "is_false")]
    pub deliberate: bool,
    /// On what.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// How far the stamp's time is to be trusted.
    #[serde(rename = "q")]
    pub quality: TimeQuality,
    /// The greatest stamp of the title that had been shown to the writer; tells concurrent from later.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none", with = "short_stamp")]
    pub seen: Option<Stamp>,
    /// When the session opened, where no token says it: only for what is stamped at arrival.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<WallTime>,
    /// A report without movement, stamped at arrival by a node that did not know the session.
    ///
    /// It may be hours late and it carries no time of its own, so it never arbitrates.
    #[serde(rename = "x", default, skip_serializing_if = "is_false")]
    pub bystander: bool,
    /// To which series the title belongs, as the player says.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
}

impl Sample {
    /// The register's value.
    pub fn encode(&self) -> Arc<[u8]> {
        encode_named(FORMAT, self).into()
    }

    /// Reads a register's value.
    ///
    /// # Errors
    /// As for [`decode`]: bytes of a later format, or rot.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        decode(FORMAT, value)
    }
}

/// The value of the slot `watched`: what the viewer said by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watched(pub bool);

impl Watched {
    /// The register's value.
    pub fn encode(self) -> Arc<[u8]> {
        encode(FORMAT, &self).into()
    }

    /// Reads a register's value.
    ///
    /// # Errors
    /// As for [`decode`]: bytes of a later format, or rot.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        decode(FORMAT, value)
    }
}

fn normal_rate() -> i32 {
    1_000
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_normal_rate(rate: &i32) -> bool {
    *rate == normal_rate()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(super) fn is_false(flag: &bool) -> bool {
    !*flag
}

pub(super) mod short_stamp {
    //! A stamp as [time, counter, writer], where names would take more room than what they name.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_bytes::ByteArray;

    use crate::crdt::{Stamp, WallTime};

    type Parts = (WallTime, u32, ByteArray<16>);

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(in crate::playback) fn serialize<S: Serializer>(
        stamp: &Option<Stamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        stamp.map(|stamp| (stamp.time, stamp.counter, ByteArray::new(stamp.writer))).serialize(to)
    }

    pub(in crate::playback) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Stamp>, D::Error> {
        let parts = Option::<Parts>::deserialize(from)?;
        Ok(parts.map(|(time, counter, writer)| Stamp { time, counter, writer: writer.into_array() }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{crdt::VALUE_BYTES_MAX, playback::SERIES_BYTES_MAX};

    pub(in crate::playback) fn playing(position_ms: u64) -> Sample {
        Sample {
            seq: 7,
            elapsed_ms: Some(70_000),
            position_ms,
            duration_ms: None,
            credits_ms: None,
            event: Event::Playing,
            rate_thousandths: 1_000,
            played_ms: 0,
            deliberate: false,
            device: None,
            quality: TimeQuality::Anchored,
            seen: None,
            opened: None,
            bystander: false,
            series: None,
        }
    }

    fn greatest() -> Sample {
        let most = WallTime::from_ms(u64::MAX);
        Sample {
            seq: u32::MAX,
            elapsed_ms: Some(u64::MAX),
            position_ms: u64::MAX,
            duration_ms: Some(u64::MAX),
            credits_ms: Some(u64::MAX),
            event: Event::Restarted,
            rate_thousandths: i32::MIN,
            played_ms: u64::MAX,
            deliberate: true,
            device: Some(Device::parse(&"𝄞".repeat(DEVICE_CHARS_MAX)).expect("64 characters")),
            quality: TimeQuality::Arrival,
            seen: Some(Stamp { time: most, counter: u32::MAX, writer: [255; 16] }),
            opened: Some(most),
            bystander: true,
            series: Some(Series::parse(&"s".repeat(SERIES_BYTES_MAX)).expect("128 bytes")),
        }
    }

    #[test]
    fn the_greatest_sample_fits_a_register() {
        let value = greatest().encode();
        assert!(value.len() <= VALUE_BYTES_MAX, "{} bytes", value.len());
        assert_eq!(Sample::decode(&value), Ok(greatest()));
    }

    #[test]
    fn the_bytes_of_a_sample_are_those_on_disk() {
        let golden = b"\x01\x85\xa1n\x07\xa1t\xce\x00\x01\x11\x70\xa1p\xce\x00\x12\x4f\x80\xa1e\x00\xa1q\x00";
        assert_eq!(playing(1_200_000).encode().as_ref(), golden);
        assert_eq!(Sample::decode(golden), Ok(playing(1_200_000)));
        assert_eq!(Watched(true).encode().as_ref(), b"\x01\xc3");
    }

    #[test]
    fn a_series_stands_behind_the_keys_of_earlier_builds() {
        let sample = Sample { series: Series::parse("dark").ok(), ..playing(1_200_000) };
        let golden =
            b"\x01\x86\xa1n\x07\xa1t\xce\x00\x01\x11\x70\xa1p\xce\x00\x12\x4f\x80\xa1e\x00\xa1q\x00\xa1k\xa4dark";
        assert_eq!(sample.encode().as_ref(), golden);
        assert_eq!(Sample::decode(golden), Ok(sample));
    }

    #[test]
    fn keys_of_a_later_build_are_passed_over() {
        let mut value = playing(1_200_000).encode().to_vec();
        value[1] += 1;
        value.extend_from_slice(b"\xa4late\x93\x01\x02\x03");
        assert_eq!(Sample::decode(&value), Ok(playing(1_200_000)));
    }

    #[test]
    fn a_device_has_1_to_64_characters_of_any_script() {
        assert!(Device::parse("Wohnzimmer-Fernseher").is_ok());
        assert!(Device::parse(&"テ".repeat(64)).is_ok());
        for bad in ["", "a\nb", &"x".repeat(65)] {
            assert!(Device::parse(bad).is_err(), "{bad:?}");
        }
    }
}
