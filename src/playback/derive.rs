//! When a session began that nobody signed for: offline, or before its player had a token (R3).
//!
//! Its player comes back with samples and with what its clocks say. A wall clock may be years off, and a
//! monotonic clock may stand still while the device sleeps or begin anew with it. So each clock makes an
//! estimate of the moment from which the session counts, an estimate is believed only where nothing
//! contradicts it, and of those that remain the *earliest* is taken: what was done offline beats what the
//! device knew, and nothing that may have come after. Where none remains, the lowest bound known stands.
//!
//! Deriving stores nothing and names no node. The anchor goes into a token, the player keeps that beside its
//! samples, and they are then samples like all others: the same registers at any node, any number of times.

use crate::{
    crdt::{TitleId, WallTime},
    playback::{Claims, Device, Policy, Rights, SessionId, TimeQuality, WILD_MS, session::whole_ms},
};

/// By which clock a player counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Clock {
    /// It goes on while the device sleeps, so what it has counted tells when it began.
    Boot,
    /// It may have stood still.
    #[default]
    Active,
}

impl Clock {
    /// The clock that players call so.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "boot" => Some(Self::Boot),
            "active" => Some(Self::Active),
            _ => None,
        }
    }
}

/// What is known of when a session began; times are the device's own, if nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Began {
    /// By which clock `elapsed_ms` is counted.
    pub clock: Clock,
    /// The `elapsed_ms` of the latest sample.
    pub latest_elapsed_ms: u64,
    /// The same clock at the moment of sending.
    pub sent_elapsed_ms: Option<u64>,
    /// The wall clock at the moment from which `elapsed_ms` counts.
    pub occurred_at: Option<WallTime>,
    /// The wall clock at the moment of sending.
    pub sent_at: Option<WallTime>,
    /// The latest time by a node's clock that the device had heard of when the session began.
    pub last_server_time: Option<WallTime>,
    /// When the credential was issued, by the clock of whoever issued it.
    pub issued: Option<WallTime>,
}

/// An anchor that was derived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Derived {
    /// The moment from which the session's elapsed time counts.
    pub anchor: WallTime,
    /// From what it is known.
    pub quality: TimeQuality,
}

impl Began {
    /// Finds the anchor.
    ///
    /// # Errors
    /// A player that has counted more than has gone by since it last heard of a node counts wrongly, and no
    /// anchor makes its samples right.
    pub fn derive(&self, now: WallTime) -> Result<Derived, CountsWrongly> {
        let estimates = [(self.by_count(now), TimeQuality::Mono), (self.by_wall(now), TimeQuality::Wall)];
        let believed = estimates.into_iter().filter_map(|(anchor, quality)| {
            let anchor = anchor.filter(|&anchor| self.is_possible(anchor, now))?;
            Some(Derived { anchor, quality })
        });
        // Of two that are equal the better one is named.
        believed.min_by_key(|it| (it.anchor, it.quality)).map_or_else(|| self.by_bound(now), Ok)
    }

    fn by_count(&self, now: WallTime) -> Option<WallTime> {
        let sent_elapsed_ms = self.sent_elapsed_ms.filter(|_| self.clock == Clock::Boot)?;
        now.as_ms().checked_sub(sent_elapsed_ms).map(WallTime::from_ms)
    }

    /// However far the wall clock is off: it has gone on for as long as every other.
    fn by_wall(&self, now: WallTime) -> Option<WallTime> {
        let (began, sent) = (self.occurred_at?.as_ms(), self.sent_at?.as_ms());
        now.as_ms().checked_sub(sent.checked_sub(began)?).map(WallTime::from_ms)
    }

    /// Not before the device last heard of a node, and not so late that its count is ahead of the time: a
    /// clock may stand still, and never counts more than goes by.
    fn is_possible(&self, anchor: WallTime, now: WallTime) -> bool {
        Some(anchor) >= self.last_server_time && beyond_ms(self.counted_ms(), anchor, now) <= WILD_MS
    }

    fn counted_ms(&self) -> u64 {
        self.latest_elapsed_ms.max(self.sent_elapsed_ms.unwrap_or_default())
    }

    fn by_bound(&self, now: WallTime) -> Result<Derived, CountsWrongly> {
        // The node that was heard of may be ahead of this one; what it said is no reason for a later anchor.
        let latest = now.minus_ms(self.counted_ms());
        let anchor = match (self.last_server_time, self.issued) {
            (Some(heard), _) => heard.min(now),
            (None, Some(issued)) => issued.min(latest),
            (None, None) => latest,
        };
        let beyond_ms = beyond_ms(self.latest_elapsed_ms, anchor, now);
        if beyond_ms > WILD_MS {
            return Err(CountsWrongly { beyond_ms });
        }
        Ok(Derived { anchor, quality: TimeQuality::Bound })
    }
}

/// By how much a player has counted more than has gone by.
fn beyond_ms(counted_ms: u64, anchor: WallTime, now: WallTime) -> u64 {
    counted_ms.saturating_sub(now.ms_since(anchor))
}

/// Says that a player has counted more than has gone by; its own fault, or its clock's. What its samples say
/// can only be told as of their arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the player's clock has counted {beyond_ms} ms more than have gone by since it last heard of a node")]
pub struct CountsWrongly {
    /// How much more.
    pub beyond_ms: u64,
}

impl Claims {
    /// Claims for a session that has begun without a token.
    ///
    /// Its base is its anchor: against that moment its player's count is judged. The authorisation lasts as
    /// long as that of a session opened `now`, and covers all that came before.
    pub fn derived(
        title: TitleId,
        session: SessionId,
        device: Option<Device>,
        rights: Rights,
        derived: Derived,
        now: WallTime,
        policy: &Policy,
    ) -> Self {
        let Derived { anchor, quality } = derived;
        let expires = now.max(anchor).plus_ms(whole_ms(policy.token_lifetime));
        let (opened, base) = (anchor, anchor);
        let (series, seen) = (None, None);
        // A player that wants nothing kept has nothing to upload.
        let incognito = false;
        Self {
            title,
            session,
            device,
            opened,
            anchor,
            base,
            quality,
            rights,
            expires,
            seen,
            series,
            incognito,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::{Heartbeat, Known, Refused, Sender, accept};

    const NOON: WallTime = WallTime::from_ms(1_700_000_000_000);
    const HOUR: u64 = 3_600_000;
    const YEAR: u64 = 365 * 24 * HOUR;
    const EIGHT: WallTime = NOON.minus_ms(4 * HOUR);

    /// Watched from eight to nine, sent at noon; the device was last online at half past seven.
    fn from_eight_to_nine() -> Began {
        Began {
            latest_elapsed_ms: HOUR,
            last_server_time: Some(EIGHT.minus_ms(HOUR / 2)),
            ..Began::default()
        }
    }

    fn by_walls(began: Began, occurred_at: WallTime, sent_at: WallTime) -> Began {
        Began { occurred_at: Some(occurred_at), sent_at: Some(sent_at), ..began }
    }

    fn by_count(began: Began, sent_elapsed_ms: u64) -> Began {
        Began { clock: Clock::Boot, sent_elapsed_ms: Some(sent_elapsed_ms), ..began }
    }

    fn check(began: Began, anchor: WallTime, quality: TimeQuality) {
        assert_eq!(began.derive(NOON), Ok(Derived { anchor, quality }), "{began:?}");
    }

    #[test]
    fn a_clock_that_counts_sleep_tells_when_the_session_began() {
        check(by_count(from_eight_to_nine(), 4 * HOUR), EIGHT, TimeQuality::Mono);
    }

    #[test]
    fn a_phone_two_years_ahead_and_a_watch_five_minutes_slow_are_off_by_nothing() {
        let check_off = |wrong: fn(WallTime) -> WallTime| {
            check(by_walls(from_eight_to_nine(), wrong(EIGHT), wrong(NOON)), EIGHT, TimeQuality::Wall);
        };
        check_off(|right| right.plus_ms(2 * YEAR));
        check_off(|right| right.minus_ms(HOUR / 12));
    }

    #[test]
    fn a_wall_clock_that_was_set_right_in_between_is_not_believed() {
        let lowest = EIGHT.minus_ms(HOUR / 2);
        check(by_walls(from_eight_to_nine(), EIGHT.plus_ms(2 * YEAR), NOON), lowest, TimeQuality::Bound);
        check(by_walls(from_eight_to_nine(), EIGHT.minus_ms(2 * YEAR), NOON), lowest, TimeQuality::Bound);
        let both = by_count(by_walls(from_eight_to_nine(), EIGHT.plus_ms(2 * YEAR), NOON), 4 * HOUR);
        check(both, EIGHT, TimeQuality::Mono);
    }

    #[test]
    fn a_clock_that_stood_still_while_the_device_slept_is_not_asked() {
        // It has counted an hour and a minute, and four hours have gone by.
        let slept = Began { sent_elapsed_ms: Some(HOUR + 60_000), ..from_eight_to_nine() };
        check(slept, EIGHT.minus_ms(HOUR / 2), TimeQuality::Bound);
        check(by_walls(slept, EIGHT, NOON), EIGHT, TimeQuality::Wall);
        // One that says it counts sleep and does not would be late; the earliest is taken.
        check(by_walls(by_count(slept, HOUR + 60_000), EIGHT, NOON), EIGHT, TimeQuality::Wall);
    }

    #[test]
    fn a_wall_clock_by_which_the_session_would_be_younger_than_its_count_is_not_believed() {
        // The clock was an hour ahead and was set right on the way; three hours and a half were counted awake.
        let counted = Began { sent_elapsed_ms: Some(3 * HOUR + HOUR / 2), ..from_eight_to_nine() };
        let told = by_walls(counted, EIGHT.plus_ms(HOUR), NOON);
        check(told, EIGHT.minus_ms(HOUR / 2), TimeQuality::Bound);
    }

    #[test]
    fn a_count_that_began_anew_with_the_device_is_not_believed() {
        check(by_count(from_eight_to_nine(), 60_000), EIGHT.minus_ms(HOUR / 2), TimeQuality::Bound);
    }

    #[test]
    fn without_any_estimate_the_lowest_bound_stands() {
        let began = from_eight_to_nine();
        let issued = Some(EIGHT.minus_ms(9 * HOUR));
        check(Began { issued, ..began }, EIGHT.minus_ms(HOUR / 2), TimeQuality::Bound);
        let unheard = Began { last_server_time: None, ..began };
        check(Began { issued, ..unheard }, EIGHT.minus_ms(9 * HOUR), TimeQuality::Bound);
        // A credential that was renewed on the way says nothing; what was played has taken its time.
        check(Began { issued: Some(NOON), ..unheard }, NOON.minus_ms(HOUR), TimeQuality::Bound);
        check(unheard, NOON.minus_ms(HOUR), TimeQuality::Bound);
        let awake = Began { sent_elapsed_ms: Some(HOUR + 60_000), ..unheard };
        check(awake, NOON.minus_ms(HOUR + 60_000), TimeQuality::Bound);
    }

    #[test]
    fn a_time_heard_from_a_node_that_is_ahead_leads_no_further_than_now() {
        let just = Began { last_server_time: Some(NOON.plus_ms(2_000)), ..Began::default() };
        check(by_count(just, 100), NOON, TimeQuality::Bound);
    }

    #[test]
    fn a_player_that_counted_more_than_has_gone_by_is_told_so() {
        let wild = by_count(Began { latest_elapsed_ms: 9 * HOUR, ..from_eight_to_nine() }, 9 * HOUR);
        let since_heard = 4 * HOUR + HOUR / 2;
        assert_eq!(wild.derive(NOON), Err(CountsWrongly { beyond_ms: 9 * HOUR - since_heard }));
    }

    #[test]
    fn samples_under_a_derived_token_are_taken_and_ever_the_same() {
        let title = TitleId::parse("ann", "film").expect("both are ids");
        let session = SessionId::from_bytes([1; 16]);
        let derived = by_count(from_eight_to_nine(), 4 * HOUR).derive(NOON).expect("derived");
        let policy = Policy::default();
        let claims = Claims::derived(title, session, None, Rights::ALL, derived, NOON, &policy);
        let json = format!(
            r#"{{"seq":1,"elapsed_ms":{HOUR},"sent_elapsed_ms":{HOUR},"position_ms":1,"event":"playing"}}"#
        );
        let heartbeat = Heartbeat::from_json(json.as_bytes()).expect("a heartbeat");
        let at = |now| accept(&heartbeat, Sender::Signed(&claims), Known::default(), now, &policy);
        let first = at(NOON).expect("let in");
        assert_eq!(first.stamp.time, EIGHT.plus_ms(HOUR));
        assert_eq!(at(NOON.plus_ms(30 * 24 * HOUR)), Ok(first));
        assert_eq!(claims.authorised_until(), NOON.plus_ms(24 * HOUR));
        // What the player counts is held against the anchor, and not against the time of issue.
        let late = Heartbeat { sent_elapsed_ms: Some(5 * HOUR), ..heartbeat };
        let refused = accept(&late, Sender::Signed(&claims), Known::default(), NOON, &policy);
        assert_eq!(refused, Err(Refused::ClockRunsWild { beyond_ms: HOUR }));
    }
}
