//! What is true: clocks, stamps, registers and vectors, and the joins that make replicas agree.
//!
//! The problem: any node takes any write, messages are lost, repeated and reordered, and clocks are
//! wrong, yet every replica must end with the same registers. The mechanism is a state-based join
//! (Shapiro et al. 2011): everything stored is a last-writer-wins [`Register`] ordered by a [`Stamp`],
//! and two registers meet only in [`Register::merge`], which is commutative, associative and idempotent.
//!
//! Two times must not be confused. A [`Stamp`] says when the viewer did something, and arbitrates. A
//! [`Dot`] says when and where a replica accepted it, and only tells replicas what they still lack; its
//! version comes from a [`HybridClock`] (Kulkarni et al. 2014), so that a [`VersionVector`] can be read
//! as lag in milliseconds. Arrival order decides nothing.
//!
//! Nothing here knows a socket, a file, a runtime or the system's clock: time enters as an argument.

mod clock;
mod codec;
mod id;
mod key;
mod register;
mod time;
mod version;

pub use clock::{ClockError, DRIFT_BOUND, HybridClock, Timestamp, WallTime};
pub use codec::{DecodeError, decode, encode, encode_named};
pub use id::{IdError, Origin, Region, ReplicaId};
pub use key::{CONTENT_BYTES_MAX, ContentId, Key, PROFILE_BYTES_MAX, ProfileId, SHARDS, Slot, TitleId};
pub use register::{Dot, Merged, Register, Stamp, VALUE_BYTES_MAX};
pub use time::{Monotonic, Now};
pub use version::{Span, VersionVector};
