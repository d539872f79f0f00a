//! The door: what a heartbeat becomes, or why it becomes nothing.
//!
//! Everything that depends on the moment, on settings or on age is judged here, once, and nowhere in a
//! merge (R16). What is let in becomes at most two registers whose keys, stamps and values are functions
//! of the request and its token. A heartbeat that comes without a time of its own is the one exception:
//! it is dated here, and its value says so.

use std::sync::Arc;

use crate::{
    crdt::{Key, Slot, Stamp, TitleId, WallTime},
    playback::{
        Claims, ENGAGED, Event, Heartbeat, Policy, Promise, Sample, SessionId, moment::Moment,
        session::whole_ms, slot,
    },
};

/// How far a player's clock may be beyond the node's before it runs wild: skew between nodes, and rounding.
pub const WILD_MS: u64 = 5_000;
/// Within how much a playhead has not moved.
pub const STILL_MS: u64 = 1_000;
/// A player that gives up below this position says nothing about the place.
pub const NO_PLACE_MS: u64 = 1_000;

/// On whose word a heartbeat comes.
#[derive(Clone, Copy, Debug)]
pub enum Sender<'a> {
    /// The replica set's own.
    Signed(&'a Claims),
    /// Its own: a client on this machine, without a token.
    Unsigned {
        /// Who watches what.
        title: &'a TitleId,
        /// Which load on which screen.
        session: SessionId,
    },
}

impl Sender<'_> {
    fn forgets(self) -> Option<Nothing> {
        matches!(self, Self::Signed(claims) if claims.incognito).then_some(Nothing::Incognito)
    }
}

/// What the node knows and the heartbeat does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The greater of the title's and the profile's fence.
    pub fence: Option<Stamp>,
    /// The greater register of the session; only looked at where [`Heartbeat::wants_current`].
    pub current: Option<(Stamp, &'a Sample)>,
    /// Whether the profile's viewer has paused recording.
    pub paused: bool,
}

/// A register to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// Where.
    pub key: Key,
    /// When the viewer did it.
    pub stamp: Stamp,
    /// What it says.
    pub value: Arc<[u8]>,
}

/// A heartbeat that was let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Who watches what.
    pub title: TitleId,
    /// Which load on which screen.
    pub session: SessionId,
    /// When the viewer did it.
    pub stamp: Stamp,
    /// What is to be done.
    pub outcome: Outcome,
    /// What its acknowledgement must at least survive.
    pub promise: Promise,
}

/// What is to be done about a heartbeat.
#[expect(clippy::large_enum_variant, reason = "nearly all that are let in are written")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// One batch, with these registers.
    Write {
        /// Where the viewer was.
        place: Write,
        /// That the session has reached the end.
        completion: Option<Write>,
    },
    /// Nothing, and the answer is as good as if it had been.
    Acknowledge(Nothing),
}

/// Why there is nothing to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nothing {
    /// The player gave up before it had a place.
    NoPlace,
    /// Nothing has moved, and no time is known at which it had not.
    NoMovement,
    /// The viewer wants nothing of the session to be kept.
    Incognito,
    /// The viewer wants nothing of anything to be kept, for the time being.
    Paused,
}

impl Heartbeat {
    /// Says whether the session's register is to be read before the heartbeat is accepted: it will be
    /// dated by its arrival, so only what stands can tell whether anything has moved.
    pub fn wants_current(&self) -> bool {
        self.token.is_none() || self.elapsed_ms.is_none()
    }
}

/// Turns a heartbeat into what is to be written.
///
/// # Errors
/// See [`Refused`]. Nothing has changed.
pub fn accept(
    heartbeat: &Heartbeat,
    sender: Sender<'_>,
    known: Known<'_>,
    now: WallTime,
    policy: &Policy,
) -> Result<Accepted, Refused> {
    let (title, session, moment) = match sender {
        Sender::Signed(claims) => {
            check_names(heartbeat, claims)?;
            let counted_ms = heartbeat.elapsed_ms.max(heartbeat.sent_elapsed_ms).unwrap_or_default();
            check_claims(counted_ms, claims, known.fence, now)?;
            (&claims.title, claims.session, Moment::signed(claims, heartbeat.elapsed_ms, known.current, now)?)
        }
        Sender::Unsigned { title, session } => (title, session, Moment::of_arrival(known.current, now)),
    };
    check_age(moment.time, now, policy)?;
    let counter = heartbeat.seq.unwrap_or_default();
    let stamp = Stamp { time: moment.time, counter, writer: *session.as_bytes() };
    let current = known.current.map(|(_, sample)| sample);
    let outcome = sender
        .forgets()
        .or(known.paused.then_some(Nothing::Paused))
        .or_else(|| nothing_to_write(heartbeat, &moment, current))
        .map_or_else(|| registers(heartbeat, title, stamp, moment, current, policy), Outcome::Acknowledge);
    let promise = heartbeat.event.promise();
    Ok(Accepted { title: title.clone(), session, stamp, outcome, promise })
}

fn check_names(heartbeat: &Heartbeat, claims: &Claims) -> Result<(), Refused> {
    let differs = |field| Err(Refused::NotTheTokens { field });
    if heartbeat.profile.as_ref().is_some_and(|profile| *profile != claims.title.profile) {
        return differs("profile");
    }
    if heartbeat.content.as_ref().is_some_and(|content| *content != claims.title.content) {
        return differs("content");
    }
    if heartbeat.session.is_some_and(|session| session != claims.session) {
        return differs("session");
    }
    Ok(())
}

/// Whether a token lets anything in whose player has counted so far.
pub(super) fn check_claims(
    counted_ms: u64,
    claims: &Claims,
    fence: Option<Stamp>,
    now: WallTime,
) -> Result<(), Refused> {
    if !claims.rights.write {
        return Err(Refused::NoRight);
    }
    // The order of the checks is the order in which a player can mend what they find.
    if fence.is_some_and(|fence| claims.anchor <= fence.time) {
        return Err(Refused::Erased);
    }
    let beyond_ms = counted_ms.saturating_sub(now.ms_since(claims.base));
    if beyond_ms > WILD_MS { Err(Refused::ClockRunsWild { beyond_ms }) } else { Ok(()) }
}

pub(super) fn check_age(time: WallTime, now: WallTime, policy: &Policy) -> Result<(), Refused> {
    if time >= WallTime::YEAR_2200 {
        return Err(Refused::BeyondYear2200);
    }
    let age_ms = now.ms_since(time);
    if age_ms > whole_ms(policy.max_offline_age) { Err(Refused::TooOld { age_ms }) } else { Ok(()) }
}

/// R5: a report without movement must not carry a stamp that only activity earns.
fn nothing_to_write(heartbeat: &Heartbeat, moment: &Moment, current: Option<&Sample>) -> Option<Nothing> {
    let event = heartbeat.event;
    if matches!(event, Event::Stopped | Event::Failed) && heartbeat.position_ms < NO_PLACE_MS {
        return Some(Nothing::NoPlace);
    }
    let current = current.filter(|_| moment.is_arrival())?;
    let same_place = heartbeat.position_ms.abs_diff(current.position_ms) <= STILL_MS;
    // Running into the end is news, once.
    let same_state = event.is_still() && (event != Event::Ended || current.event == Event::Ended);
    (same_place && same_state).then_some(Nothing::NoMovement)
}

fn registers(
    heartbeat: &Heartbeat,
    title: &TitleId,
    stamp: Stamp,
    moment: Moment,
    current: Option<&Sample>,
    policy: &Policy,
) -> Outcome {
    let session = SessionId::from_bytes(stamp.writer);
    let completed = Stamp { time: moment.opened, counter: 0, writer: stamp.writer };
    let sample = sample(heartbeat, moment, current);
    let write = |slot, stamp, value| Write { key: title.key(slot), stamp, value };
    let completion =
        completes(&sample, policy).then(|| write(slot::completed(session), completed, Arc::default()));
    Outcome::Write { place: write(place(session, &sample), stamp, sample.encode()), completion }
}

fn sample(heartbeat: &Heartbeat, moment: Moment, current: Option<&Sample>) -> Sample {
    let is_arrival = moment.is_arrival();
    Sample {
        seq: heartbeat.seq.unwrap_or_default(),
        elapsed_ms: heartbeat.elapsed_ms.filter(|_| !is_arrival),
        position_ms: heartbeat.position_ms,
        duration_ms: heartbeat.duration_ms,
        credits_ms: heartbeat.credits_ms,
        event: heartbeat.event,
        rate_thousandths: heartbeat.rate_thousandths,
        played_ms: heartbeat.played_ms.unwrap_or_default(),
        deliberate: heartbeat.deliberate || heartbeat.event == Event::Restarted,
        device: heartbeat.device.clone().or(moment.device),
        quality: moment.quality,
        seen: moment.seen,
        opened: moment.opened_here.then_some(moment.opened),
        bystander: is_arrival && current.is_none() && heartbeat.event.is_still(),
        series: heartbeat.series.clone().or(moment.series),
    }
}

/// The slot is chosen by the request and a constant of the protocol, never by settings (R8).
fn place(session: SessionId, sample: &Sample) -> Slot {
    let has_played = sample.deliberate || sample.played_ms >= whole_ms(ENGAGED);
    if has_played && !sample.bystander { slot::session(session) } else { slot::glimpse(session) }
}

fn completes(sample: &Sample, policy: &Policy) -> bool {
    let counts = policy.is_engaged(sample) && !sample.bystander || sample.event == Event::Ended;
    counts && policy.is_past_end(sample)
}

/// Says why a heartbeat was turned away at the door. Nothing has changed; what each is worth sending
/// again is said with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The body and its token speak of different things: the player's fault, and never right.
    #[error("`{field}` is not the token's: leave it out, or send the token that belongs to it")]
    NotTheTokens {
        /// Which member.
        field: &'static str,
    },
    /// The token gives no right to report.
    #[error("the token gives no right to report")]
    NoRight,
    /// The viewer erased the title, or everything, after the session began. The player opens a new
    /// session if the viewer goes on.
    #[error("the session began before the title was erased: open a new one")]
    Erased,
    /// The player counted more time than has gone by. The answer brings a fresh token, and what follows
    /// is reported under that one.
    #[error("the player's clock is {beyond_ms} ms beyond the time since its token was issued")]
    ClockRunsWild {
        /// How far.
        beyond_ms: u64,
    },
    /// Taken after the token's authorisation had ended. The player opens a new session.
    #[error("the sample was taken after its token had expired: open a new session")]
    Expired,
    /// Dated where no viewer is: never right.
    #[error("the sample is dated at or beyond the year 2200")]
    BeyondYear2200,
    /// What it may meet is gone: never right.
    #[error("the sample is {age_ms} ms old, and older than any that is taken")]
    TooOld {
        /// Its age.
        age_ms: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::{Rights, Shown, TimeQuality, session::tests::opened_at};

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);
    const HOUR_MS: u64 = 3_600_000;
    const DAY_MS: u64 = 24 * HOUR_MS;

    fn claims() -> Claims {
        opened_at(NOW, &Shown::default())
    }

    fn report(members: &str) -> Heartbeat {
        Heartbeat::from_json(format!("{{{members}}}").as_bytes()).expect("a heartbeat")
    }

    fn playing(elapsed_ms: u64) -> Heartbeat {
        report(&format!(r#""seq":7,"elapsed_ms":{elapsed_ms},"position_ms":5000,"event":"playing""#))
    }

    fn at(now: WallTime, heartbeat: &Heartbeat, claims: &Claims) -> Result<Accepted, Refused> {
        accept(heartbeat, Sender::Signed(claims), Known::default(), now, &Policy::default())
    }

    /// Kinds of slots and stamps' times written, or why nothing is.
    fn written(accepted: &Accepted) -> Result<Vec<(u8, WallTime)>, Nothing> {
        match &accepted.outcome {
            Outcome::Write { place, completion } => {
                let writes = std::iter::once(place).chain(completion);
                Ok(writes.map(|write| (write.key.slot.kind, write.stamp.time)).collect())
            }
            Outcome::Acknowledge(reason) => Err(*reason),
        }
    }

    fn arrives(
        members: &str,
        current: Option<(Stamp, &Sample)>,
        now: WallTime,
    ) -> (Accepted, Option<Sample>) {
        let heartbeat = report(&format!(r#""profile":"ann","content":"film",{members}"#));
        let (title, session) = heartbeat.unsigned().expect("named");
        let sender = Sender::Unsigned { title: &title, session };
        let known = Known { current, ..Known::default() };
        let accepted = accept(&heartbeat, sender, known, now, &Policy::default()).expect("let in");
        let sample = match &accepted.outcome {
            Outcome::Write { place, .. } => Some(Sample::decode(&place.value).expect("a sample")),
            Outcome::Acknowledge(_) => None,
        };
        (accepted, sample)
    }

    #[test]
    fn what_is_written_depends_on_the_request_and_its_token_alone() {
        let heartbeat = playing(10_000);
        let first = at(NOW.plus_ms(10_000), &heartbeat, &claims());
        for delay in [1, HOUR_MS, 80 * DAY_MS] {
            assert_eq!(at(NOW.plus_ms(10_000 + delay), &heartbeat, &claims()), first);
        }
        let stamp = first.expect("let in").stamp;
        let writer = *claims().session.as_bytes();
        assert_eq!(stamp, Stamp { time: NOW.plus_ms(10_000), counter: 7, writer });
    }

    #[test]
    fn what_has_played_or_was_meant_has_a_session_and_the_rest_a_glimpse() {
        let check = |members: &str, kind| {
            let heartbeat = report(&format!(r#""seq":1,"elapsed_ms":0,"position_ms":5000,{members}"#));
            let accepted = at(NOW, &heartbeat, &claims()).expect("let in");
            assert_eq!(written(&accepted), Ok(vec![(kind, NOW)]), "{members}");
        };
        check(r#""event":"playing""#, 1);
        check(r#""event":"playing","played_ms":2999"#, 1);
        check(r#""event":"seeked""#, 1);
        check(r#""event":"playing","played_ms":3000"#, 2);
        check(r#""event":"playing","deliberate":true"#, 2);
        check(r#""event":"restarted""#, 2);
    }

    #[test]
    fn an_incognito_session_writes_nothing_whatever_it_does_and_is_refused_as_any_other() {
        let claims = Claims { incognito: true, ..claims() };
        for event in ["playing", "seeked", "restarted", "ended", "stopped"] {
            let heartbeat = report(&format!(
                r#""seq":1,"elapsed_ms":5000,"position_ms":960,"duration_ms":1000,"played_ms":5000,"event":"{event}""#
            ));
            let accepted = at(NOW.plus_ms(5_000), &heartbeat, &claims).expect("let in");
            assert_eq!(written(&accepted), Err(Nothing::Incognito), "{event}");
        }
        let wild = at(NOW, &playing(WILD_MS + 1), &claims);
        assert!(matches!(wild, Err(Refused::ClockRunsWild { .. })), "{wild:?}");
    }

    #[test]
    fn what_is_reported_while_recording_is_paused_is_judged_and_not_written() {
        let known = Known { paused: true, ..Known::default() };
        let accepted = |heartbeat: &Heartbeat| {
            accept(heartbeat, Sender::Signed(&claims()), known, NOW, &Policy::default())
        };
        assert_eq!(written(&accepted(&playing(0)).expect("let in")), Err(Nothing::Paused));
        let wild = accepted(&playing(WILD_MS + 1));
        assert!(matches!(wild, Err(Refused::ClockRunsWild { .. })), "{wild:?}");
    }

    #[test]
    fn a_session_that_reaches_the_end_completes_under_the_stamp_of_its_opening() {
        let later = NOW.plus_ms(HOUR_MS);
        let check = |members: &str, kinds: &[u8]| {
            let heartbeat = report(&format!(r#""seq":1,"elapsed_ms":{HOUR_MS},{members}"#));
            let accepted = at(later, &heartbeat, &claims()).expect("let in");
            let written = written(&accepted).expect("written");
            assert_eq!(written.iter().map(|write| write.0).collect::<Vec<_>>(), kinds, "{members}");
            assert!(written.iter().all(|write| write.0 != 3 || write.1 == NOW), "{members}");
        };
        let near_end = r#""position_ms":960,"duration_ms":1000"#;
        check(&format!(r#"{near_end},"event":"playing","played_ms":3000"#), &[2, 3]);
        check(&format!(r#"{near_end},"event":"ended""#), &[1, 3]);
        check(&format!(r#"{near_end},"event":"playing""#), &[1]);
        check(r#""position_ms":960,"event":"ended""#, &[1, 3]);
        check(r#""position_ms":960,"event":"playing","played_ms":3000"#, &[2]);
        check(r#""position_ms":90,"duration_ms":1000,"event":"ended""#, &[1]);
    }

    #[test]
    fn a_clock_beyond_the_time_since_issue_runs_wild() {
        let sent = |elapsed, sent_ms| Heartbeat { sent_elapsed_ms: Some(sent_ms), ..playing(elapsed) };
        let later = NOW.plus_ms(10_000);
        assert!(at(later, &playing(15_000), &claims()).is_ok());
        let wild = Err(Refused::ClockRunsWild { beyond_ms: 5_001 });
        assert_eq!(at(later, &playing(15_001), &claims()), wild);
        assert_eq!(at(later, &sent(1, 15_001), &claims()), wild);
        // A derived anchor is its own base, so the time since then may have gone by.
        let anchor = NOW.minus_ms(DAY_MS);
        let derived = Claims { anchor, base: anchor, quality: TimeQuality::Mono, ..claims() };
        assert!(at(NOW, &playing(DAY_MS), &derived).is_ok());
    }

    #[test]
    fn expiry_is_judged_by_the_sample_and_not_by_its_arrival() {
        let much_later = NOW.plus_ms(50 * DAY_MS);
        assert!(at(much_later, &playing(DAY_MS), &claims()).is_ok());
        assert_eq!(at(much_later, &playing(DAY_MS + 1), &claims()), Err(Refused::Expired));
    }

    #[test]
    fn what_is_older_than_any_that_is_taken_is_refused_and_an_anchor_in_the_future_is_honoured() {
        let oldest = NOW.plus_ms(90 * DAY_MS);
        assert!(at(oldest, &playing(0), &claims()).is_ok());
        let too_old = Err(Refused::TooOld { age_ms: 90 * DAY_MS + 1 });
        assert_eq!(at(oldest.plus_ms(1), &playing(0), &claims()), too_old);
        assert!(at(NOW.minus_ms(7 * DAY_MS), &playing(0), &claims()).is_ok());
    }

    #[test]
    fn nothing_is_dated_beyond_the_year_2200() {
        let last = WallTime::YEAR_2200.minus_ms(1);
        let claims = opened_at(last, &Shown::default());
        assert!(at(last, &playing(0), &claims).is_ok());
        assert_eq!(at(last, &playing(1), &claims), Err(Refused::BeyondYear2200));
    }

    #[test]
    fn the_body_must_not_contradict_its_token() {
        let check = |members: &str, expected: Option<&'static str>| {
            let heartbeat =
                report(&format!(r#""seq":1,"elapsed_ms":0,"position_ms":1,"event":"playing",{members}"#));
            let refused = expected.map(|field| Refused::NotTheTokens { field });
            assert_eq!(at(NOW, &heartbeat, &claims()).err(), refused, "{members}");
        };
        check(r#""profile":"ann","content":"film""#, None);
        check(r#""profile":"bob""#, Some("profile"));
        check(r#""content":"other""#, Some("content"));
        check(r#""session":"other""#, Some("session"));
    }

    #[test]
    fn a_token_without_the_right_to_report_reports_nothing() {
        let claims = Claims { rights: Rights { read: true, write: false }, ..claims() };
        assert_eq!(at(NOW, &playing(0), &claims), Err(Refused::NoRight));
    }

    #[test]
    fn a_token_from_before_an_erasure_is_turned_away_and_one_from_after_it_is_not() {
        let erased_at = |time| {
            let fence = Some(Stamp { time, counter: 0, writer: [1; 16] });
            let known = Known { fence, ..Known::default() };
            accept(&playing(0), Sender::Signed(&claims()), known, NOW, &Policy::default()).err()
        };
        assert_eq!(erased_at(NOW), Some(Refused::Erased));
        assert_eq!(erased_at(NOW.minus_ms(1)), None);
    }

    #[test]
    fn a_player_that_gives_up_before_it_had_a_place_is_acknowledged() {
        let check = |event, position, nothing: Option<Nothing>| {
            let json = format!(r#""seq":1,"elapsed_ms":0,"position_ms":{position},"event":"{event}""#);
            let accepted = at(NOW, &report(&json), &claims()).expect("let in");
            assert_eq!(written(&accepted).err(), nothing, "{json}");
        };
        check("stopped", 999, Some(Nothing::NoPlace));
        check("failed", 0, Some(Nothing::NoPlace));
        check("stopped", 1_000, None);
        check("paused", 0, None);
        check("ended", 0, None);
    }

    #[test]
    fn a_report_without_a_time_is_dated_by_its_arrival_and_above_its_own_session() {
        let playing = r#""position_ms":5000,"event":"playing""#;
        let (first, sample) = arrives(playing, None, NOW);
        assert_eq!(first.stamp.time, NOW);
        let sample = sample.expect("written");
        assert_eq!((sample.quality, sample.opened), (TimeQuality::Arrival, Some(NOW)));
        // The node's wall has gone back by two seconds since.
        let (second, sample) = arrives(playing, Some((first.stamp, &sample)), NOW.minus_ms(2_000));
        assert_eq!(second.stamp.time, NOW.plus_ms(1));
        assert_eq!(sample.expect("written").opened, Some(NOW));
    }

    #[test]
    fn a_player_left_paused_without_a_clock_earns_no_new_stamp() {
        let (first, sample) = arrives(r#""position_ms":50000,"event":"playing""#, None, NOW);
        let sample = sample.expect("written");
        let check = |event, position, nothing: Option<Nothing>| {
            let json = format!(r#""position_ms":{position},"event":"{event}""#);
            let current = Some((first.stamp, &sample));
            let (accepted, _) = arrives(&json, current, NOW.plus_ms(3 * HOUR_MS));
            assert_eq!(written(&accepted).err(), nothing, "{json}");
        };
        check("paused", 50_000, Some(Nothing::NoMovement));
        check("paused", 51_000, Some(Nothing::NoMovement));
        check("stopped", 49_000, Some(Nothing::NoMovement));
        check("paused", 51_001, None);
        check("playing", 50_000, None);
        check("ended", 50_000, None);
    }

    #[test]
    fn a_still_report_of_a_session_unknown_here_does_not_arbitrate() {
        let still = r#""position_ms":50000,"event":"paused","played_ms":90000"#;
        let (accepted, sample) = arrives(still, None, NOW);
        assert_eq!(written(&accepted), Ok(vec![(1, NOW)]));
        assert!(sample.expect("written").bystander);
        let (_, sample) = arrives(r#""position_ms":50000,"event":"playing""#, None, NOW);
        assert!(!sample.expect("written").bystander);
    }

    #[test]
    fn a_token_without_elapsed_time_lends_its_session_and_its_causality() {
        let seen = Stamp { time: NOW.plus_ms(2_000), counter: 0, writer: [9; 16] };
        let shown = Shown { greatest: Some(seen), others: Some(seen), ..Shown::default() };
        let claims = opened_at(NOW, &shown);
        let heartbeat = report(r#""position_ms":5000,"event":"playing""#);
        let accepted = at(NOW.plus_ms(5), &heartbeat, &claims).expect("let in");
        assert_eq!(accepted.stamp.time, NOW.plus_ms(2_001));
        let end = claims.authorised_until();
        assert!(at(end, &heartbeat, &claims).is_ok());
        assert_eq!(at(end.plus_ms(1), &heartbeat, &claims), Err(Refused::Expired));
    }

    #[test]
    fn what_nothing_comes_after_is_synced() {
        let promise = |event| {
            let json = format!(r#""seq":1,"elapsed_ms":0,"position_ms":5000,"event":"{event}""#);
            at(NOW, &report(&json), &claims()).expect("let in").promise
        };
        for event in ["paused", "seeked", "stopped", "ended"] {
            assert_eq!(promise(event), Promise::Synced, "{event}");
        }
        assert_eq!(promise("playing"), Promise::Process);
    }
}
