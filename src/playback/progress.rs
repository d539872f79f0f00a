//! How far a client has come that has neither a clock nor a count (R12).
//!
//! A reader of books says "this far", now and then, and nothing about when. It can say one thing more: what it
//! had read before, by the token that came with that answer. So there are two kinds of such a place, and
//! neither is dated as a player's is:
//!
//! ```text
//!                 stamp                                  when it was done
//! read            the token's anchor                     then or later
//! blind           its arrival here                       then or earlier
//! every other     anchor + elapsed time                  then
//! ```
//!
//! Which of two places stands is decided when reading ([`stands_over`]), since only there are both known. What
//! was refused: the arrival as a time (a queue that is drained would beat whatever was done meanwhile), and the
//! furthest position (nobody could go back).

use serde_json::Value;

use crate::{
    crdt::{Stamp, TitleId, WallTime},
    playback::{
        Accepted, Claims, Device, Event, HeartbeatError, Known, Nothing, Outcome, Place, Policy, Promise,
        Refused, SPAN_MS_MAX, Sample, Series, SessionId, TOKEN_CHARS_MAX, TimeQuality, Write,
        accept::check_age,
        heartbeat::{id, missing, whole, wrong},
        slot,
    },
};

/// A report of how far its client has come, and what it had read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The token that came with the answer that was read last; `None` is blind.
    pub read: Option<String>,
    /// Whose place it is; without it, the device's.
    pub session: Option<SessionId>,
    /// On what.
    pub device: Option<Device>,
    /// How far, in milliseconds or in any other unit that all clients of the title share.
    pub position_ms: u64,
    /// How long the title is, in the same.
    pub duration_ms: Option<u64>,
    /// To which series the title belongs.
    pub series: Option<Series>,
}

impl Progress {
    /// Reads the members of a JSON object.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_value(value: &Value) -> Result<Self, HeartbeatError> {
        let member = |name| value.get(name).filter(|value| !value.is_null()).cloned();
        let read = match member("read") {
            None => None,
            Some(Value::String(text)) if text.len() <= TOKEN_CHARS_MAX => Some(text),
            Some(_) => return Err(wrong("read", "the token that came with what was read")),
        };
        Ok(Self {
            read,
            session: id("session", member("session"), SessionId::parse)?,
            device: id("device", member("device"), Device::parse)?,
            position_ms: whole("position_ms", member("position_ms"), SPAN_MS_MAX)?
                .ok_or(missing("position_ms", "how far, in whole milliseconds"))?,
            duration_ms: whole("duration_ms", member("duration_ms"), SPAN_MS_MAX)?,
            series: id("series", member("series"), Series::parse)?,
        })
    }

    /// Whose place it is: one for each device that names none.
    pub fn session(&self) -> SessionId {
        self.session.unwrap_or_else(|| SessionId::unnamed(self.device.as_ref().map(Device::as_str)))
    }

    /// Turns it into what is to be written; `read` are the claims of the token that it names.
    ///
    /// With a token it is the same register at every node and however often it is sent, and two of one session
    /// and one reading are ordered by how far they are. A blind one is dated by its arrival, and is no news
    /// where its session has been as far.
    ///
    /// # Errors
    /// See [`Refused`]. Nothing has changed.
    pub fn accept(
        &self,
        title: &TitleId,
        read: Option<&Claims>,
        known: Known<'_>,
        now: WallTime,
        policy: &Policy,
    ) -> Result<Accepted, Refused> {
        let session = self.session();
        if read.is_some_and(|claims| claims.title != *title) {
            return Err(Refused::NotTheTokens { field: "read" });
        }
        if read.is_some_and(|claims| known.fence.is_some_and(|fence| claims.anchor <= fence.time)) {
            return Err(Refused::Erased);
        }
        let time = match (read, known.current) {
            (Some(claims), _) => claims.anchor,
            (None, Some((own, _))) => own.time.plus_ms(1).max(now),
            (None, None) => now,
        };
        check_age(time, now, policy)?;
        let stamp = Stamp { time, counter: count(self.position_ms), writer: *session.as_bytes() };
        let is_no_news = known.current.is_some_and(|(_, own)| self.position_ms <= own.position_ms);
        let outcome = if known.paused {
            Outcome::Acknowledge(Nothing::Paused)
        } else if read.is_some_and(|claims| claims.incognito) {
            Outcome::Acknowledge(Nothing::Incognito)
        } else if read.is_none() && is_no_news {
            Outcome::Acknowledge(Nothing::NoMovement)
        } else {
            let (key, value) = (title.key(slot::session(session)), self.sample(read).encode());
            Outcome::Write { place: Write { key, stamp, value }, completion: None }
        };
        Ok(Accepted { title: title.clone(), session, stamp, outcome, promise: Promise::Synced })
    }

    fn sample(&self, read: Option<&Claims>) -> Sample {
        Sample {
            seq: 0,
            elapsed_ms: None,
            position_ms: self.position_ms,
            duration_ms: self.duration_ms,
            credits_ms: None,
            event: Event::Paused,
            rate_thousandths: 1_000,
            played_ms: 0,
            deliberate: true,
            device: self.device.clone(),
            quality: if read.is_some() { TimeQuality::Read } else { TimeQuality::Blind },
            seen: read.and_then(|claims| claims.seen),
            opened: None,
            bystander: false,
            series: self.series.clone(),
        }
    }
}

/// The counter of a stamp, by which places of one reading are ordered and a repetition is known again:
/// hundredths of a second, so that a year has room.
fn count(position_ms: u64) -> u32 {
    u32::try_from(position_ms / 10).unwrap_or(u32::MAX)
}

/// Says whether a place stands over another with a lesser stamp.
///
/// Where time tells which is the later, that one does. Where it does not, because this one is blind or the
/// other may have been done any time after its reading, what had read the other does; and where it had not,
/// what is further along, unless the other goes back from it on purpose, having seen it.
pub(super) fn stands_over(place: &Place, other: &Place) -> bool {
    let (is_blind, is_open) =
        (place.sample.quality == TimeQuality::Blind, other.sample.quality == TimeQuality::Read);
    let is_further = place.sample.position_ms > other.sample.position_ms;
    !(is_blind || is_open)
        || place.sample.seen >= Some(other.stamp)
        || is_further && !has_seen(other, place.stamp)
}

/// Whether a place was reached by who had seen a write: under its stamp, or under that of a copy of it which
/// another node has dated.
fn has_seen(place: &Place, write: Stamp) -> bool {
    let same = |seen: Stamp| (seen.writer, seen.counter) == (write.writer, write.counter);
    place.sample.seen.is_some_and(|seen| seen >= write || same(seen))
}
