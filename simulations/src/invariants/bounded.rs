//! Every queue, batch and message has a bound.

use playmark::replica::{Replica, WINDOW_PARTS, wire::FRAME_BYTES_MAX};

use super::Violation;
use crate::disk::Disk;

/// Checks what a replica has on the way to its subscribers.
pub(crate) fn check(replica: &Replica<Disk>) -> Result<(), Violation> {
    match replica.in_flight().find(|&(_, parts)| parts > WINDOW_PARTS) {
        None => Ok(()),
        Some((peer, parts)) => {
            Err(Violation::new("bounded", format!("{parts} parts are on their way to {peer}")))
        }
    }
}

/// Checks a frame.
pub(crate) fn check_frame(bytes: &[u8]) -> Result<(), Violation> {
    if bytes.len() <= FRAME_BYTES_MAX {
        return Ok(());
    }
    Err(Violation::new("bounded", format!("a frame has {} bytes", bytes.len())))
}
