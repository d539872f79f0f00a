//! Laws: what must hold for all values, all orders and all repetitions.
//!
//! * [`joins`]: merging is a join, and pruning does not disturb it
//! * [`codecs`]: what is written can be read, and no input makes a decoder panic
//! * [`examples`]: the worked examples of `docs/SEMANTICS.md`, in every order of delivery
//! * [`commands`]: those in which the viewer orders something by hand
//! * [`progress`]: those in which a client has neither a clock nor a count
//! * [`stories`]: the ways in which an example is told
//! * [`players`]: who acts in the examples, and what they send
//! * [`nodes`]: the three nodes in memory on which they are acted
//! * [`offline`]: whatever a device's clocks say, its session is dated within what is possible
//! * [`turns`]: a turn that makes the greatest of each place's writes alone ends as one that makes them all
//! * [`worlds`]: what the laws draw their values from

mod codecs;
mod commands;
mod examples;
mod joins;
mod nodes;
mod offline;
mod players;
mod progress;
mod stories;
mod turns;
mod worlds;
