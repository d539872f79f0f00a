//! Where the viewer last was: a function of a title's registers and the policy (R9).

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    crdt::{Dot, Register, Slot, Stamp},
    playback::{
        Policy, Sample, Series, SessionId, Watched, greatest_fence,
        progress::stands_over,
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
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResumePoint {
    /// The place of the last activity.
    pub place: Place,
    /// Whether that is past the credits marker or the threshold.
    pub completed: bool,
    /// Whether the title is watched: by hand, or by having reached the end (R10).
    pub watched: bool,
    /// How many sessions have reached the end: those that are kept, and a retry is no other.
    pub plays: usize,
    /// Whether the title was taken out of the row and not played since.
    pub dismissed: bool,
    /// Whether the title was marked as watched by hand and not played since.
    pub marked_watched: bool,
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

    /// To which series the title belongs: as the winner says, or else the latest that says anything.
    pub fn series(&self) -> Option<&Series> {
        let others = self.alternatives.iter().map(|other| &other.place);
        std::iter::once(&self.place).chain(others).find_map(|place| place.sample.series.as_ref())
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
/// that is engaged wins, and where none is, the greatest of all answers. A place without a time of its own
/// may be left out by who is earlier (R12). `None` where no session has
/// left a place.
pub fn resume(
    registers: &[(Slot, Register)],
    profile_fence: Option<Stamp>,
    policy: &Policy,
) -> Option<ResumePoint> {
    let standing = Standing::of(registers, profile_fence);
    let Contest { places, unreadable } = standing.contest(policy);
    judge(&standing, places, unreadable, policy)
}

/// Makes the answer of a contest.
pub(super) fn judge(
    standing: &Standing<'_>,
    places: Vec<Place>,
    unreadable: usize,
    policy: &Policy,
) -> Option<ResumePoint> {
    let mut places = places.into_iter();
    let winner = places.next()?;
    let mut places: Vec<_> = places.collect();
    places.sort_unstable_by_key(|place| Reverse((place.stamp, place.session)));
    let alternative = |place: Place| Alternative { concurrent: are_concurrent(&place, &winner), place };
    Some(ResumePoint {
        completed: policy.is_past_end(&winner.sample),
        watched: standing.is_watched(),
        plays: standing.completions().count(),
        dismissed: standing.stamp(DISMISSED) >= Some(winner.stamp),
        marked_watched: standing.marked_watched() >= Some(winner.stamp),
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

/// Says how often a title was played: how many sessions have reached the end (R10).
pub fn plays(registers: &[(Slot, Register)], profile_fence: Option<Stamp>) -> usize {
    Standing::of(registers, profile_fence).completions().count()
}

fn are_concurrent(one: &Place, other: &Place) -> bool {
    one.sample.seen < Some(other.stamp) && other.sample.seen < Some(one.stamp)
}

/// The registers that no fence has erased.
pub(super) struct Standing<'a> {
    registers: Vec<&'a (Slot, Register)>,
    /// The greater of the title's fence and the profile's.
    pub(super) fence: Option<Stamp>,
}

/// The sessions that have left a place.
pub(super) struct Contest {
    /// The winner first; then those that are engaged, the latest first, then the others.
    pub(super) places: Vec<Place>,
    /// How many registers say something this build cannot read.
    pub(super) unreadable: usize,
}

/// What a session's registers say together.
#[derive(Default)]
struct Session<'a> {
    has_played: bool,
    greater: Option<(&'a Register, Sample)>,
}

impl<'a> Standing<'a> {
    pub(super) fn of(registers: &'a [(Slot, Register)], profile_fence: Option<Stamp>) -> Self {
        let stamps: Vec<_> = registers.iter().map(|(slot, register)| (*slot, register.stamp)).collect();
        let fence = greatest_fence(&stamps, profile_fence);
        let registers = registers.iter().filter(|(_, register)| Some(register.stamp) > fence).collect();
        Self { registers, fence }
    }

    pub(super) fn contest(&self, policy: &Policy) -> Contest {
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
        let mut places: Vec<_> = places.collect();
        places.sort_unstable_by_key(|place| Reverse((place.engaged, place.stamp, place.session)));
        if !places.is_empty() {
            let winner = winner(&places);
            places[..=winner].rotate_right(1);
        }
        Contest { places, unreadable }
    }

    pub(super) fn completions(&self) -> impl Iterator<Item = &'a Register> {
        let is_one = |slot: &Slot| SlotKind::of(*slot) == Some(SlotKind::Completed);
        self.registers.iter().filter(move |(slot, _)| is_one(slot)).map(|(_, register)| register)
    }

    pub(super) fn is_watched(&self) -> bool {
        let completed = self.completions().map(|register| register.stamp).max();
        let by_hand = self.find(WATCHED).filter(|register| Some(register.stamp) > completed);
        let said = by_hand.and_then(|register| Watched::decode(&register.value).ok());
        said.map_or(completed.is_some(), |Watched(said)| said)
    }

    /// When the viewer said by hand that the title is watched, if that is their last word.
    fn marked_watched(&self) -> Option<Stamp> {
        let by_hand = self.find(WATCHED)?;
        let said = Watched::decode(&by_hand.value).ok();
        said.filter(|Watched(said)| *said).map(|_| by_hand.stamp)
    }

    /// The greatest stamp of all.
    pub(super) fn latest(&self) -> Option<Stamp> {
        self.registers.iter().map(|(_, register)| register.stamp).max()
    }

    pub(super) fn is_dismissed(&self) -> bool {
        self.find(DISMISSED).is_some()
    }

    pub(super) fn stamp(&self, slot: Slot) -> Option<Stamp> {
        self.find(slot).map(|register| register.stamp)
    }

    fn find(&self, slot: Slot) -> Option<&'a Register> {
        self.registers.iter().find(|(found, _)| *found == slot).map(|(_, register)| register)
    }
}

/// Finds the winner among places that are engaged, the latest first, and then the others.
///
/// Each in the order of stamps takes the place of the one before it, where it stands over that. All but those of
/// clients without a clock do, so where there are none it is the latest.
fn winner(places: &[Place]) -> usize {
    let contend = places.iter().take_while(|place| place.engaged == places[0].engaged).count();
    let latest_last = (0..contend).rev();
    latest_last
        .reduce(|stands, next| if stands_over(&places[next], &places[stands]) { next } else { stands })
        .unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{TitleId, WallTime},
        playback::{Event, sample::tests::playing, slot},
    };
    use std::{sync::Arc, time::Duration};

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn at(ms: u64, writer: SessionId) -> Stamp {
        Stamp { time: WallTime::from_ms(ms), counter: 0, writer: *writer.as_bytes() }
    }

    fn register(slot: Slot, stamp: Stamp, value: Arc<[u8]>) -> (Slot, Register) {
        let key = TitleId::parse("ann", "film").expect("both are ids").key(slot);
        (slot, Register::seal(&key, stamp, Dot::default(), value))
    }

    /// A session's register; `slot` says which.
    fn told(slot: fn(SessionId) -> Slot, n: u8, ms: u64, sample: &Sample) -> (Slot, Register) {
        register(slot(id(n)), at(ms, id(n)), sample.encode())
    }

    fn engaged(position_ms: u64) -> Sample {
        Sample { played_ms: 60_000, ..playing(position_ms) }
    }

    fn read(registers: &[(Slot, Register)]) -> Option<ResumePoint> {
        resume(registers, None, &Policy::default())
    }

    fn positions(point: &ResumePoint) -> Vec<u64> {
        let others = point.alternatives.iter().map(|other| &other.place);
        std::iter::once(&point.place).chain(others).map(|place| place.sample.position_ms).collect()
    }

    #[test]
    fn the_greatest_engaged_session_wins_and_the_rest_are_alternatives_the_latest_first() {
        let point = read(&[
            told(slot::session, 1, 100, &engaged(3_180)),
            told(slot::glimpse, 2, 300, &playing(0)),
            told(slot::session, 3, 50, &engaged(9)),
            told(slot::glimpse, 4, 400, &playing(1)),
        ]);
        let point = point.expect("a place");
        assert_eq!(positions(&point), [3_180, 1, 0, 9]);
        assert!(point.place.engaged);
    }

    #[test]
    fn where_no_session_is_engaged_the_greatest_of_all_answers() {
        let point =
            read(&[told(slot::glimpse, 1, 100, &playing(7)), told(slot::glimpse, 2, 90, &playing(8))]);
        assert_eq!(positions(&point.expect("a place")), [7, 8]);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[register(WATCHED, at(1, id(9)), Watched(true).encode())]), None);
    }

    #[test]
    fn a_session_is_judged_by_its_greater_register_under_the_policy_of_the_reader() {
        let registers = [
            told(slot::session, 1, 100, &engaged(3_180)),
            told(slot::session, 2, 200, &Sample { played_ms: 4_000, ..playing(50) }),
        ];
        assert_eq!(positions(&read(&registers).expect("a place")), [50, 3_180]);
        let strict = Policy::default().with_engaged(Duration::from_secs(5)).expect("longer than the least");
        assert_eq!(positions(&resume(&registers, None, &strict).expect("a place")), [3_180, 50]);
        // A glimpse that is later than its session's register takes its engagement back.
        let later = [&registers[..], &[told(slot::glimpse, 2, 300, &playing(60))]].concat();
        assert_eq!(positions(&read(&later).expect("a place")), [3_180, 60]);
    }

    #[test]
    fn a_bystander_neither_speaks_for_its_session_nor_takes_its_place() {
        let bystander = Sample { bystander: true, ..engaged(1_200) };
        let registers = [
            told(slot::session, 1, 100, &engaged(1_000)),
            told(slot::session, 2, 200, &engaged(2_400)),
            told(slot::glimpse, 1, 900, &bystander),
            told(slot::glimpse, 3, 950, &bystander),
        ];
        assert_eq!(positions(&read(&registers).expect("a place")), [2_400, 1_200, 1_000]);
        assert_eq!(positions(&read(&registers[3..]).expect("a place")), [1_200]);
    }

    #[test]
    fn completed_follows_the_policy_of_the_reader_and_leaves_the_position_raw() {
        let registers = [told(slot::session, 1, 100, &Sample { duration_ms: Some(1_000), ..engaged(920) })];
        let point = read(&registers).expect("a place");
        assert_eq!((point.completed, point.resume_position_ms()), (false, 920));
        let early = Policy::default().with_completed_percent(90).expect("a percentage");
        let point = resume(&registers, None, &early).expect("a place");
        assert_eq!((point.completed, point.resume_position_ms()), (true, 0));
        assert_eq!(point.place.sample.position_ms, 920);
    }

    #[test]
    fn concurrent_is_who_had_not_seen_the_other() {
        let check = |first_seen, second_seen, concurrent| {
            let seen = |ms: Option<u64>, of: u8| ms.map(|ms| at(ms, id(of)));
            let point = read(&[
                told(slot::session, 1, 100, &Sample { seen: seen(first_seen, 2), ..engaged(1) }),
                told(slot::session, 2, 200, &Sample { seen: seen(second_seen, 1), ..engaged(2) }),
            ]);
            let found = point.expect("a place").alternatives[0].concurrent;
            assert_eq!(found, concurrent, "{first_seen:?} {second_seen:?}");
        };
        check(None, None, true);
        check(None, Some(100), false);
        check(None, Some(99), true);
        check(Some(200), None, false);
        check(Some(199), Some(99), true);
    }

    #[test]
    fn fences_drop_what_is_at_or_below_them() {
        let registers = [
            told(slot::session, 1, 100, &engaged(1)),
            told(slot::session, 2, 101, &engaged(2)),
            register(slot::completed(id(1)), at(90, id(1)), Arc::default()),
        ];
        let profile_fence = Some(at(100, id(1)));
        let point = resume(&registers, profile_fence, &Policy::default()).expect("a place");
        assert_eq!((positions(&point), point.watched), (vec![2], false));
        let fenced = [&registers[..], &[register(slot::FENCE, at(101, id(9)), Arc::default())]].concat();
        assert_eq!(read(&fenced), None);
    }

    #[test]
    fn watched_is_the_greater_of_the_last_completion_and_the_viewers_word() {
        let completion = |ms| register(slot::completed(id(1)), at(ms, id(1)), Arc::default());
        let said = |ms, watched| register(WATCHED, at(ms, id(9)), Watched(watched).encode());
        let check = |registers: &[(Slot, Register)], watched| {
            assert_eq!(is_watched(registers, None), watched, "{registers:?}");
        };
        check(&[], false);
        check(&[completion(5)], true);
        check(&[completion(5), said(6, false)], false);
        check(&[completion(7), said(6, false)], true);
        check(&[said(6, true)], true);
        check(&[completion(5), said(4, false)], true);
    }

    #[test]
    fn every_session_that_reached_the_end_is_one_play_and_a_word_by_hand_is_none() {
        let completion = |n, ms| register(slot::completed(id(n)), at(ms, id(n)), Arc::default());
        let registers = [
            told(slot::session, 1, 100, &engaged(1)),
            completion(1, 50),
            completion(2, 60),
            register(WATCHED, at(200, id(9)), Watched(false).encode()),
        ];
        let point = read(&registers).expect("a place");
        assert_eq!((point.plays, point.watched), (2, false));
        assert_eq!(plays(&registers, None), 2);
        assert_eq!(plays(&registers, Some(at(50, id(1)))), 1);
    }

    #[test]
    fn playing_on_brings_a_dismissed_title_back() {
        let dismissed = |ms| {
            let registers = [
                told(slot::session, 1, 100, &engaged(1)),
                register(DISMISSED, at(ms, id(9)), Arc::default()),
            ];
            read(&registers).expect("a place").dismissed
        };
        assert!(dismissed(101));
        assert!(!dismissed(99));
    }

    #[test]
    fn what_this_build_cannot_read_is_counted_and_takes_no_part() {
        let registers = [
            told(slot::session, 1, 100, &engaged(1)),
            register(slot::session(id(2)), at(200, id(2)), Arc::from(*b"\x02later")),
        ];
        let point = read(&registers).expect("a place");
        assert_eq!((positions(&point), point.unreadable), (vec![1], 1));
    }

    #[test]
    fn a_session_loses_to_a_later_one_of_another_and_never_to_an_earlier_or_its_own() {
        let point = read(&[told(slot::session, 1, 100, &engaged(1))]).expect("a place");
        assert_eq!(point.lost_by(id(2), at(99, id(2))), Some(at(100, id(1))));
        assert_eq!(point.lost_by(id(2), at(101, id(2))), None);
        assert_eq!(point.lost_by(id(1), at(50, id(1))), None);
    }

    #[test]
    fn an_event_of_an_alternative_is_kept() {
        let failed = Sample { event: Event::Failed, ..playing(1_500) };
        let point =
            read(&[told(slot::session, 1, 100, &engaged(3_180)), told(slot::glimpse, 2, 200, &failed)]);
        assert_eq!(point.expect("a place").alternatives[0].place.sample.event, Event::Failed);
    }
}
