//! Which registers of a title stay.
//!
//! Pruning is part of the merge: every replica applies the same function to the same keys and stamps,
//! so it must not matter in which order merging and pruning happen. It does not, because each rule
//! below looks at the register itself (a fence, the horizon) or takes the greatest few by a total
//! order in which a merge only ever raises a register. Values are never read, so a register whose
//! value this build cannot decode is kept and pruned like any other.

use crate::{
    crdt::{Slot, Stamp, WallTime},
    playback::slot::{COMPLETIONS_KEPT, FENCE, GLIMPSES_KEPT, SESSIONS_KEPT, SlotKind},
};

/// Names the registers of a title that must go.
///
/// * What is at or below the title's or the profile's fence goes, for ever; a fence only at or below the
///   profile's, and settings never.
/// * What is dated before `horizon` goes, except fences and settings: a fence guards against what may
///   still come, and falls with other care.
/// * Of glimpses and of sessions the 8 greatest stay, each kind for itself, and of completions the 256
///   greatest, by (stamp, id).
pub fn retain(registers: &[(Slot, Stamp)], profile_fence: Option<Stamp>, horizon: WallTime) -> Vec<Slot> {
    let fence = greatest_fence(registers, profile_fence);
    let mut gone = Vec::new();
    let mut crowds = [
        Crowd::of(SlotKind::Glimpse, GLIMPSES_KEPT),
        Crowd::of(SlotKind::Session, SESSIONS_KEPT),
        Crowd::of(SlotKind::Completed, COMPLETIONS_KEPT),
    ];
    for &(slot, stamp) in registers {
        let kind = SlotKind::of(slot);
        let falls = match kind {
            Some(SlotKind::Fence) => Some(stamp) <= profile_fence,
            Some(SlotKind::Settings) => false,
            // A kind of a later build obeys fences, so that what is erased here stays erased.
            _ => Some(stamp) <= fence || stamp.time < horizon,
        };
        if falls {
            gone.push(slot);
        } else if let Some(crowd) = crowds.iter_mut().find(|crowd| Some(crowd.kind) == kind) {
            crowd.members.push((stamp, slot));
        }
    }
    for crowd in crowds {
        gone.extend(crowd.beyond_room());
    }
    gone
}

/// [`retain`] where nothing is too old: what a replica is given to prune with.
pub fn retain_title(registers: &[(Slot, Stamp)], profile_fence: Option<Stamp>) -> Vec<Slot> {
    retain(registers, profile_fence, WallTime::from_ms(0))
}

/// The stamp at and below which everything of a title is erased.
pub fn greatest_fence(registers: &[(Slot, Stamp)], profile_fence: Option<Stamp>) -> Option<Stamp> {
    let own = registers.iter().find(|(slot, _)| *slot == FENCE).map(|&(_, stamp)| stamp);
    own.max(profile_fence)
}

/// Registers of one kind, of which only so many have room.
struct Crowd {
    kind: SlotKind,
    room: usize,
    members: Vec<(Stamp, Slot)>,
}

impl Crowd {
    fn of(kind: SlotKind, room: usize) -> Self {
        Self { kind, room, members: Vec::new() }
    }

    fn beyond_room(mut self) -> impl Iterator<Item = Slot> {
        let spare = self.members.len().saturating_sub(self.room);
        if spare > 0 {
            self.members.sort_unstable();
        }
        self.members.into_iter().take(spare).map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::slot::{SETTINGS, SessionId, WATCHED, completed, glimpse, session};

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn at(ms: u64, counter: u32, writer: SessionId) -> Stamp {
        Stamp { time: WallTime::from_ms(ms), counter, writer: *writer.as_bytes() }
    }

    #[test]
    fn eight_failed_starts_do_not_push_out_the_real_place() {
        let mut title = vec![(session(id(99)), at(1, 0, id(99)))];
        title.extend((1..=9).map(|n| (glimpse(id(n)), at(100 + u64::from(n), 0, id(n)))));
        assert_eq!(retain_title(&title, None), [glimpse(id(1))]);
    }

    #[test]
    fn the_greatest_sessions_stay_and_equal_times_are_told_apart_by_id() {
        let title: Vec<_> = (1..=11).map(|n| (session(id(n)), at(50, 7, id(n)))).collect();
        assert_eq!(retain_title(&title, None), [session(id(1)), session(id(2)), session(id(3))]);
    }

    #[test]
    fn the_256_greatest_completions_stay() {
        let named = |n: u16| SessionId::from_random(u128::from(n));
        let title: Vec<_> =
            (0..258).map(|n| (completed(named(n)), at(1_000 - u64::from(n), 0, named(n)))).collect();
        let gone = retain_title(&title, None);
        assert_eq!(gone, [completed(named(257)), completed(named(256))]);
    }

    #[test]
    fn a_fence_takes_what_is_at_or_below_it_and_stays() {
        let fence = at(100, 0, id(7));
        let title = [
            (FENCE, fence),
            (session(id(1)), at(100, 0, id(7))),
            (session(id(2)), at(100, 1, id(2))),
            (completed(id(1)), at(20, 0, id(1))),
            (WATCHED, at(99, 0, id(7))),
        ];
        assert_eq!(retain_title(&title, None), [session(id(1)), completed(id(1)), WATCHED]);
    }

    #[test]
    fn a_profile_fence_takes_title_fences_below_it_and_spares_settings() {
        let title = [(FENCE, at(5, 0, id(7))), (SETTINGS, at(5, 0, id(7))), (WATCHED, at(9, 0, id(7)))];
        let profile_fence = Some(at(6, 0, id(7)));
        assert_eq!(retain(&title, profile_fence, WallTime::from_ms(0)), [FENCE]);
    }

    #[test]
    fn what_is_dated_before_the_horizon_goes() {
        let title = [(session(id(1)), at(9, 0, id(1))), (session(id(2)), at(10, 0, id(2)))];
        assert_eq!(retain(&title, None, WallTime::from_ms(10)), [session(id(1))]);
    }
}
