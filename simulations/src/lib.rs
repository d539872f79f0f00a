//! The real replica in virtual time: faults, invariants, an oracle and a zoo of planted bugs.
//!
//! `docs/SIMULATION.md` tells how to use it and how to read a failure.

mod disk;
pub mod hunt;
mod invariants;
mod ledger;
mod members;
mod model;
mod network;
mod node;
mod players;
mod profile;
pub mod regressions;
mod request;
mod run;
pub mod suite;
mod tell;
mod time;
mod trace;
pub mod transcript;
pub mod workload;
mod world;
mod writers;

/// The version of the scenario: raised by whatever changes what a seed means.
pub const VERSION: u32 = 5;

pub use invariants::{Violation, Watch};
pub use profile::Kind;
pub use run::{Report, Scenario, run};
pub use trace::Telling;
pub use world::Stats;
