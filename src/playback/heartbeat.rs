//! A heartbeat as players send it, parsed once: what is inside a [`Heartbeat`] is within its bounds.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    crdt::{ContentId, IdError, ProfileId, TitleId},
    playback::{Device, Event, Series, SessionId, TOKEN_CHARS_MAX},
};

/// The longest position, length or elapsed time: a year. What is longer was sent in another unit.
pub const SPAN_MS_MAX: u64 = 365 * 86_400_000;
/// The greatest speed of play, either way: faster than any wheel can be turned.
pub const RATE_MAX: f64 = 1_000.0;

/// A player's report of one sample; nothing else.
///
/// Unknown members of the JSON object are passed over, and a member that is `null` is absent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// The token the sample was taken under, which is not always the newest.
    pub token: Option<String>,
    /// Who watches. Beside a token it must say the same as the token.
    pub profile: Option<ProfileId>,
    /// What is watched. Beside a token it must say the same as the token.
    pub content: Option<ContentId>,
    /// Which session. Beside a token it must say the same as the token.
    pub session: Option<SessionId>,
    /// On what.
    pub device: Option<Device>,
    /// The player's own count of its reports in this session.
    pub seq: Option<u32>,
    /// Milliseconds from asking for the token to taking the sample. Without it the sample is stamped at
    /// arrival.
    pub elapsed_ms: Option<u64>,
    /// The same clock at the moment of sending.
    pub sent_elapsed_ms: Option<u64>,
    /// Where the playhead was, in milliseconds.
    pub position_ms: u64,
    /// How long the title is, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Where the credits begin, in milliseconds.
    pub credits_ms: Option<u64>,
    /// What the player was doing.
    pub event: Event,
    /// Speed of play in thousandths.
    pub rate_thousandths: i32,
    /// How long the session has played in all, in milliseconds.
    pub played_ms: Option<u64>,
    /// Whether the viewer has sought or restarted on purpose in this session; it stays true.
    pub deliberate: bool,
    /// To which series the title belongs.
    pub series: Option<Series>,
}

impl Heartbeat {
    /// Parses one JSON object.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_json(json: &[u8]) -> Result<Self, HeartbeatError> {
        if !json.trim_ascii_start().starts_with(b"{") {
            let read = serde_json::from_slice::<Value>(json);
            return Err(read.map_or_else(HeartbeatError::not_json, |_| HeartbeatError::no_object()));
        }
        serde_json::from_slice(json).map_err(HeartbeatError::not_json).and_then(Raw::parse)
    }

    /// Parses one JSON object out of a larger text.
    ///
    /// # Errors
    /// As for [`Heartbeat::from_json`].
    pub fn from_value(value: Value) -> Result<Self, HeartbeatError> {
        // A list would be read too, each of its values as the member that is declared in its place.
        if !value.is_object() {
            return Err(HeartbeatError::no_object());
        }
        Raw::deserialize(value).map_err(HeartbeatError::not_json).and_then(Raw::parse)
    }

    /// The title and the session of a report without a token.
    ///
    /// # Errors
    /// Without a token, profile and content are the least that must be said.
    pub fn unsigned(&self) -> Result<(TitleId, SessionId), HeartbeatError> {
        let profile = self.profile.clone().ok_or(missing("profile", "who watches, or a token"))?;
        let content = self.content.clone().ok_or(missing("content", "what is watched, or a token"))?;
        let device = self.device.as_ref().map(Device::as_str);
        let session = self.session.unwrap_or_else(|| SessionId::unnamed(device));
        Ok((TitleId { profile, content }, session))
    }
}

/// The object's members before any of them is believed.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Raw {
    token: Option<Value>,
    profile: Option<Value>,
    content: Option<Value>,
    session: Option<Value>,
    device: Option<Value>,
    seq: Option<Value>,
    elapsed_ms: Option<Value>,
    sent_elapsed_ms: Option<Value>,
    position_ms: Option<Value>,
    duration_ms: Option<Value>,
    credits_ms: Option<Value>,
    event: Option<Value>,
    rate: Option<Value>,
    played_ms: Option<Value>,
    deliberate: Option<Value>,
    series: Option<Value>,
}

impl Raw {
    fn parse(self) -> Result<Heartbeat, HeartbeatError> {
        let heartbeat = Heartbeat {
            token: text("token", self.token)?,
            profile: id("profile", self.profile, ProfileId::parse)?,
            content: id("content", self.content, ContentId::parse)?,
            session: id("session", self.session, SessionId::parse)?,
            device: id("device", self.device, Device::parse)?,
            seq: whole("seq", self.seq, u32::MAX.into())?.and_then(|seq| u32::try_from(seq).ok()),
            elapsed_ms: whole("elapsed_ms", self.elapsed_ms, SPAN_MS_MAX)?,
            sent_elapsed_ms: whole("sent_elapsed_ms", self.sent_elapsed_ms, SPAN_MS_MAX)?,
            position_ms: whole("position_ms", self.position_ms, SPAN_MS_MAX)?
                .ok_or(missing("position_ms", "the playhead in whole milliseconds"))?,
            duration_ms: whole("duration_ms", self.duration_ms, SPAN_MS_MAX)?,
            credits_ms: whole("credits_ms", self.credits_ms, SPAN_MS_MAX)?,
            event: event(self.event)?,
            rate_thousandths: rate(self.rate)?,
            played_ms: whole("played_ms", self.played_ms, SPAN_MS_MAX)?,
            deliberate: flag("deliberate", self.deliberate)?,
            series: id("series", self.series, Series::parse)?,
        };
        if heartbeat.token.is_some() && heartbeat.elapsed_ms.is_some() && heartbeat.seq.is_none() {
            return Err(missing("seq", "the count of reports in this session"));
        }
        Ok(heartbeat)
    }
}

fn text(field: &'static str, value: Option<Value>) -> Result<Option<String>, HeartbeatError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= TOKEN_CHARS_MAX => Ok(Some(text)),
        Some(_) => Err(wrong(field, format!("a text of at most {TOKEN_CHARS_MAX} bytes"))),
    }
}

pub(super) fn id<T>(
    field: &'static str,
    value: Option<Value>,
    parse: impl Fn(&str) -> Result<T, IdError>,
) -> Result<Option<T>, HeartbeatError> {
    let Some(value) = value else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| wrong(field, "a text"))?;
    parse(text).map(Some).map_err(|why| HeartbeatError::NotAnId { field, why })
}

pub(super) fn whole(
    field: &'static str,
    value: Option<Value>,
    max: u64,
) -> Result<Option<u64>, HeartbeatError> {
    let Some(value) = value else { return Ok(None) };
    value
        .as_u64()
        .or_else(|| value.as_f64().and_then(whole_number))
        .filter(|&number| number <= max)
        .map(Some)
        .ok_or_else(|| wrong(field, format!("a whole number from 0 to {max}")))
}

/// Some writers of JSON put a point behind every number: `1200.0` is 1200, and `0.5` is not whole.
fn whole_number(number: f64) -> Option<u64> {
    // Below 2^53 a double has every whole number, so the conversion loses nothing.
    let exact = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in range")]
    exact.then_some(number as u64)
}

fn event(value: Option<Value>) -> Result<Event, HeartbeatError> {
    let named = "playing, paused, seeked, stopped, ended, failed or restarted";
    let value = value.ok_or(missing("event", named))?;
    value.as_str().and_then(Event::named).ok_or_else(|| wrong("event", named))
}

fn rate(value: Option<Value>) -> Result<i32, HeartbeatError> {
    let Some(value) = value else { return Ok(1_000) };
    let rate = value.as_f64().filter(|rate| rate.abs() <= RATE_MAX);
    #[expect(clippy::cast_possible_truncation, reason = "at most a million either way")]
    rate.map(|rate| (rate * 1_000.0).round() as i32)
        .ok_or_else(|| wrong("rate", format!("a number from -{RATE_MAX} to {RATE_MAX}")))
}

fn flag(field: &'static str, value: Option<Value>) -> Result<bool, HeartbeatError> {
    value.map_or(Ok(false), |value| value.as_bool().ok_or_else(|| wrong(field, "true or false")))
}

pub(super) fn missing(field: &'static str, fix: &'static str) -> HeartbeatError {
    HeartbeatError::Missing { field, fix }
}

pub(super) fn wrong(field: &'static str, fix: impl Into<String>) -> HeartbeatError {
    HeartbeatError::Wrong { field, fix: fix.into() }
}

/// Says why a heartbeat cannot be read; the player's fault, and not worth sending again unchanged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// Not JSON, or no object.
    #[error("not a JSON object: {why}")]
    NotJson {
        /// What the parser met, and where.
        why: String,
    },
    /// A member that must be there.
    #[error("`{field}` is missing: send {fix}")]
    Missing {
        /// Which.
        field: &'static str,
        /// What to send.
        fix: &'static str,
    },
    /// A member of another type, or beyond its bound.
    #[error("`{field}` must be {fix}")]
    Wrong {
        /// Which.
        field: &'static str,
        /// What to send instead.
        fix: String,
    },
    /// A text that names nothing.
    #[error("`{field}`: {why}")]
    NotAnId {
        /// Which.
        field: &'static str,
        /// What an id must be.
        why: IdError,
    },
}

impl HeartbeatError {
    /// The member at fault, where it is one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotJson { .. } => None,
            Self::Missing { field, .. } | Self::Wrong { field, .. } | Self::NotAnId { field, .. } => {
                Some(field)
            }
        }
    }

    fn no_object() -> Self {
        Self::not_json("it is another value")
    }

    fn not_json(why: impl std::fmt::Display) -> Self {
        Self::NotJson { why: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Heartbeat, HeartbeatError> {
        let parsed = Heartbeat::from_json(json.as_bytes());
        if let Ok(value) = serde_json::from_str(json) {
            assert_eq!(Heartbeat::from_value(value).ok(), parsed.clone().ok(), "both ways read {json}");
        }
        parsed
    }

    #[test]
    fn a_whole_heartbeat_is_read_member_by_member() {
        let json = r#"{"token":"pm1.x","profile":"ann","content":"film","session":"s1","device":"TV",
            "seq":7,"elapsed_ms":70000,"sent_elapsed_ms":70100,"position_ms":1200000,
            "duration_ms":7200000,"credits_ms":7000000,"event":"seeked","rate":-1.25,"played_ms":60000,
            "deliberate":true,"series":"metropolis trilogy","colour":"blue"}"#;
        let expected = Heartbeat {
            token: Some("pm1.x".into()),
            profile: ProfileId::parse("ann").ok(),
            content: ContentId::parse("film").ok(),
            session: SessionId::parse("s1").ok(),
            device: Device::parse("TV").ok(),
            seq: Some(7),
            elapsed_ms: Some(70_000),
            sent_elapsed_ms: Some(70_100),
            position_ms: 1_200_000,
            duration_ms: Some(7_200_000),
            credits_ms: Some(7_000_000),
            event: Event::Seeked,
            rate_thousandths: -1_250,
            played_ms: Some(60_000),
            deliberate: true,
            series: Series::parse("metropolis trilogy").ok(),
        };
        assert_eq!(parse(json), Ok(expected));
    }

    #[test]
    fn position_and_event_are_enough_and_null_is_absent() {
        let read = parse(r#"{"position_ms":1200.0,"event":"playing","seq":null}"#).expect("enough");
        assert_eq!((read.position_ms, read.seq, read.rate_thousandths), (1_200, None, 1_000));
    }

    #[test]
    fn a_member_beyond_its_bound_is_named() {
        let check = |member: &str, field| {
            let json = format!(r#"{{"position_ms":1,"event":"playing",{member}}}"#);
            assert_eq!(parse(&json).expect_err(&json).field(), Some(field), "{json}");
        };
        check(r#""seq":4294967296"#, "seq");
        check(r#""seq":-1"#, "seq");
        check(r#""seq":"1""#, "seq");
        check(r#""elapsed_ms":0.5"#, "elapsed_ms");
        check(r#""sent_elapsed_ms":1e300"#, "sent_elapsed_ms");
        check(r#""duration_ms":31536000001"#, "duration_ms");
        check(r#""credits_ms":[]"#, "credits_ms");
        check(r#""played_ms":true"#, "played_ms");
        check(r#""rate":1001"#, "rate");
        check(r#""deliberate":1"#, "deliberate");
        check(r#""profile":"""#, "profile");
        check(r#""content":7"#, "content");
        check(r#""session":"""#, "session");
        check(&format!(r#""series":"{}""#, "x".repeat(129)), "series");
        check(&format!(r#""device":"{}""#, "x".repeat(65)), "device");
        check(&format!(r#""token":"{}""#, "x".repeat(TOKEN_CHARS_MAX + 1)), "token");
        check(r#""token":"t","elapsed_ms":5"#, "seq");
    }

    #[test]
    fn what_must_be_there_is_named() {
        let field = |json| parse(json).expect_err(json).field();
        assert_eq!(field(r#"{"event":"playing"}"#), Some("position_ms"));
        assert_eq!(field(r#"{"position_ms":1}"#), Some("event"));
        assert_eq!(field(r#"{"position_ms":1,"event":"dancing"}"#), Some("event"));
        assert_eq!(field("7"), None);
        assert_eq!(field("{"), None);
    }

    #[test]
    fn a_list_of_what_the_members_hold_is_no_heartbeat() {
        let list = r#"[null,"ann","film",null,null,1,null,null,5000,null,null,"playing",null,null,null]"#;
        assert!(matches!(parse(list), Err(HeartbeatError::NotJson { .. })));
    }

    #[test]
    fn a_report_without_a_token_must_name_its_title() {
        let read = parse(r#"{"position_ms":1,"event":"playing","profile":"ann"}"#).expect("parses");
        assert_eq!(read.unsigned().expect_err("no content").field(), Some("content"));
        let json = r#"{"position_ms":1,"event":"playing","profile":"ann","content":"film","device":"TV"}"#;
        let (title, session) = parse(json).expect("parses").unsigned().expect("named");
        assert_eq!((title.to_string().as_str(), session), ("ann/film", SessionId::unnamed(Some("TV"))));
    }
}
