//! Where the viewer last was: a function of a title's registers and the policy (R9).

use std::collections::BTreeMap;

use crate::{
    crdt::{Dot, Register, Slot, Stamp},
    playback::{
        Policy, Sample, SessionId, Watched, greatest_fence,
        slot::{DISMISSED, SlotKind, WATCHED},
    },
};

/// Where one session left the title.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which load on which screen.
    pub session: SessionId,
    /// When.
    pub stamp: Stamp,
    /// Which write said so.
    pub dot: Dot,
    /// What it said.
    pub sample: Sample,
    /// Whether the session has played, or done something on purpose: whether it may win over others.
    pub engaged: bool,
}

/// Another session's place, for a viewer who slipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alternative {
    /// Where it left the title.
    pub place: Place,
    /// Whether neither it nor the winner had seen the other: two screens played at once, or apart.
    pub concurrent: bool,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResumePoint {
    /// The place of the last activity.
    pub place: Place,
    /// Whether that is past the credits marker or the threshold.
    pub completed: bool,
    /// Whether the title is watched: by hand, or by having reached the end (R10).
    pub watched: bool,
    /// Whether the title was taken out of the row and not played since.
    pub dismissed: bool,
    /// The other sessions, the latest first.
    pub alternatives: Vec<Alternative>,
    /// How many registers say something this build cannot read; they took no part.
    pub unreadable: usize,
}

impl ResumePoint {
    /// Where a player should begin: at the start of what was completed, else where it was left.
    pub fn resume_position_ms(&self) -> u64 {
        if self.completed { 0 } else { self.place.sample.position_ms }
    }

    /// The stamp by which a session's heartbeat has lost to another session; `None` where it has not.
    ///
    /// A session that has not played yet is below the winner's place and has lost nothing.
    pub fn lost_by(&self, session: SessionId, stamp: Stamp) -> Option<Stamp> {
        let lost = self.place.session != session && self.place.stamp > stamp;
        lost.then_some(self.place.stamp)
    }
}

/// Finds the place of the last activity among the registers of a title.
///
/// Fenced registers are dropped. Each session is judged by its greater register; the greatest session
/// that is engaged wins, and where none is, the greatest of all answers. `None` where no session has
/// left a place.
pub fn resume(
    registers: &[(Slot, Register)],
    profile_fence: Option<Stamp>,
    policy: &Policy,
) -> Option<ResumePoint> {
    let standing = Standing::of(registers, profile_fence);
    let (mut places, unreadable) = standing.places(policy);
    places.sort_unstable_by_key(|place| (place.engaged, place.stamp, place.session));
    let winner = places.pop()?;
    places.sort_unstable_by_key(|place| std::cmp::Reverse((place.stamp, place.session)));
    let alternative = |place: Place| Alternative { concurrent: are_concurrent(&place, &winner), place };
    Some(ResumePoint {
        completed: policy.is_past_end(&winner.sample),
        watched: standing.is_watched(),
        dismissed: standing.stamp(DISMISSED) >= Some(winner.stamp),
        alternatives: places.into_iter().map(alternative).collect(),
        unreadable,
        place: winner,
    })
}

/// Says whether a title is watched: what the viewer said last, by hand or by reaching the end (R10).
///
/// A completion is dated by its session's opening, so that taking the mark back beats every session
/// that was open at that moment, its rolling credits included.
pub fn is_watched(registers: &[(Slot, Register)], profile_fence: Option<Stamp>) -> bool {
    Standing::of(registers, profile_fence).is_watched()
}

fn are_concurrent(one: &Place, other: &Place) -> bool {
    one.sample.seen < Some(other.stamp) && other.sample.seen < Some(one.stamp)
}

/// The registers that no fence has erased.
struct Standing<'a> {
    registers: Vec<&'a (Slot, Register)>,
}

/// What a session's registers say together.
#[derive(Default)]
struct Session<'a> {
    has_played: bool,
    greater: Option<(&'a Register, Sample)>,
}

impl<'a> Standing<'a> {
    fn of(registers: &'a [(Slot, Register)], profile_fence: Option<Stamp>) -> Self {
        let stamps: Vec<_> = registers.iter().map(|(slot, register)| (*slot, register.stamp)).collect();
        let fence = greatest_fence(&stamps, profile_fence);
        Self { registers: registers.iter().filter(|(_, register)| Some(register.stamp) > fence).collect() }
    }

    fn places(&self, policy: &Policy) -> (Vec<Place>, usize) {
        let mut sessions = BTreeMap::<SessionId, Session<'_>>::new();
        let mut unreadable = 0;
        for (slot, register) in &self.registers {
            let has_played = match SlotKind::of(*slot) {
                Some(SlotKind::Session) => true,
                Some(SlotKind::Glimpse) => false,
                _ => continue,
            };
            let session = sessions.entry(SessionId::from_bytes(slot.id)).or_default();
            session.has_played |= has_played;
            match Sample::decode(&register.value) {
                Ok(sample) => session.consider(register, sample),
                Err(_) => unreadable += 1,
            }
        }
        let places = sessions.into_iter().filter_map(|(id, session)| session.place(id, policy));
        (places.collect(), unreadable)
    }

    fn is_watched(&self) -> bool {
        let completions =
            self.registers.iter().filter(|(slot, _)| SlotKind::of(*slot) == Some(SlotKind::Completed));
        let completed = completions.map(|(_, register)| register.stamp).max();
        let by_hand = self.find(WATCHED).filter(|register| Some(register.stamp) > completed);
        let said = by_hand.and_then(|register| Watched::decode(&register.value).ok());
        said.map_or(completed.is_some(), |Watched(said)| said)
    }

    fn stamp(&self, slot: Slot) -> Option<Stamp> {
        self.find(slot).map(|register| register.stamp)
    }

    fn find(&self, slot: Slot) -> Option<&'a Register> {
        self.registers.iter().find(|(found, _)| *found == slot).map(|(_, register)| register)
    }
}

impl<'a> Session<'a> {
    /// Keeps the greater register; one that never arbitrates speaks only where no other does.
    fn consider(&mut self, register: &'a Register, sample: Sample) {
        let rank =
            |register: &'a Register, sample: &Sample| (!sample.bystander, register.stamp, &register.value);
        let stands = self.greater.as_ref().map(|(register, sample)| rank(register, sample));
        if stands < Some(rank(register, &sample)) {
            self.greater = Some((register, sample));
        }
    }

    fn place(self, session: SessionId, policy: &Policy) -> Option<Place> {
        let (register, sample) = self.greater?;
        let engaged = self.has_played && !sample.bystander && policy.is_engaged(&sample);
        Some(Place { session, stamp: register.stamp, dot: register.dot, sample, engaged })
    }
}
