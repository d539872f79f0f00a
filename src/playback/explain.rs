//! Why the answer is this one: the same contest that [`resume`](super::resume) decides, told in full.
//!
//! For whoever asks "why did it begin *there*?". Nothing is judged twice: the sessions come from the
//! contest, in its order, and each loser is told what the winner had before it.

use std::collections::BTreeMap;

use crate::{
    crdt::{Register, Slot, Stamp},
    playback::{
        InRow, Place, Policy, SessionId,
        policy::End,
        resume::{Contest, Standing, judge},
        slot::{DISMISSED, FENCE, SlotKind},
    },
};

/// Everything that a resume point was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// Every session of which a register is held: the contest in its order, the winner first, then what
    /// took no part in it.
    pub sessions: Vec<Considered>,
    /// What is at or below it is erased: the greater of the title's fence and the profile's.
    pub fence: Option<Stamp>,
    /// When the title was taken out of the row.
    pub dismissed: Option<Stamp>,
    /// By what the winner's place is past the end; `None` where it is not.
    pub end: Option<End>,
    /// Whether the title stands in the row; `None` where there is no resume point.
    pub row: Option<InRow>,
}

/// A session and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Considered {
    /// Which.
    pub session: SessionId,
    /// The stamp of its greater register.
    pub stamp: Stamp,
    /// Where it left the title, if it took part.
    pub place: Option<Place>,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The latest of those that are engaged.
    Won,
    /// The latest of all, where none is engaged.
    WonUnengaged,
    /// Against an engaged session: it had played less than the threshold, and did nothing on purpose.
    PlayedTooLittle,
    /// Against an engaged session: it has nothing but a glimpse.
    Glimpse,
    /// Against an engaged session: its word arrived without a time of its own, and without movement.
    Bystander,
    /// Its last activity was before the winner's.
    Earlier,
    /// Of the same millisecond as the winner's, and with a lesser count.
    EarlierByCount,
    /// Of the same millisecond and count as the winner's, and of the lesser writer.
    TieById,
    /// Later than the winner, as far as is known: but its client, which has no clock, had not read the
    /// winner's place, and was no further along.
    NotFurther,
    /// Its registers say something that this build cannot read.
    Unreadable,
    /// All it has said is at or below the title's own fence.
    ErasedWithTitle,
    /// All it has said is at or below the profile's fence.
    ErasedWithProfile,
}

/// Tells how [`resume`](super::resume) comes to its answer.
pub fn explain(registers: &[(Slot, Register)], profile_fence: Option<Stamp>, policy: &Policy) -> Explanation {
    let standing = Standing::of(registers, profile_fence);
    let Contest { places, unreadable } = standing.contest(policy);
    let aside = outside(registers, &standing, &places, profile_fence, unreadable > 0);
    let end = places.first().and_then(|winner| policy.end(&winner.sample));
    let mut sessions = told(places.clone(), policy);
    sessions.extend(aside);
    let row = judge(&standing, places, unreadable, policy).map(|point| InRow::of(&point, policy));
    Explanation { sessions, fence: standing.fence, dismissed: standing.stamp(DISMISSED), end, row }
}

fn told(places: Vec<Place>, policy: &Policy) -> Vec<Considered> {
    let winner = places.first().map(|winner| (winner.session, winner.stamp, winner.engaged));
    let consider = |place: Place| {
        let (session, stamp) = (place.session, place.stamp);
        let verdict = match winner {
            Some((won, ..)) if won == session => won_by(&place),
            Some((_, best, engaged)) => lost_by(&place, best, engaged, policy),
            None => unreachable!("a contest with a place has a winner"),
        };
        Considered { session, stamp, place: Some(place), verdict }
    };
    places.into_iter().map(consider).collect()
}

fn won_by(winner: &Place) -> Verdict {
    if winner.engaged { Verdict::Won } else { Verdict::WonUnengaged }
}

fn lost_by(place: &Place, best: Stamp, best_is_engaged: bool, policy: &Policy) -> Verdict {
    if best_is_engaged && !place.engaged {
        return match &place.sample {
            sample if sample.bystander => Verdict::Bystander,
            sample if !policy.is_engaged(sample) => Verdict::PlayedTooLittle,
            _ => Verdict::Glimpse,
        };
    }
    let Stamp { time, counter, .. } = place.stamp;
    if place.stamp > best {
        Verdict::NotFurther
    } else if time < best.time {
        Verdict::Earlier
    } else if counter < best.counter {
        Verdict::EarlierByCount
    } else {
        Verdict::TieById
    }
}

/// The sessions that have a register and took no part.
fn outside(
    registers: &[(Slot, Register)],
    standing: &Standing<'_>,
    places: &[Place],
    profile_fence: Option<Stamp>,
    some_unreadable: bool,
) -> Vec<Considered> {
    let mut sessions = BTreeMap::<SessionId, Stamp>::new();
    for (slot, register) in registers {
        if matches!(SlotKind::of(*slot), Some(SlotKind::Glimpse | SlotKind::Session)) {
            let stamp = sessions.entry(SessionId::from_bytes(slot.id)).or_insert(register.stamp);
            *stamp = register.stamp.max(*stamp);
        }
    }
    sessions.retain(|session, _| places.iter().all(|place| place.session != *session));
    let title_fence = registers.iter().find(|(slot, _)| *slot == FENCE).map(|(_, fence)| fence.stamp);
    let verdict = |stamp: Stamp| {
        if Some(stamp) > standing.fence {
            debug_assert!(some_unreadable, "a session that stands and can be read takes part");
            Verdict::Unreadable
        } else if Some(stamp) <= title_fence && title_fence >= profile_fence {
            Verdict::ErasedWithTitle
        } else {
            Verdict::ErasedWithProfile
        }
    };
    let consider = |(session, stamp)| Considered { session, stamp, place: None, verdict: verdict(stamp) };
    let mut aside: Vec<_> = sessions.into_iter().map(consider).collect();
    aside.sort_unstable_by_key(|considered| std::cmp::Reverse((considered.stamp, considered.session)));
    aside
}

impl Verdict {
    /// The name that readers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::WonUnengaged => "won-unengaged",
            Self::PlayedTooLittle => "played-too-little",
            Self::Glimpse => "glimpse",
            Self::Bystander => "bystander",
            Self::Earlier => "earlier",
            Self::EarlierByCount => "earlier-by-count",
            Self::TieById => "tie-by-id",
            Self::NotFurther => "not-further",
            Self::Unreadable => "unreadable",
            Self::ErasedWithTitle => "erased-with-title",
            Self::ErasedWithProfile => "erased-with-profile",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        crdt::{Dot, TitleId, WallTime},
        playback::{Sample, resume, sample::tests::playing, slot},
    };

    fn register(slot: Slot, stamp: (u64, u32, u8), value: Arc<[u8]>) -> (Slot, Register) {
        let key = TitleId::parse("ann", "film").expect("both are ids").key(slot);
        let (ms, counter, writer) = stamp;
        let stamp = Stamp { time: WallTime::from_ms(ms), counter, writer: [writer; 16] };
        (slot, Register::seal(&key, stamp, Dot::default(), value))
    }

    fn session(n: u8, ms: u64, counter: u32, sample: &Sample) -> (Slot, Register) {
        register(slot::session(SessionId::from_bytes([n; 16])), (ms, counter, n), sample.encode())
    }

    fn glimpse(n: u8, ms: u64, sample: &Sample) -> (Slot, Register) {
        register(slot::glimpse(SessionId::from_bytes([n; 16])), (ms, 0, n), sample.encode())
    }

    fn engaged() -> Sample {
        Sample { played_ms: 60_000, duration_ms: Some(100_000), ..playing(50_000) }
    }

    fn verdicts(registers: &[(Slot, Register)], profile_fence: Option<Stamp>) -> Vec<(u8, Verdict)> {
        let policy = Policy::default();
        let explanation = explain(registers, profile_fence, &policy);
        // The contest that is told is the one that was decided.
        let point = resume(registers, profile_fence, &policy);
        let first = explanation.sessions.first().and_then(|first| first.place.clone());
        assert_eq!(point.as_ref().map(|point| point.place.clone()), first);
        assert_eq!(point.map(|point| InRow::of(&point, &policy)), explanation.row);
        explanation.sessions.iter().map(|it| (it.session.as_bytes()[0], it.verdict)).collect()
    }

    #[test]
    fn every_session_is_told_why_it_lost_the_best_first() {
        let registers = [
            glimpse(1, 900, &playing(0)),
            glimpse(2, 800, &Sample { bystander: true, ..engaged() }),
            glimpse(3, 700, &engaged()),
            session(4, 600, 7, &engaged()),
            session(5, 600, 7, &engaged()),
            session(6, 600, 3, &engaged()),
            session(7, 500, 9, &engaged()),
            register(slot::session(SessionId::from_bytes([8; 16])), (950, 1, 8), [9].as_slice().into()),
        ];
        let expected = [
            (5, Verdict::Won),
            (4, Verdict::TieById),
            (6, Verdict::EarlierByCount),
            (7, Verdict::Earlier),
            (1, Verdict::PlayedTooLittle),
            (2, Verdict::Bystander),
            (3, Verdict::Glimpse),
            (8, Verdict::Unreadable),
        ];
        assert_eq!(verdicts(&registers, None), expected);
    }

    #[test]
    fn where_none_is_engaged_the_latest_wins_and_the_rest_were_earlier() {
        let registers = [glimpse(1, 100, &playing(7)), glimpse(2, 90, &playing(8))];
        assert_eq!(verdicts(&registers, None), [(1, Verdict::WonUnengaged), (2, Verdict::Earlier)]);
        assert_eq!(verdicts(&[], None), []);
    }

    #[test]
    fn what_is_erased_is_told_with_the_fence_that_erased_it() {
        let registers = [
            session(1, 100, 0, &engaged()),
            session(2, 200, 0, &engaged()),
            register(FENCE, (150, 0, 9), Arc::default()),
        ];
        assert_eq!(verdicts(&registers, None), [(2, Verdict::Won), (1, Verdict::ErasedWithTitle)]);
        let profile_fence = Some(Stamp { time: WallTime::from_ms(250), counter: 0, writer: [9; 16] });
        let expected = [(2, Verdict::ErasedWithProfile), (1, Verdict::ErasedWithProfile)];
        assert_eq!(verdicts(&registers, profile_fence), expected);
        assert_eq!(explain(&registers, profile_fence, &Policy::default()).fence, profile_fence);
    }

    #[test]
    fn the_end_and_the_row_are_told_as_they_were_judged() {
        let check = |sample: &Sample, end, row| {
            let explanation = explain(&[session(1, 100, 0, sample)], None, &Policy::default());
            assert_eq!((explanation.end, explanation.row), (end, Some(row)), "{sample:?}");
        };
        check(&engaged(), None, InRow::Shown);
        check(&Sample { position_ms: 95_000, ..engaged() }, Some(End::Threshold), InRow::Completed);
        let credits = Sample { credits_ms: Some(50_000), ..engaged() };
        check(&credits, Some(End::Credits), InRow::Completed);
    }
}
