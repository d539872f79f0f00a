//! Every queue, batch and message has a bound.

use playmark::replica::{PART_BYTES_MAX, Replica, WINDOW_PARTS, wire::FRAME_BYTES_MAX};

use super::Violation;
use crate::disk::Disk;

/// A window, what is sent for subscriptions that are made anew behind it, and statuses.
const QUEUE_BYTES_MAX: u64 = 2 * WINDOW_PARTS * PART_BYTES_MAX as u64;

/// Checks what a replica has on the way to its subscribers.
pub(crate) fn check(replica: &Replica<Disk>) -> Result<(), Violation> {
    match replica.in_flight().find(|&(_, parts)| parts > WINDOW_PARTS) {
        None => Ok(()),
        Some((peer, parts)) => {
            Err(Violation::new("bounded", format!("{parts} parts are on their way to {peer}")))
        }
    }
}

/// Checks what waits on a path, of all subscriptions that were made on its connection.
pub(crate) fn check_queue(bytes: u64) -> Result<(), Violation> {
    if bytes <= QUEUE_BYTES_MAX {
        return Ok(());
    }
    Err(Violation::new("bounded", format!("{bytes} bytes wait on one path")))
}

/// Checks a frame.
pub(crate) fn check_frame(bytes: &[u8]) -> Result<(), Violation> {
    if bytes.len() <= FRAME_BYTES_MAX {
        return Ok(());
    }
    Err(Violation::new("bounded", format!("a frame has {} bytes", bytes.len())))
}
