//! What the answer to a heartbeat should tell its player, once the turn is committed.

use crate::{
    crdt::{Register, Slot, Stamp, WallTime},
    playback::{Claims, Policy, Renewal, ResumePoint, Shown, resume},
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
/// `registers` and `profile_fence` are the title's committed state after the turn, `stamp` the
/// heartbeat's own and `sent_elapsed_ms` the player's clock when it sent. A player without the right to
/// read is told that it lost and never where to.
pub fn answer(
    claims: &Claims,
    stamp: Stamp,
    sent_elapsed_ms: u64,
    registers: &[(Slot, Register)],
    profile_fence: Option<Stamp>,
    now: WallTime,
    policy: &Policy,
) -> Answer {
    let stamps: Vec<_> = registers.iter().map(|(slot, register)| (*slot, register.stamp)).collect();
    let shown = Shown::to(claims.session, &stamps, profile_fence);
    let point = resume(registers, profile_fence, policy);
    let lost_by = point.as_ref().and_then(|point| point.lost_by(claims.session, stamp));
    let renewal = claims.needs_renewal(sent_elapsed_ms, &shown, lost_by, now);
    let fresh = renewal.and_then(|why| Some((claims.renewed(sent_elapsed_ms, &shown, now)?, why)));
    let tell = claims.rights.read && (lost_by.is_some() || fresh.is_some());
    Answer { lost: lost_by.is_some(), resume: point.filter(|_| tell), fresh }
}
