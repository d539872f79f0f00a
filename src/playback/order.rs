//! What a viewer orders by hand while no node is there to date it.
//!
//! A command that is dated by the node that takes it beats whatever was done while its device was away, and
//! sent again it is another command. One that its device dates, as it dates a sample, by a token's anchor and
//! its own count, is the same register at any node and any number of times (R2): it beats what its viewer
//! had seen, and loses to what came after. Like a sample it has the session for its writer.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    crdt::{ContentId, Stamp, WallTime},
    playback::{
        Claims, HeartbeatError, Policy, Refused, SPAN_MS_MAX, TOKEN_CHARS_MAX, Watched, Write,
        accept::{check_age, check_claims},
        heartbeat::{id, missing, whole, wrong},
        slot,
    },
};

/// A command that its device dates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Under which it was given.
    pub token: String,
    /// What it is about; it must say the same as the token.
    pub content: Option<ContentId>,
    /// From asking for the token to the command.
    pub elapsed_ms: u64,
    /// The same clock at the moment of sending.
    pub sent_elapsed_ms: Option<u64>,
    /// The session's own count, which goes on through its reports and its commands.
    pub seq: u32,
    /// What is ordered.
    pub what: What,
}

/// What can be ordered so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Watched, or not.
    Watched(bool),
    /// Out of the row, until it is played again.
    Dismissed,
}

impl Order {
    /// Reads the members of a JSON object beside what it orders; unknown ones are passed over.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_value(value: &Value, what: What) -> Result<Self, HeartbeatError> {
        let member = |field| value.get(field).filter(|it| !it.is_null()).cloned();
        let token = match member("token") {
            None => return Err(missing("token", "the one that it was given under")),
            Some(Value::String(token)) if token.len() <= TOKEN_CHARS_MAX => token,
            Some(_) => return Err(wrong("token", format!("a text of at most {TOKEN_CHARS_MAX} bytes"))),
        };
        let seq = whole("seq", member("seq"), u32::MAX.into())?.and_then(|seq| u32::try_from(seq).ok());
        Ok(Self {
            token,
            content: id("content", member("content"), ContentId::parse)?,
            elapsed_ms: whole("elapsed_ms", member("elapsed_ms"), SPAN_MS_MAX)?
                .ok_or(missing("elapsed_ms", "the time from asking for the token to the command"))?,
            sent_elapsed_ms: whole("sent_elapsed_ms", member("sent_elapsed_ms"), SPAN_MS_MAX)?,
            seq: seq.ok_or(missing("seq", "the session's count of its reports and commands"))?,
            what,
        })
    }

    /// What is to be written; `None` where the viewer wants nothing of the session to be kept.
    ///
    /// # Errors
    /// See [`Refused`]: a command is let in where a sample of the same moment would be.
    pub fn write(
        &self,
        claims: &Claims,
        fence: Option<Stamp>,
        now: WallTime,
        policy: &Policy,
    ) -> Result<Option<Write>, Refused> {
        if self.content.as_ref().is_some_and(|content| *content != claims.title.content) {
            return Err(Refused::NotTheTokens { field: "content" });
        }
        let counted_ms = self.elapsed_ms.max(self.sent_elapsed_ms.unwrap_or_default());
        check_claims(counted_ms, claims, fence, now)?;
        let time = claims.anchor.plus_ms(self.elapsed_ms);
        if time > claims.expires {
            return Err(Refused::Expired);
        }
        check_age(time, now, policy)?;
        let stamp = Stamp { time, counter: self.seq, writer: *claims.session.as_bytes() };
        let (slot, value) = match self.what {
            What::Watched(said) => (slot::WATCHED, Watched(said).encode()),
            What::Dismissed => (slot::DISMISSED, Arc::default()),
        };
        let write = Write { key: claims.title.key(slot), stamp, value };
        Ok((!claims.incognito).then_some(write))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playback::{Derived, Rights, SessionId, TimeQuality};

    const NOON: WallTime = WallTime::from_ms(1_700_000_000_000);
    const HOUR: u64 = 3_600_000;
    const EIGHT: WallTime = NOON.minus_ms(4 * HOUR);

    fn claims() -> Claims {
        let title = crate::crdt::TitleId::parse("ann", "film").expect("both are ids");
        let derived = Derived { anchor: EIGHT, quality: TimeQuality::Wall };
        let session = SessionId::from_bytes([1; 16]);
        Claims::derived(title, session, None, Rights::ALL, derived, NOON, &Policy::default())
    }

    fn order(what: What) -> Order {
        let said = json!({"token": "t", "elapsed_ms": HOUR, "seq": 7});
        Order::from_value(&said, what).expect("an order")
    }

    fn at(now: WallTime, order: &Order, claims: &Claims) -> Result<Option<Write>, Refused> {
        order.write(claims, None, now, &Policy::default())
    }

    #[test]
    fn a_command_is_dated_by_its_device_and_ever_the_same() {
        for (what, slot) in [
            (What::Watched(true), slot::WATCHED),
            (What::Watched(false), slot::WATCHED),
            (What::Dismissed, slot::DISMISSED),
        ] {
            let write = at(NOON, &order(what), &claims()).expect("let in").expect("written");
            let stamp = Stamp { time: EIGHT.plus_ms(HOUR), counter: 7, writer: [1; 16] };
            assert_eq!((write.key.slot, write.stamp), (slot, stamp));
            assert_eq!(at(NOON.plus_ms(30 * 24 * HOUR), &order(what), &claims()), Ok(Some(write)));
        }
    }

    #[test]
    fn a_command_is_let_in_where_a_sample_of_the_same_moment_would_be() {
        let dismissed = order(What::Dismissed);
        let refused = |order: &Order, claims: &Claims, fence| {
            order.write(claims, fence, NOON, &Policy::default()).expect_err("refused")
        };
        let other = Order { content: ContentId::parse("other").ok(), ..dismissed.clone() };
        assert_eq!(refused(&other, &claims(), None), Refused::NotTheTokens { field: "content" });
        let reader = Claims { rights: Rights { read: true, write: false }, ..claims() };
        assert_eq!(refused(&dismissed, &reader, None), Refused::NoRight);
        let fence = Stamp { time: EIGHT, counter: 0, writer: [0; 16] };
        assert_eq!(refused(&dismissed, &claims(), Some(fence)), Refused::Erased);
        let wild = Order { sent_elapsed_ms: Some(5 * HOUR), ..dismissed.clone() };
        assert_eq!(refused(&wild, &claims(), None), Refused::ClockRunsWild { beyond_ms: HOUR });
        let expired = Claims { expires: EIGHT, ..claims() };
        assert_eq!(refused(&dismissed, &expired, None), Refused::Expired);
        let late = NOON.plus_ms(91 * 24 * HOUR);
        assert!(matches!(at(late, &dismissed, &claims()), Err(Refused::TooOld { .. })));
        let incognito = Claims { incognito: true, ..claims() };
        assert_eq!(at(NOON, &dismissed, &incognito), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let whole = json!({"token": "t", "elapsed_ms": 0, "seq": 1, "content": "film"});
        assert!(Order::from_value(&whole, What::Dismissed).is_ok());
        for (field, wrong) in [
            ("token", json!(null)),
            ("token", json!("t".repeat(TOKEN_CHARS_MAX + 1))),
            ("elapsed_ms", json!(null)),
            ("elapsed_ms", json!(-1)),
            ("sent_elapsed_ms", json!("soon")),
            ("seq", json!(null)),
            ("seq", json!(1_u64 << 32)),
            ("content", json!("")),
        ] {
            let mut said = whole.clone();
            said[field] = wrong;
            let refused = Order::from_value(&said, What::Dismissed).expect_err("refused");
            assert_eq!(refused.field(), Some(field), "{said}");
        }
    }
}
