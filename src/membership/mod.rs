//! Who is there: the replicas that have been met, and which of them can be reached.
//!
//! The problem: a replica set grows, loses machines and is cut in two, and no operator wants to name every node in
//! the configuration of every other. The mechanism is SWIM (Das, Gupta, Motivala 2002) by way of `foca`: each
//! member asks another, drawn at random, for a sign of life; one that gives none, not even to others that are
//! asked to try, is *suspected*, and is *down* unless it objects. What is learnt rides on these same messages.
//!
//! ```text
//!              link up            no sign of life           no objection
//!  unknown ────────────▶ alive ───────────────────▶ suspect ─────────────▶ down
//!                          ▲                            │                    │
//!                          └──── it objects ────────────┘                    │
//!                          └──── another life, or a renewed one ◀────────────┘
//! ```
//!
//! It says where others are and whether they answer, and nothing else: no data rides on it, and nothing that it
//! says may lose data. A member that is down is still dialled, for ever and a day: two halves of a set that
//! have declared each other down must find each other again by themselves ([`FORGOTTEN_AFTER`]).
//!
//! What was refused: reacting to the *edges*, member up and member down, since one that is missed loses a member for
//! good. Whoever uses this looks at the whole list, each time it has changed.

mod codec;
mod known;
mod machine;
mod member;

pub use codec::{CodecError, MEMBER_BYTES_MAX};
pub use known::{FORGOTTEN_AFTER, Kept, KeptError, Known, MEMBERS_MAX, Members, Reach};
pub use machine::{DATAGRAM_BYTES_MAX, Membership, Misspoken, PROBE_EVERY, SUSPECT_FOR};
pub use member::{ADDRESS_BYTES_MAX, Member, NAME_BYTES_MAX};
