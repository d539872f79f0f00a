//! The `playmark` program: one node, and what an operator needs around it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
