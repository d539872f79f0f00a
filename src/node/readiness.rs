//! How far the replica has caught up, as the driver tells it and everybody may look it up.

use crate::crdt::Monotonic;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use crate::replica::Readiness;

/// How long nobody who has caught up is met before an operator is told: a start of several nodes one after
/// the other, and no more than anyone waits before looking into the log.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// What an operator is told where a node may wait for ever.
const NOBODY_FOUNDS: &str = "this node is fresh, and no node that it reaches has caught up: if the cluster is \
    new, start exactly one of its nodes with --found; if it is not, look why its peers are not reached";

/// The last that was told; cheap to look at, by every request.
#[derive(Clone, Debug)]
pub(super) struct Board(Arc<AtomicU8>);

impl Board {
    pub(super) fn of(readiness: Readiness) -> Self {
        Self(Arc::new(AtomicU8::new(number(readiness))))
    }

    pub(super) fn read(&self) -> Readiness {
        match self.0.load(Ordering::Acquire) {
            0 => Readiness::CaughtUp,
            1 => Readiness::CatchingUp,
            2 => Readiness::Searching,
            _ => Readiness::Unfounded,
        }
    }
}

fn number(readiness: Readiness) -> u8 {
    match readiness {
        Readiness::CaughtUp => 0,
        Readiness::CatchingUp => 1,
        Readiness::Searching => 2,
        Readiness::Unfounded => 3,
    }
}

/// Puts on the board what the replica says after each turn, and in the log what a person should know.
#[derive(Debug)]
pub(super) struct Teller {
    board: Board,
    last: Readiness,
    since: Monotonic,
    is_told: bool,
}

impl Teller {
    pub(super) fn new(board: Board) -> Self {
        Self { last: board.read(), board, since: Monotonic::default(), is_told: false }
    }

    pub(super) fn tell(&mut self, readiness: Readiness, now: Monotonic) {
        if readiness != self.last {
            (self.last, self.since) = (readiness, now);
            self.board.0.store(number(readiness), Ordering::Release);
            match readiness {
                Readiness::CaughtUp => tracing::info!("caught up: players are served"),
                Readiness::CatchingUp => tracing::info!("catching up with a peer"),
                Readiness::Searching => tracing::info!("no peer that has caught up is reached"),
                Readiness::Unfounded => {}
            }
        }
        if readiness == Readiness::Unfounded && !self.is_told && now.since(self.since) >= TELL_AFTER {
            self.is_told = true;
            tracing::warn!("{NOBODY_FOUNDS}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_shows_the_last_that_was_told() {
        let board = Board::of(Readiness::Unfounded);
        let mut teller = Teller::new(board.clone());
        for readiness in [
            Readiness::Unfounded,
            Readiness::CatchingUp,
            Readiness::Searching,
            Readiness::Unfounded,
            Readiness::CaughtUp,
        ] {
            teller.tell(readiness, Monotonic::default());
            assert_eq!(board.read(), readiness);
        }
    }
}
