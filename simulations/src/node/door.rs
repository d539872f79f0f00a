//! The door: what a node does with a player's request before the replica sees it, and after.

use playmark::{
    crdt::WallTime,
    playback::{Accepted, Claims, Known, Outcome, Policy, Refused, Rights, Sender, accept},
    zoo::{Bug, planted},
};

use crate::{
    disk::Disk,
    request::{Open, Report},
};

/// Judges a report by the title's committed fence.
pub(super) fn admit(report: &Report, disk: &Disk, wall: WallTime) -> Result<Accepted, Refused> {
    let known = Known { fence: disk.platter().found(&report.claims.title).fence(), ..Known::default() };
    let sender = Sender::Signed(&report.claims);
    let mut accepted = accept(&report.heartbeat, sender, known, wall, &Policy::default())?;
    if planted(Bug::StampClampedToNow)
        && let Outcome::Write { place, .. } = &mut accepted.outcome
    {
        place.stamp.time = place.stamp.time.max(wall);
    }
    Ok(accepted)
}

/// Opens a session, or gives a running one a fresh token; `None` where its authorisation has run out.
pub(super) fn open(open: &Open, disk: &Disk, wall: WallTime) -> Option<Claims> {
    let shown = disk.platter().found(&open.title).shown_to(open.session);
    if let Some((claims, sent_elapsed_ms)) = &open.running {
        return claims.renewed(*sent_elapsed_ms, &shown, wall);
    }
    let (title, session) = (open.title.clone(), open.session);
    let mut claims = Claims::open(title, session, None, Rights::ALL, &shown, wall, &Policy::default());
    if planted(Bug::AnchorFromWallAlone) {
        claims.anchor = wall;
    }
    Some(claims)
}
