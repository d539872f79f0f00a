//! How much room is left where the store is, and what is done before there is none.
//!
//! A store that meets a full disk has failed, and ends this life; whoever starts it again finds the disk as full. So a
//! node stops before that: with less than its *reserve* left it takes no writes and nothing from peers, answers all
//! questions, and what it has in hand, and its store's own housekeeping, still have the reserve. When room was made it goes on where it was, and
//! its peers feed it what it has missed.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::spawn_blocking, time::interval};

/// How often it looks: a disk takes no more than a few hundred megabytes in that time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a node keeps free where nothing else is configured: what a second brings, and a compaction of the store's first level.
pub const RESERVE_BYTES: u64 = 256 * 1_024 * 1_024;

/// Whether there is too little room; cheap to look at, by every request.
#[derive(Clone, Default, Debug)]
pub(super) struct RoomBoard(Arc<Inner>);

#[derive(Default, Debug)]
struct Inner {
    is_full: AtomicBool,
    changed: Notify,
}

impl RoomBoard {
    pub(super) fn is_full(&self) -> bool {
        self.0.is_full.load(Ordering::Acquire)
    }

    /// Waits until there is room.
    pub(super) async fn until_free(&self) {
        loop {
            let changed = self.0.changed.notified();
            if !self.is_full() {
                return;
            }
            changed.await;
        }
    }

    /// Takes note of what is free. There is room again when a quarter more than the reserve is.
    fn note(&self, free: u64, reserve: u64) {
        let was_full = self.is_full();
        let is_full = if was_full { free < reserve + reserve / 4 } else { free < reserve };
        if is_full == was_full {
            return;
        }
        self.0.is_full.store(is_full, Ordering::Release);
        self.0.changed.notify_waiters();
        if is_full {
            tracing::error!(
                free,
                reserve,
                "the disk is full but for the reserve: no writes are taken until there is room"
            );
        } else {
            tracing::info!(free, "there is room again: writes are taken");
        }
    }
}

/// Looks at the room of a directory's disk for as long as somebody else holds the board.
pub(super) async fn watch(directory: PathBuf, reserve: u64, board: RoomBoard) {
    let mut looks = interval(LOOK_EVERY);
    while Arc::strong_count(&board.0) > 1 {
        looks.tick().await;
        let at = directory.clone();
        match spawn_blocking(move || free(&at)).await {
            Ok(Ok(free)) => board.note(free, reserve),
            // A disk that cannot be asked is the store's to fail by.
            Ok(Err(why)) => tracing::debug!(%why, "the room on the disk is not known"),
            Err(_) => return,
        }
    }
}

/// What a user without privileges may still write, in bytes (POSIX, `statvfs`).
fn free(directory: &PathBuf) -> io::Result<u64> {
    let of = rustix::fs::statvfs(directory)?;
    Ok(of.f_bavail.saturating_mul(of.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_more_than_the_reserve_is_free() {
        let board = RoomBoard::default();
        for (free, is_full) in
            [(101, false), (100, false), (99, true), (100, true), (124, true), (125, false)]
        {
            board.note(free, 100);
            assert_eq!(board.is_full(), is_full, "{free} free");
        }
    }

    #[test]
    fn the_disk_of_this_directory_has_some_room() {
        assert!(free(&".".into()).expect("it is there") > 0);
    }
}
