//! What a viewer has settled for a whole profile: whether anything is recorded, and what counts.
//!
//! Settings are judged at the door and when reading, never where two registers meet (R16): two replicas of
//! which one has not heard of them yet still converge, and a changed threshold applies backwards.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    crdt::{DecodeError, decode, encode_named},
    playback::{
        ENGAGED, HeartbeatError, Policy, SPAN_MS_MAX,
        heartbeat::{whole, wrong},
        sample::is_false,
        session::whole_ms,
    },
};

/// The format of values written by this build.
const FORMAT: u8 = 1;

/// What a profile has settled; by default nothing, and then the node's own policy holds.
///
/// The bytes are a MessagePack map behind a version byte. Absent keys have the default; unknown ones are
/// passed over.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Whether what its players report is acknowledged and not kept.
    #[serde(rename = "p", default, skip_serializing_if = "is_false")]
    pub paused: bool,
    /// From which share of a title's length it counts as completed, in percent.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub completed_percent: Option<u8>,
    /// How long a session has played before it may win over others, in milliseconds.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub engaged_ms: Option<u64>,
}

impl Settings {
    /// Reads the members of a JSON object; unknown ones are passed over, and `null` is absent.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_value(value: &Value) -> Result<Self, HeartbeatError> {
        let member = |field| value.get(field).filter(|it| !it.is_null()).cloned();
        let paused = match member("recording").as_ref().map(Value::as_str) {
            None | Some(Some("on")) => false,
            Some(Some("paused")) => true,
            Some(_) => return Err(wrong("recording", "on or paused")),
        };
        let percent = whole("completed_percent", member("completed_percent"), 100)?;
        let completed_percent = percent.and_then(|percent| u8::try_from(percent).ok());
        if completed_percent == Some(0) {
            return Err(wrong("completed_percent", "a whole number from 1 to 100"));
        }
        let engaged_ms = whole("engaged_ms", member("engaged_ms"), SPAN_MS_MAX)?;
        if engaged_ms.is_some_and(|ms| ms < whole_ms(ENGAGED)) {
            return Err(wrong("engaged_ms", format!("{} or more", whole_ms(ENGAGED))));
        }
        Ok(Self { paused, completed_percent, engaged_ms })
    }

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

    /// The policy by which this profile is judged, where the node's own is `policy`.
    ///
    /// A threshold that this build would not have taken is none.
    pub fn over<'a>(&self, policy: &'a Policy) -> Cow<'a, Policy> {
        let mut judged_by = Cow::Borrowed(policy);
        let percent = self.completed_percent.map(|it| policy.clone().with_completed_percent(it));
        if let Some(Ok(settled)) = percent {
            judged_by = Cow::Owned(settled);
        }
        let engaged = self.engaged_ms.map(Duration::from_millis);
        if let Some(Ok(settled)) = engaged.map(|it| judged_by.clone().into_owned().with_engaged(it)) {
            judged_by = Cow::Owned(settled);
        }
        judged_by
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strict() -> Settings {
        Settings { paused: true, completed_percent: Some(80), engaged_ms: Some(10_000) }
    }

    #[test]
    fn settings_are_read_member_by_member_and_what_is_left_out_is_the_nodes() {
        let read = |value: Value| Settings::from_value(&value);
        let all = json!({"recording": "paused", "completed_percent": 80, "engaged_ms": 10000, "late": 1});
        assert_eq!(read(all), Ok(strict()));
        assert_eq!(read(json!({"recording": "on", "engaged_ms": null})), Ok(Settings::default()));
        assert_eq!(read(json!({})), Ok(Settings::default()));
        for (value, field) in [
            (json!({"recording": true}), "recording"),
            (json!({"recording": "off"}), "recording"),
            (json!({"completed_percent": 0}), "completed_percent"),
            (json!({"completed_percent": 101}), "completed_percent"),
            (json!({"engaged_ms": 2_999}), "engaged_ms"),
            (json!({"engaged_ms": "long"}), "engaged_ms"),
        ] {
            assert_eq!(read(value.clone()).expect_err("refused").field(), Some(field), "{value}");
        }
    }

    #[test]
    fn the_bytes_of_settings_are_those_on_disk() {
        assert_eq!(Settings::default().encode().as_ref(), b"\x01\x80");
        assert_eq!(strict().encode().as_ref(), b"\x01\x83\xa1p\xc3\xa1c\x50\xa1e\xcd\x27\x10");
        assert_eq!(Settings::decode(&strict().encode()), Ok(strict()));
        assert_eq!(Settings::decode(b"\x01\x81\xa4late\x01"), Ok(Settings::default()));
    }

    #[test]
    fn settings_stand_over_the_nodes_policy_where_they_say_anything() {
        let policy = Policy::default().with_completed_percent(90).expect("a percentage");
        assert_eq!(*Settings::default().over(&policy), policy);
        let over = strict().over(&policy).into_owned();
        assert_eq!((over.completed_percent(), over.engaged()), (80, Duration::from_secs(10)));
        let half = Settings { completed_percent: None, ..strict() }.over(&policy).into_owned();
        assert_eq!((half.completed_percent(), half.engaged()), (90, Duration::from_secs(10)));
    }

    #[test]
    fn a_threshold_that_would_not_have_been_taken_is_none() {
        let policy = Policy::default();
        let foreign = Settings { paused: false, completed_percent: Some(0), engaged_ms: Some(1) };
        assert_eq!(*foreign.over(&policy), policy);
    }
}
