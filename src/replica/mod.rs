//! Who tells whom: a replica as a state machine without any input or output of its own.
//!
//! The problem: replicas must end equal although frames are lost, repeated, reordered and cut off, and
//! nobody keeps a queue for anybody. The mechanism is delta replication by spans (Almeida, Shoker, Baquero
//! 2018; van Renesse et al. 2008): a replica **subscribes** to a peer with its vector, the peer reads its
//! change index from there on and sends what *stands* at each place, and the subscriber moves its vector
//! when a span is whole. Live traffic, lag, a healed partition and a relay through a third replica are one path.
//!
//! ```text
//!        subscriber                                    feeder
//!   Subscribe { after: vector }  ───────────────▶  opens a feed, a cursor for each origin
//!   merges at once               ◀───────────────  Part { number, delta }        (bounded)
//!   vector moves with the last   ◀───────────────  Part { number, delta, upto }
//!   Ack { number, synced }       ───────────────▶  room for further parts
//! ```
//!
//! A **hole**, a write that the vector claims and the registers lack, is the one thing that must never
//! exist, because nobody asks again for what a vector covers. Five rules keep holes out:
//!
//! 1. Messages are built from committed state only: `handle_*` takes notes, [`Replica::poll_transmit`] builds.
//! 2. An entry of the index is answered with what stands in its place: the register under its key,
//!    whoever's it is, or, where that was pruned or erased, the fence of its profile and the title's kept
//!    registers. Never skipped, unless a later
//!    entry of the same origin and key is inside the same span.
//! 3. Each item names the position it answers for, and the subscriber logs that position even where the
//!    merge changed nothing, so that it can feed others.
//! 4. Parts merge at once, the vector moves with the last; `upto` is the feeder's vector when the last part
//!    is read. A new subscription starts from the vector; a cursor into an unfinished span is worth
//!    something only at the feeder, and on the link, that it comes from.
//! 5. An entry goes only when a later entry of the same origin and key is at or below the vector.
//!
//! A replica that was away, or was never here, says that it does not know, until it has caught up: `readiness`.
//!
//! A register can come before the vector covers it, and its writer can lose the tail that would have; what
//! then becomes of it is told in `early`.
//!
//! What was refused: an outbox for each peer (it grows with the slowest), acknowledgements that drive
//! retransmission of single writes (the vector says it all), and trust in arrival order.

mod answers;
mod audit;
mod choice;
mod cursor;
mod early;
mod feed;
mod handle;
mod intake;
mod machine;
mod message;
mod peer;
pub mod plan;
mod poll;
mod readiness;
mod stage;
mod told;
pub mod wire;

pub use audit::{COMPARE_EVERY_MAX, COMPARE_SOON, Compare, Findings, Leaf, Shards, Step, Sum};
pub use cursor::LISTED_MAX;
pub use early::ENTER_AGAIN_AFTER;
pub use feed::{PART_BYTES_MAX, WINDOW_PARTS};
pub use handle::HandleError;
pub use machine::{Committed, Leaving, Linger, Options, Replica, Retain, Transmit, WriteError};
pub use message::{Ack, Delta, Item, Message, Part, Status, Subscribe};
pub use peer::{PeerMisbehaved, PeerView};
pub use readiness::{ALONE_AFTER, Beginning, Readiness, never_caught_up};

#[cfg(test)]
mod tests;
