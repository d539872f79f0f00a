//! When a sample was taken, and what that is known from.

use crate::{
    crdt::{Stamp, WallTime},
    playback::{Claims, Device, Refused, Sample, Series, TimeQuality},
};

/// When a sample was taken, and what comes with that knowledge.
pub(super) struct Moment {
    /// On the replica set's time line.
    pub(super) time: WallTime,
    /// How far that is to be trusted.
    pub(super) quality: TimeQuality,
    /// When the session opened: what dates its completion.
    pub(super) opened: WallTime,
    /// Whether no token says so, and the sample has to.
    pub(super) opened_here: bool,
    /// What the writer had been shown.
    pub(super) seen: Option<Stamp>,
    /// On what the session was opened.
    pub(super) device: Option<Device>,
    /// To which series the session said that its title belongs.
    pub(super) series: Option<Series>,
}

impl Moment {
    /// By the player's count from the signed anchor (R2); where it has none, by its arrival (R3).
    ///
    /// Expiry is judged by the sample, however late it comes.
    pub(super) fn signed(
        claims: &Claims,
        elapsed_ms: Option<u64>,
        current: Option<(Stamp, &Sample)>,
        now: WallTime,
    ) -> Result<Self, Refused> {
        let (time, quality) = match elapsed_ms {
            Some(elapsed_ms) => (claims.anchor.plus_ms(elapsed_ms), claims.quality),
            None => (after_own(current, now).max(claims.anchor), TimeQuality::Arrival),
        };
        let in_time = match elapsed_ms {
            Some(_) => time <= claims.expires,
            None => now <= claims.authorised_until(),
        };
        if !in_time {
            return Err(Refused::Expired);
        }
        Ok(Self {
            time,
            quality,
            opened: claims.opened,
            opened_here: false,
            seen: claims.seen,
            device: claims.device.clone(),
            series: claims.series.clone(),
        })
    }

    /// By its arrival, with nobody's word for anything.
    pub(super) fn of_arrival(current: Option<(Stamp, &Sample)>, now: WallTime) -> Self {
        Self {
            time: after_own(current, now),
            quality: TimeQuality::Arrival,
            opened: current.and_then(|(_, sample)| sample.opened).unwrap_or(now),
            opened_here: true,
            seen: None,
            device: None,
            series: None,
        }
    }

    pub(super) fn is_arrival(&self) -> bool {
        self.quality == TimeQuality::Arrival
    }
}

/// The node's wall, and above what the session has said: its own reports come in order.
fn after_own(current: Option<(Stamp, &Sample)>, now: WallTime) -> WallTime {
    current.map_or(now, |(stamp, _)| stamp.time.plus_ms(1).max(now))
}
