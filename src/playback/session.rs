//! A session: what its token claims, where its time line begins, and when it needs a new beginning.
//!
//! A player's wall clock is not believed. Its monotonic clock is, for as long as it runs: a token gives
//! the session an *anchor* on the replica set's time line, and the player counts from there. The anchor
//! is above all that its reader was shown, so whoever has read something beats it, through whatever
//! node and under whatever skew (R7).

use crate::{
    crdt::{Slot, Stamp, TitleId, WallTime},
    playback::{
        Device, Policy, Series, SessionId, TimeQuality,
        retain::greatest_fence,
        slot::{FENCE, SlotKind},
    },
};

/// A session whose line is further behind the node has slept, or its clock has.
pub const BEHIND_MS: u64 = 60_000;
/// A session whose line is further ahead, of the node and of all shown, is better off on a new one.
pub const AHEAD_MS: u64 = 2_000;
/// A session whose line is further below its own register has begun to count anew.
pub const ANEW_MS: u64 = 5_000;

/// What the holder of a token may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Be told where the title was left.
    pub read: bool,
    /// Report.
    pub write: bool,
}

impl Rights {
    /// Both: what a player needs.
    pub const ALL: Self = Self { read: true, write: true };

    fn told(self, shown: Option<Stamp>) -> Option<Stamp> {
        shown.filter(|_| self.read)
    }
}

/// What the replica set has signed about a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// Who watches what.
    pub title: TitleId,
    /// Which load on which screen.
    pub session: SessionId,
    /// On what, unless a heartbeat says otherwise.
    pub device: Option<Device>,
    /// The session's first anchor: the stamp of its completion, at whatever node it completes.
    pub opened: WallTime,
    /// The moment from which elapsed time counts.
    pub anchor: WallTime,
    /// The wall time of issue, against which a clock that runs wild is found out; where the anchor was
    /// derived, that anchor.
    pub base: WallTime,
    /// How far the anchor is to be trusted.
    pub quality: TimeQuality,
    /// What the holder may do.
    pub rights: Rights,
    /// The last moment, on the session's own line, whose samples are taken.
    pub expires: WallTime,
    /// The greatest place of any other session that had been shown to the holder.
    pub seen: Option<Stamp>,
    /// To which series the title belongs, unless a heartbeat says otherwise.
    pub series: Option<Series>,
    /// Whether the viewer wants nothing of the session to be kept: it is acknowledged, and nothing more.
    pub incognito: bool,
}

/// What a node's committed state shows to one session of a title.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// The greatest stamp of any register that no fence has erased.
    pub greatest: Option<Stamp>,
    /// The greatest stamp of this session's registers.
    pub own: Option<Stamp>,
    /// The greatest stamp of any other session's registers.
    pub others: Option<Stamp>,
    /// The title's or the profile's fence.
    pub fence: Option<Stamp>,
}

impl Shown {
    /// Sums up the registers of a title as `session` sees them.
    pub fn to(session: SessionId, registers: &[(Slot, Stamp)], profile_fence: Option<Stamp>) -> Self {
        let fence = greatest_fence(registers, profile_fence);
        let mut shown = Self { fence, ..Self::default() };
        let standing = registers.iter().filter(|&&(slot, stamp)| slot != FENCE && Some(stamp) > fence);
        for &(slot, stamp) in standing {
            shown.greatest = shown.greatest.max(Some(stamp));
            if matches!(SlotKind::of(slot), Some(SlotKind::Glimpse | SlotKind::Session)) {
                let side = if slot.id == *session.as_bytes() { &mut shown.own } else { &mut shown.others };
                *side = (*side).max(Some(stamp));
            }
        }
        shown
    }

    /// Where a live session's time line begins: at the wall, and above all that is shown.
    pub fn anchor(&self, now: WallTime) -> WallTime {
        let above = |stamp: Option<Stamp>| stamp.map_or(now, |stamp| stamp.time.plus_ms(1));
        now.max(above(self.greatest)).max(above(self.fence))
    }
}

impl Claims {
    /// Opens a session that has been shown `shown`.
    pub fn open(
        title: TitleId,
        session: SessionId,
        device: Option<Device>,
        rights: Rights,
        shown: &Shown,
        now: WallTime,
        policy: &Policy,
    ) -> Self {
        let anchor = shown.anchor(now);
        Self {
            title,
            session,
            device,
            opened: anchor,
            anchor,
            base: now,
            quality: TimeQuality::Anchored,
            rights,
            expires: anchor.plus_ms(whole_ms(policy.token_lifetime)),
            seen: rights.told(shown.others),
            series: None,
            incognito: false,
        }
    }

    /// The same session on a fresh line: its elapsed time restarts, its seq goes on.
    ///
    /// The new line begins above wherever the old one has got to, so that what the player reports next
    /// is later than all it has reported. A clock that runs wild takes it no further than the node's own.
    /// `None` where the authorisation has run out: it is not prolonged by whoever holds it.
    #[must_use]
    pub fn renewed(&self, sent_elapsed_ms: u64, shown: &Shown, now: WallTime) -> Option<Self> {
        let left_ms = self.authorised_until().as_ms().checked_sub(now.as_ms())?;
        let anchor = shown.anchor(now).max(self.line_at_most(sent_elapsed_ms, now).plus_ms(1));
        Some(Self {
            anchor,
            base: now,
            quality: TimeQuality::Anchored,
            expires: anchor.plus_ms(left_ms),
            seen: self.rights.told(shown.others).max(self.seen),
            ..self.clone()
        })
    }

    /// Says whether the answer to a heartbeat should bring a fresh token, and why.
    ///
    /// `shown` is the committed state after the heartbeat's own turn, and `lost_to` the stamp of the
    /// other session that stands above it. Losing alone is no reason: two screens may play at once.
    pub fn needs_renewal(
        &self,
        sent_elapsed_ms: u64,
        shown: &Shown,
        lost_to: Option<Stamp>,
        now: WallTime,
    ) -> Option<Renewal> {
        let line = self.anchor.plus_ms(sent_elapsed_ms);
        let bar = shown.greatest.map_or(now, |stamp| stamp.time.max(now));
        if now.ms_since(line) > BEHIND_MS {
            Some(Renewal::Behind)
        } else if shown.own.is_some_and(|own| own.time.ms_since(line) > ANEW_MS) {
            Some(Renewal::CountsAnew)
        } else if line.ms_since(bar) > AHEAD_MS {
            Some(Renewal::Ahead)
        } else if lost_to.is_some_and(|winner| winner.time > now) {
            Some(Renewal::LostToTheFuture)
        } else {
            None
        }
    }

    /// The wall time at which the authorisation ends, however often the session is renewed.
    pub fn authorised_until(&self) -> WallTime {
        self.base.plus_ms(self.expires.ms_since(self.anchor))
    }

    fn line_at_most(&self, sent_elapsed_ms: u64, now: WallTime) -> WallTime {
        self.anchor.plus_ms(sent_elapsed_ms.min(now.ms_since(self.base)))
    }
}

/// Why a session needs a fresh token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// Its line is more than [`BEHIND_MS`] behind the node: its clock stood still, or it slept.
    Behind,
    /// Its line is more than [`AHEAD_MS`] ahead of the node and of all shown.
    Ahead,
    /// Its line is more than [`ANEW_MS`] below its own register: the player began to count again.
    CountsAnew,
    /// It lost to a stamp that lies ahead of the node.
    LostToTheFuture,
}

/// A duration in whole milliseconds, or the most there are.
pub(super) fn whole_ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::playback::slot;

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);
    const HOUR_MS: u64 = 3_600_000;

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn stamp(time: WallTime, writer: SessionId) -> Stamp {
        Stamp { time, counter: 9, writer: *writer.as_bytes() }
    }

    pub(in crate::playback) fn opened_at(now: WallTime, shown: &Shown) -> Claims {
        let title = TitleId::parse("ann", "film").expect("both are ids");
        Claims::open(title, id(1), None, Rights::ALL, shown, now, &Policy::default())
    }

    fn shown(registers: &[(Slot, Stamp)]) -> Shown {
        Shown::to(id(1), registers, None)
    }

    #[test]
    fn an_anchor_is_above_all_that_was_shown_whatever_the_nodes_clock_says() {
        let ahead = NOW.plus_ms(2_000);
        let check = |registers: &[(Slot, Stamp)], anchor| {
            assert_eq!(shown(registers).anchor(NOW), anchor, "{registers:?}");
        };
        check(&[], NOW);
        check(&[(slot::session(id(2)), stamp(NOW.minus_ms(5), id(2)))], NOW);
        check(&[(slot::session(id(2)), stamp(ahead, id(2)))], ahead.plus_ms(1));
        check(&[(slot::WATCHED, stamp(ahead, id(2)))], ahead.plus_ms(1));
        check(&[(FENCE, stamp(ahead, id(2)))], ahead.plus_ms(1));
        let profile_fence = Some(stamp(ahead, id(2)));
        assert_eq!(Shown::to(id(1), &[], profile_fence).anchor(NOW), ahead.plus_ms(1));
    }

    #[test]
    fn what_a_fence_has_erased_is_not_shown() {
        let registers = [(slot::session(id(2)), stamp(NOW, id(2))), (FENCE, stamp(NOW.plus_ms(1), id(9)))];
        assert_eq!(shown(&registers).greatest, None);
        assert_eq!(shown(&registers).others, None);
    }

    #[test]
    fn a_session_has_seen_the_places_of_others_and_not_its_own() {
        let registers = [
            (slot::session(id(1)), stamp(NOW.plus_ms(9), id(1))),
            (slot::glimpse(id(2)), stamp(NOW.plus_ms(5), id(2))),
            (slot::completed(id(3)), stamp(NOW.plus_ms(7), id(3))),
        ];
        let shown = shown(&registers);
        assert_eq!(shown.own, Some(registers[0].1));
        assert_eq!(shown.others, Some(registers[1].1));
        assert_eq!(shown.greatest, Some(registers[0].1));
    }

    #[test]
    fn a_session_opens_at_its_first_anchor_and_keeps_that_moment() {
        let ahead = NOW.plus_ms(4_000);
        let claims = opened_at(NOW, &shown(&[(slot::WATCHED, stamp(ahead, id(9)))]));
        assert_eq!(claims.opened, ahead.plus_ms(1));
        assert_eq!(claims.base, NOW);
        let fresh = claims.renewed(60_000, &Shown::default(), NOW.plus_ms(60_000)).expect("authorised");
        assert_eq!((fresh.opened, fresh.session), (claims.opened, claims.session));
    }

    #[test]
    fn a_renewed_line_begins_above_where_the_old_one_has_got_to() {
        // The anchor lies a minute ahead, because something shown did.
        let claims = opened_at(NOW, &shown(&[(slot::WATCHED, stamp(NOW.plus_ms(60_000), id(9)))]));
        let later = NOW.plus_ms(10_000);
        let fresh = claims.renewed(9_000, &Shown::default(), later).expect("authorised");
        assert_eq!(fresh.anchor, claims.anchor.plus_ms(9_001));
        assert_eq!(fresh.base, later);
        // A clock that runs wild takes the line no further than the node's own time has gone.
        let wild = claims.renewed(9_000_000, &Shown::default(), later).expect("authorised");
        assert_eq!(wild.anchor, claims.anchor.plus_ms(10_001));
    }

    #[test]
    fn no_number_of_renewals_outlives_the_authorisation() {
        let first = opened_at(NOW, &shown(&[(slot::WATCHED, stamp(NOW.plus_ms(HOUR_MS), id(9)))]));
        let end = NOW.plus_ms(24 * HOUR_MS);
        assert_eq!(first.authorised_until(), end);
        let mut claims = first;
        for hour in 1..=24 {
            let now = NOW.plus_ms(hour * HOUR_MS);
            claims = claims.renewed(HOUR_MS, &Shown::default(), now).expect("authorised to the last moment");
            assert_eq!(claims.authorised_until(), end);
        }
        assert_eq!(claims.renewed(1, &Shown::default(), end.plus_ms(1)), None);
    }

    #[test]
    fn a_session_is_renewed_when_behind_ahead_anew_or_lost_to_the_future_and_only_then() {
        let claims = opened_at(NOW, &Shown::default());
        let own = |time| shown(&[(slot::session(id(1)), stamp(time, id(1)))]);
        let check = |sent_ms, shown: Shown, lost_to: Option<WallTime>, after_ms, expected| {
            let lost_to = lost_to.map(|time| stamp(time, id(2)));
            let found = claims.needs_renewal(sent_ms, &shown, lost_to, NOW.plus_ms(after_ms));
            assert_eq!(found, expected, "{sent_ms} {shown:?} {lost_to:?} {after_ms}");
        };
        check(10_000, own(NOW.plus_ms(10_000)), None, 10_020, None);
        check(10_000, Shown::default(), None, 70_000, None);
        check(10_000, Shown::default(), None, 70_001, Some(Renewal::Behind));
        check(12_000, Shown::default(), None, 10_000, None);
        check(12_001, Shown::default(), None, 10_000, Some(Renewal::Ahead));
        // Ahead of the node, and not of what is shown: a fresh line would begin no earlier.
        check(12_001, own(NOW.plus_ms(10_001)), None, 10_000, None);
        check(1_000, own(NOW.plus_ms(6_000)), None, 6_500, None);
        check(1_000, own(NOW.plus_ms(6_001)), None, 6_500, Some(Renewal::CountsAnew));
        check(10_000, Shown::default(), Some(NOW.plus_ms(10_000)), 10_000, None);
        check(10_000, Shown::default(), Some(NOW.plus_ms(10_001)), 10_000, Some(Renewal::LostToTheFuture));
    }
}
