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

/// What the node knows and the heartbeat does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The greater of the title's and the profile's fence.
    pub fence: Option<Stamp>,
    /// The greater register of the session; only looked at where [`Heartbeat::wants_current`].
    pub current: Option<(Stamp, &'a Sample)>,
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// These registers, in one batch: where the viewer was and, where the session has reached the end,
    /// that it has.
    Write(Vec<Write>),
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
            check_claims(heartbeat, claims, known, now)?;
            (&claims.title, claims.session, Moment::signed(claims, heartbeat.elapsed_ms, known.current, now)?)
        }
        Sender::Unsigned { title, session } => (title, session, Moment::of_arrival(known.current, now)),
    };
    check_age(moment.time, now, policy)?;
    let counter = heartbeat.seq.unwrap_or_default();
    let stamp = Stamp { time: moment.time, counter, writer: *session.as_bytes() };
    let current = known.current.map(|(_, sample)| sample);
    let outcome = nothing_to_write(heartbeat, &moment, current).map_or_else(
        || Outcome::Write(registers(heartbeat, title, stamp, moment, current, policy)),
        Outcome::Acknowledge,
    );
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

fn check_claims(
    heartbeat: &Heartbeat,
    claims: &Claims,
    known: Known<'_>,
    now: WallTime,
) -> Result<(), Refused> {
    if !claims.rights.write {
        return Err(Refused::NoRight);
    }
    // The order of the checks is the order in which a player can mend what they find.
    if known.fence.is_some_and(|fence| claims.anchor <= fence.time) {
        return Err(Refused::Erased);
    }
    let counted = heartbeat.elapsed_ms.max(heartbeat.sent_elapsed_ms).unwrap_or_default();
    let beyond_ms = counted.saturating_sub(now.ms_since(claims.base));
    if beyond_ms > WILD_MS { Err(Refused::ClockRunsWild { beyond_ms }) } else { Ok(()) }
}

fn check_age(time: WallTime, now: WallTime, policy: &Policy) -> Result<(), Refused> {
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
) -> Vec<Write> {
    let session = SessionId::from_bytes(stamp.writer);
    let completed = Stamp { time: moment.opened, counter: 0, writer: stamp.writer };
    let sample = sample(heartbeat, moment, current);
    let write = |slot, stamp, value| Write { key: title.key(slot), stamp, value };
    let mut writes = vec![write(place(session, &sample), stamp, sample.encode())];
    if completes(&sample, policy) {
        writes.push(write(slot::completed(session), completed, Arc::default()));
    }
    writes
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
