//! What the answer to a heartbeat should tell its player, once the turn is committed.

use crate::{
    crdt::{Stamp, WallTime},
    playback::{Claims, Renewal, ResumePoint, Title},
};

/// What the answer to a heartbeat brings besides the acknowledgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Whether another session stands above the heartbeat.
    pub lost: bool,
    /// Where the viewer is, for a player that lost or begins a fresh line, and may know.
    pub resume: Option<ResumePoint>,
    /// Claims to be signed: the same session on a fresh line.
    pub fresh: Option<(Claims, Renewal)>,
}

/// Judges the state after a heartbeat's turn from where its player stands (R7, R17).
///
/// `title` is its committed state after the turn and `point` what that comes to, `stamp` the heartbeat's own and `sent_elapsed_ms` the
/// player's clock when it sent. A player without the right to read is told that it lost and never where
/// to.
pub fn answer(
    claims: &Claims,
    stamp: Stamp,
    sent_elapsed_ms: u64,
    title: &Title,
    point: Option<&ResumePoint>,
    now: WallTime,
) -> Answer {
    let shown = title.shown_to(claims.session);
    // What leaves nothing does not compete.
    let leaves_nothing = claims.incognito || title.scope.settings.paused;
    let rival = point.filter(|_| !leaves_nothing);
    let lost_by = rival.and_then(|point| point.lost_by(claims.session, stamp));
    let renewal = claims.needs_renewal(sent_elapsed_ms, &shown, lost_by, now);
    let fresh = renewal.and_then(|why| Some((claims.renewed(sent_elapsed_ms, &shown, now)?, why)));
    let tell = claims.rights.read && (lost_by.is_some() || fresh.is_some());
    Answer { lost: lost_by.is_some(), resume: point.filter(|_| tell).cloned(), fresh }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{Dot, Register, Slot, TitleId},
        playback::{
            Policy, Rights, Sample, Scope, SessionId, Settings, Shown, sample::tests::playing,
            session::tests::opened_at, slot,
        },
    };

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);

    fn stands(session: SessionId, time: WallTime) -> (Slot, Register) {
        let slot = slot::session(session);
        let key = TitleId::parse("ann", "film").expect("both are ids").key(slot);
        let stamp = Stamp { time, counter: 1, writer: *session.as_bytes() };
        let value = Sample { played_ms: 60_000, ..playing(5_000) }.encode();
        (slot, Register::seal(&key, stamp, Dot::default(), value))
    }

    fn point(title: &Title) -> Option<ResumePoint> {
        title.resume(&Policy::default())
    }

    fn answered(rights: Rights, other_at: WallTime) -> Answer {
        let claims = Claims { rights, ..opened_at(NOW, &Shown::default()) };
        let own = stands(claims.session, NOW.plus_ms(10_000));
        let registers = vec![own.clone(), stands(SessionId::from_bytes([9; 16]), other_at)];
        let title = Title { registers, scope: Scope::default() };
        let now = NOW.plus_ms(10_000);
        answer(&claims, own.1.stamp, 10_000, &title, point(&title).as_ref(), now)
    }

    #[test]
    fn a_winning_heartbeat_is_told_nothing() {
        let answer = answered(Rights::ALL, NOW.plus_ms(9_000));
        assert_eq!(answer, Answer { lost: false, resume: None, fresh: None });
    }

    #[test]
    fn losing_alone_brings_the_place_and_no_fresh_line() {
        // Stamps of two live sessions lie close together; the node's clock is at the heartbeat's own.
        let claims = opened_at(NOW, &Shown::default());
        let registers = vec![
            stands(claims.session, NOW.plus_ms(900)),
            stands(SessionId::from_bytes([9; 16]), NOW.plus_ms(950)),
        ];
        let stamp = registers[0].1.stamp;
        let title = Title { registers, scope: Scope::default() };
        let answer = answer(&claims, stamp, 1_000, &title, point(&title).as_ref(), NOW.plus_ms(1_000));
        assert!(answer.lost && answer.fresh.is_none());
        assert_eq!(answer.resume.expect("may read").place.stamp.time, NOW.plus_ms(950));
    }

    #[test]
    fn losing_to_the_future_brings_a_line_above_it() {
        let ahead = NOW.plus_ms(3_600_000);
        let answer = answered(Rights::ALL, ahead);
        let (fresh, why) = answer.fresh.expect("renewed");
        assert_eq!((fresh.anchor, why), (ahead.plus_ms(1), Renewal::LostToTheFuture));
        assert!(answer.lost && answer.resume.is_some());
    }

    #[test]
    fn a_player_of_a_profile_that_has_paused_has_lost_to_nobody() {
        let claims = opened_at(NOW, &Shown::default());
        let registers = vec![stands(SessionId::from_bytes([9; 16]), NOW.plus_ms(3_600_000))];
        let settings = Settings { paused: true, ..Settings::default() };
        let title = Title { registers, scope: Scope { settings, ..Scope::default() } };
        let stamp = Stamp { time: NOW, counter: 1, writer: *claims.session.as_bytes() };
        let answer = answer(&claims, stamp, 0, &title, point(&title).as_ref(), NOW);
        assert_eq!(answer, Answer { lost: false, resume: None, fresh: None });
    }

    #[test]
    fn an_incognito_player_has_lost_to_nobody() {
        let claims = Claims { incognito: true, ..opened_at(NOW, &Shown::default()) };
        let registers = vec![stands(SessionId::from_bytes([9; 16]), NOW.plus_ms(3_600_000))];
        let title = Title { registers, scope: Scope::default() };
        let stamp = Stamp { time: NOW, counter: 1, writer: *claims.session.as_bytes() };
        let answer = answer(&claims, stamp, 0, &title, point(&title).as_ref(), NOW);
        assert_eq!(answer, Answer { lost: false, resume: None, fresh: None });
    }

    #[test]
    fn a_player_that_may_not_read_is_told_that_it_lost_and_never_where_to() {
        let answer = answered(Rights { read: false, write: true }, NOW.plus_ms(3_600_000));
        assert!(answer.lost && answer.resume.is_none());
        assert_eq!(answer.fresh.expect("renewed").0.seen, None);
    }
}
