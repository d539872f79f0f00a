//! Real processes, a real disk and a WAN that breaks: what players see of it.
//!
//! Needs the `playmark` binary: beside this test as `cargo build -p playmark` puts it, or named by `PLAYMARK_BIN`.

mod gateways;
mod orders;
mod regions;
mod watching;
mod world;
