//! What a device says of the sessions that it had while no node was there, parsed once.
//!
//! Nothing of it is believed here: what its clocks say is weighed when an anchor is derived from it.

use serde_json::Value;

use crate::{
    crdt::{ContentId, WallTime},
    playback::{
        Began, Clock, Device, HeartbeatError, SPAN_MS_MAX, Series, SessionId,
        heartbeat::{id, missing, whole, wrong},
    },
};

/// The latest time that a device can say, in milliseconds: how far off its clock is does not matter, but
/// beyond this number JSON is not exact.
pub const TIME_MS_MAX: u64 = 1 << 53;

/// What holds for everything that a device tells at one sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clocks {
    /// By which clock it counts.
    pub clock: Clock,
    /// What its wall clock says.
    pub sent_at: Option<WallTime>,
    /// The latest time by a node's clock that it has heard of, unless a session says otherwise.
    pub last_server_time: Option<WallTime>,
}

/// A session that began without a token, as its device tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offline {
    /// What was watched.
    pub content: ContentId,
    /// The id that the device gave it.
    pub session: SessionId,
    /// On what.
    pub device: Option<Device>,
    /// To which series the title belongs.
    pub series: Option<Series>,
    /// What its clocks say of when it began.
    pub began: Began,
}

impl Clocks {
    /// Reads the members of a JSON object; unknown ones are passed over, and `null` is absent.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_value(value: &Value) -> Result<Self, HeartbeatError> {
        let clock = match member(value, "clock") {
            None => Clock::default(),
            Some(name) => name
                .as_str()
                .and_then(Clock::named)
                .ok_or_else(|| wrong("clock", "boot, if it goes on while the device sleeps, or active"))?,
        };
        let sent_at = time(value, "sent_at_ms")?;
        Ok(Self { clock, sent_at, last_server_time: time(value, "last_server_time_ms")? })
    }
}

impl Offline {
    /// Reads the members of a JSON object beside what holds for all of them; unknown ones are passed over,
    /// and `null` is absent.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_value(value: &Value, clocks: &Clocks) -> Result<Self, HeartbeatError> {
        let span = |field| whole(field, member(value, field), SPAN_MS_MAX);
        let content = id("content", member(value, "content"), ContentId::parse)?;
        let session = id("session", member(value, "session"), SessionId::parse)?;
        let latest_elapsed_ms = span("elapsed_ms")?;
        Ok(Self {
            content: content.ok_or(missing("content", "what was watched"))?,
            session: session.ok_or(missing("session", "a UUID that the device made when it began"))?,
            device: id("device", member(value, "device"), Device::parse)?,
            series: id("series", member(value, "series"), Series::parse)?,
            began: Began {
                clock: clocks.clock,
                latest_elapsed_ms: latest_elapsed_ms
                    .ok_or(missing("elapsed_ms", "that of the session's latest sample"))?,
                sent_elapsed_ms: span("sent_elapsed_ms")?,
                occurred_at: time(value, "occurred_at_ms")?,
                sent_at: clocks.sent_at,
                last_server_time: time(value, "last_server_time_ms")?.or(clocks.last_server_time),
                issued: None,
            },
        })
    }
}

fn member(value: &Value, field: &str) -> Option<Value> {
    value.get(field).filter(|it| !it.is_null()).cloned()
}

fn time(value: &Value, field: &'static str) -> Result<Option<WallTime>, HeartbeatError> {
    Ok(whole(field, member(value, field), TIME_MS_MAX)?.map(WallTime::from_ms))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const fn at(ms: u64) -> WallTime {
        WallTime::from_ms(ms)
    }

    #[test]
    fn a_session_is_read_beside_what_its_device_says_of_all() {
        let said = json!({"clock": "boot", "sent_at_ms": 9_000, "last_server_time_ms": 1_000, "x": 1});
        let clocks = Clocks::from_value(&said).expect("clocks");
        let said = json!({
            "content": "film", "session": "one", "device": "Phone", "elapsed_ms": 2_000.0,
            "sent_elapsed_ms": 3_000, "occurred_at_ms": 6_000, "series": null,
        });
        let offline = Offline::from_value(&said, &clocks).expect("a session");
        let expected = Began {
            clock: Clock::Boot,
            latest_elapsed_ms: 2_000,
            sent_elapsed_ms: Some(3_000),
            occurred_at: Some(at(6_000)),
            sent_at: Some(at(9_000)),
            last_server_time: Some(at(1_000)),
            issued: None,
        };
        assert_eq!(offline.began, expected);
        assert_eq!((offline.device, offline.series), (Device::parse("Phone").ok(), None));
        let own = json!({"content": "film", "session": "one", "elapsed_ms": 0, "last_server_time_ms": 5});
        let own = Offline::from_value(&own, &clocks).expect("a session");
        assert_eq!(own.began.last_server_time, Some(at(5)), "what the device had heard when this one began");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let whole = json!({"content": "film", "session": "one", "elapsed_ms": 0});
        assert!(Offline::from_value(&whole, &Clocks::default()).is_ok());
        for (field, wrong) in [
            ("content", json!(null)),
            ("content", json!("")),
            ("session", json!(null)),
            ("session", json!(7)),
            ("elapsed_ms", json!(null)),
            ("elapsed_ms", json!(-1)),
            ("sent_elapsed_ms", json!(SPAN_MS_MAX + 1)),
            ("occurred_at_ms", json!("2024-01-01")),
            ("last_server_time_ms", json!(0.5)),
            ("device", json!("")),
        ] {
            let mut said = whole.clone();
            said[field] = wrong;
            let refused = Offline::from_value(&said, &Clocks::default()).expect_err("refused");
            assert_eq!(refused.field(), Some(field), "{said}");
        }
        for (field, wrong) in [("clock", json!("wall")), ("clock", json!(1)), ("sent_at_ms", json!(-1))] {
            let refused = Clocks::from_value(&json!({ field: wrong })).expect_err("refused");
            assert_eq!(refused.field(), Some(field));
        }
    }
}
