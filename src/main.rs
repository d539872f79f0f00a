//! The `playmark` program: one node, and what an operator needs around it.

mod cli;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Many threads take memory that others give back; the system's own allocator lets them wait for each other.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run()
}
