//! The door: what a node does with a player's request before the replica sees it, and after.

use playmark::{
    crdt::{Stamp, TitleId, WallTime},
    playback::{
        Accepted, Claims, Known, Outcome, Policy, Refused, Rights, Sender, Shown, accept, greatest_fence,
    },
    zoo::{Bug, planted},
};

use crate::{
    disk::Disk,
    request::{Open, Report},
};

/// Judges a report by the title's committed fence.
pub(super) fn admit(report: &Report, disk: &Disk, wall: WallTime) -> Result<Accepted, Refused> {
    let stamps = stamps(disk, &report.claims.title);
    let known = Known { fence: greatest_fence(&stamps, None), current: None };
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
    let shown = Shown::to(open.session, &stamps(disk, &open.title), None);
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

fn stamps(disk: &Disk, title: &TitleId) -> Vec<(playmark::crdt::Slot, Stamp)> {
    disk.platter().title(title).iter().map(|(slot, register)| (*slot, register.stamp)).collect()
}
