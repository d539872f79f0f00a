//! What a viewer means: from a player's heartbeat to a register, and from registers to a resume point.
//!
//! The problem: positions arrive late, twice and in any order, from players whose clocks are wrong, at
//! nodes that are cut off from each other; and the answer must be the place where the viewer last *was*.
//! The mechanism: a heartbeat is turned, once, into a key, a stamp and a value that are functions of
//! the request and its signed token alone, so that any node, any retry and any order give the same
//! register. Reading is a function of the registers of a title. What was refused: the last arrival, the
//! furthest position, the device's own wall clock; each of them loses a viewer's place.
//!
//! The rules are stated, with worked examples, in `docs/SEMANTICS.md`; "R5" in a comment is its rule 5.

mod accept;
mod answer;
mod coalesce;
mod command;
mod derive;
mod event;
mod explain;
mod heartbeat;
mod history;
mod list;
mod moment;
mod offline;
mod order;
mod policy;
mod progress;
mod request;
mod restore;
mod resume;
mod retain;
mod row;
mod sample;
mod series;
mod session;
mod settings;
pub mod slot;
mod title;
mod token;

pub use accept::{
    Accepted, Known, NO_PLACE_MS, Nothing, Outcome, Refused, STILL_MS, Sender, WILD_MS, Write, accept,
};
pub use answer::{Answer, answer};
pub use coalesce::coalesce;
pub use command::{Bookmark, Vantage};
pub use derive::{Began, Clock, CountsWrongly, Derived};
pub use event::{Event, Promise};
pub use explain::{Considered, Explanation, Verdict, explain};
pub use heartbeat::{Heartbeat, HeartbeatError, RATE_MAX, SPAN_MS_MAX};
pub use history::Seen;
pub use list::{Cursor, Listed, NotACursor, PAGE_DEFAULT, PAGE_MAX, Page, page};
pub use offline::{Clocks, Offline, TIME_MS_MAX};
pub use order::{Order, What};
pub use policy::{ENGAGED, End, MAX_OFFLINE_AGE, Policy, PolicyError};
pub use progress::Progress;
pub use request::{OutOfOrder, settle};
pub use restore::{NoSuchPlace, restore};
pub use resume::{Alternative, Place, ResumePoint, is_watched, plays, resume};
pub use retain::{greatest_fence, retain, retain_title};
pub use row::{Grouping, InRow, Started, row};
pub use sample::{DEVICE_CHARS_MAX, Device, Sample, TimeQuality, Watched};
pub use series::{SERIES_BYTES_MAX, Series};
pub use session::{AHEAD_MS, ANEW_MS, BEHIND_MS, Claims, Renewal, Rights, Shown};
pub use settings::Settings;
pub use slot::{SessionId, SlotKind};
pub use title::{Scope, Title};
pub use token::{SECRET_BYTES_MIN, SecretTooShort, TOKEN_CHARS_MAX, TokenError, TokenKeys};
