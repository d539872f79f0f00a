//! A player: where the playhead is, and what it reports of it.
//!
//! Pure: time is handed in. It keeps the two rules that make a report mean the same at every node and for every
//! retry. A sample stays under the token it was taken under, with the time elapsed from the asking for that
//! token. And a report without movement repeats the elapsed time of the last movement, so that a television left paused
//! never beats the telephone that went on.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::api::{Event, Heartbeat};

/// A session that has played less does not say where the viewer is.
const ENGAGED: Duration = Duration::from_secs(3);

/// One session on one device.
#[derive(Clone, Debug)]
pub(super) struct Player {
    token: Token,
    seq: u32,
    duration: Duration,
    playhead: Playhead,
    // Where the playhead last moved, and when: what resting reports repeat.
    moved_at: Instant,
    // When playing time was last added up.
    counted_at: Instant,
    played: Duration,
    // The viewer chose a place in this session.
    deliberate: bool,
}

#[derive(Clone, Debug)]
struct Token {
    text: Arc<str>,
    asked_at: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Playhead {
    Resting { at: Duration },
    Moving { from: Duration, since: Instant },
}

impl Player {
    /// A player that begins to play at `position`, under a token that was asked for at `asked_at`.
    pub(super) fn start(
        token: Arc<str>,
        asked_at: Instant,
        duration: Duration,
        position: Duration,
        now: Instant,
    ) -> Self {
        Self {
            token: Token { text: token, asked_at },
            seq: 0,
            duration,
            playhead: Playhead::Moving { from: position.min(duration), since: now },
            moved_at: now,
            counted_at: now,
            played: Duration::ZERO,
            deliberate: false,
        }
    }

    /// Where the playhead is.
    pub(super) fn position(&self, now: Instant) -> Duration {
        match self.playhead {
            Playhead::Resting { at } => at,
            Playhead::Moving { from, since } => (from + now.duration_since(since)).min(self.duration),
        }
    }

    /// The title is over.
    pub(super) fn at_end(&self, now: Instant) -> bool {
        self.position(now) == self.duration
    }

    /// This session says where the viewer is: what it reports is what a reader is told.
    pub(super) fn is_engaged(&self) -> bool {
        self.deliberate || self.played >= ENGAGED
    }

    /// Takes a sample at `now`, and moves the playhead as the event says.
    pub(super) fn sample(&mut self, event: Event, now: Instant) -> Heartbeat {
        let position = self.position(now);
        if let Playhead::Moving { .. } = self.playhead {
            self.played += now.duration_since(self.counted_at);
            self.moved_at = now;
        }
        self.counted_at = now;
        self.playhead = match event {
            Event::Playing | Event::Seeked => Playhead::Moving { from: position, since: now },
            Event::Paused | Event::Stopped | Event::Ended | Event::Failed => {
                Playhead::Resting { at: position }
            }
        };
        self.seq += 1;
        Heartbeat {
            token: Arc::clone(&self.token.text),
            seq: self.seq,
            elapsed_ms: ms(self.moved_at.duration_since(self.token.asked_at)),
            sent_elapsed_ms: ms(now.duration_since(self.token.asked_at)),
            position_ms: ms(position),
            duration_ms: ms(self.duration),
            event,
            played_ms: ms(self.played),
            deliberate: self.deliberate,
        }
    }

    /// The viewer chooses a place; that is movement too. Playing goes on from there.
    pub(super) fn seek(&mut self, to: Duration, now: Instant) -> Heartbeat {
        if let Playhead::Moving { .. } = self.playhead {
            self.played += now.duration_since(self.counted_at);
        }
        self.counted_at = now;
        self.deliberate = true;
        self.playhead = Playhead::Moving { from: to.min(self.duration), since: now };
        self.sample(Event::Seeked, now)
    }

    /// Stands still at a place that nobody chose, as a player does before it has found out where to begin.
    pub(super) fn rest_at(&mut self, at: Duration) {
        self.playhead = Playhead::Resting { at };
    }

    /// Playing goes on where it rested.
    pub(super) fn resume(&mut self, now: Instant) {
        self.playhead = Playhead::Moving { from: self.position(now), since: now };
        self.counted_at = now;
    }

    /// When the token in use was asked for, which is what a report's times count from.
    pub(super) fn asked_at(&self) -> Instant {
        self.token.asked_at
    }

    /// Goes on under another token, given in the answer to a request that was sent at `asked_at`.
    ///
    /// Elapsed time counts from then on. An answer to a request older than the token in use is ignored.
    pub(super) fn adopt(&mut self, token: Arc<str>, asked_at: Instant) {
        if asked_at > self.token.asked_at {
            self.token = Token { text: token, asked_at };
            // The last movement was made under the old token; under the new one it can be no earlier than its beginning.
            self.moved_at = self.moved_at.max(asked_at);
        }
    }
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a lab runs for less than half a billion years")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(now: Instant) -> Player {
        Player::start("first".into(), now, Duration::from_hours(1), Duration::from_mins(1), now)
    }

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_moving_playhead_is_reported_with_the_time_it_was_sampled_at() {
        let now = Instant::now();
        let mut player = player(now);
        let heartbeat = player.sample(Event::Playing, now + s(2));
        assert_eq!((heartbeat.seq, heartbeat.position_ms), (1, 62_000));
        assert_eq!((heartbeat.elapsed_ms, heartbeat.played_ms), (2_000, 2_000));
        assert!(!player.is_engaged());
        player.sample(Event::Playing, now + s(3));
        assert!(player.is_engaged());
    }

    #[test]
    fn a_report_without_movement_repeats_the_elapsed_time_of_the_last_movement() {
        let now = Instant::now();
        let mut player = player(now);
        player.sample(Event::Paused, now + s(5));
        let heartbeat = player.sample(Event::Stopped, now + s(500));
        assert_eq!((heartbeat.elapsed_ms, heartbeat.sent_elapsed_ms), (5_000, 500_000));
        assert_eq!((heartbeat.position_ms, heartbeat.played_ms), (65_000, 5_000));
    }

    #[test]
    fn a_seek_is_deliberate_and_playing_goes_on_from_there() {
        let now = Instant::now();
        let mut player = player(now);
        let heartbeat = player.seek(s(1_000), now + s(1));
        assert_eq!(
            (heartbeat.position_ms, heartbeat.played_ms, heartbeat.elapsed_ms),
            (1_000_000, 1_000, 1_000)
        );
        assert!(heartbeat.deliberate && player.is_engaged());
        assert_eq!(player.sample(Event::Playing, now + s(3)).position_ms, 1_002_000);
    }

    #[test]
    fn under_another_token_the_count_goes_on_and_elapsed_begins_anew() {
        let now = Instant::now();
        let mut player = player(now);
        player.sample(Event::Playing, now + s(10));
        player.adopt("second".into(), now + s(10));
        player.adopt("late".into(), now + s(9));
        let heartbeat = player.sample(Event::Playing, now + s(11));
        assert_eq!((&*heartbeat.token, heartbeat.seq, heartbeat.elapsed_ms), ("second", 2, 1_000));
    }

    #[test]
    fn a_playhead_stops_at_the_end_of_the_title() {
        let now = Instant::now();
        let player = player(now);
        assert_eq!(player.position(now + s(5_000)), s(3_600));
        assert!(player.at_end(now + s(3_540)) && !player.at_end(now + s(3_539)));
    }
}
