//! A device that plays what it has kept, and tells of it when it is online again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep};

use super::{
    film::Film,
    habits::Clocks,
    player::{Player, ms},
};
use crate::api::{Away, AwayClocks, AwaySession, Event, Heartbeat};

/// Samples that a device keeps; of more it keeps the later ones, since each says all that those before it said.
const SAMPLES_MAX: usize = 512;

/// A session that began without a node.
#[derive(Debug)]
pub(super) struct Offline {
    session: String,
    clocks: Clocks,
    began: Instant,
    samples: Vec<Heartbeat>,
}

impl Offline {
    /// Watches for so long, from `position` on.
    pub(super) async fn watch(
        film: Film,
        session: String,
        clocks: Clocks,
        position: Duration,
        (interval, until): (Duration, Duration),
    ) -> Self {
        let began = Instant::now();
        let mut player = Player::start("".into(), began, film.length(), position, began);
        let mut samples = Vec::new();
        while began.elapsed() + interval < until {
            sleep(interval).await;
            samples.push(player.sample(Event::Playing, Instant::now()));
        }
        sleep(until.saturating_sub(began.elapsed())).await;
        samples.push(player.sample(Event::Stopped, Instant::now()));
        samples.drain(..samples.len().saturating_sub(SAMPLES_MAX));
        Self { session, clocks, began, samples }
    }

    /// What it says first: that there was a session, and what its clocks say.
    pub(super) fn announce(&self, film: Film, device: &str) -> Away {
        #[expect(clippy::disallowed_methods, reason = "a device has a wall clock of its own, and this is it")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = |at: Duration| i64::try_from(at.as_millis()).unwrap_or(i64::MAX) + self.clocks.off_ms;
        let since = self.began.elapsed();
        let last = self.samples.last().map_or(0, |sample| sample.elapsed_ms);
        Away {
            profile: film.profile(),
            clocks: Some(AwayClocks {
                clock: if self.clocks.counts_sleep { "boot" } else { "active" },
                sent_at_ms: wall(now),
            }),
            sessions: vec![AwaySession {
                content: film.content(),
                session: self.session.clone(),
                device: device.to_owned(),
                elapsed_ms: last,
                sent_elapsed_ms: ms(since),
                occurred_at_ms: wall(now.saturating_sub(since)),
            }],
            ..Away::default()
        }
    }

    /// What it says then: all that it has kept, under the token that it was given.
    pub(super) fn tell(&self, film: Film, token: &str) -> Away {
        let under = |sample: &Heartbeat| Heartbeat {
            token: token.into(),
            sent_elapsed_ms: ms(self.began.elapsed()),
            ..sample.clone()
        };
        let heartbeats = self.samples.iter().map(under).collect();
        Away { profile: film.profile(), heartbeats, ..Away::default() }
    }

    /// Where the viewer was at the end.
    pub(super) fn position_ms(&self) -> u64 {
        self.samples.last().map_or(0, |sample| sample.position_ms)
    }
}
