//! Starts a multi-region Playmark on one machine, and gives it orders from a second terminal.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cluster::{
    control::{self, Order},
    top::{self, Top},
    up::{self, Up},
};
use tikv_jemallocator::Jemalloc;

/// Thousands of viewers take memory with each report, and the system's own allocator lets them wait for each other.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A multi-region Playmark on one machine: real processes, a WAN between them, and viewers.
#[derive(Debug, Parser)]
#[command(name = "cluster")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start everything and show what happens, until Ctrl-C.
    Up(Up),
    /// Watch the cluster in this terminal; q quits.
    Top(Top),
    #[command(flatten)]
    Order(Order),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Up(up) => up::run(up).await,
        Task::Top(show) => match control::state_dir() {
            Ok(dir) => top::run(&dir, &show).await,
            Err(error) => Err(error),
        },
        Task::Order(order) => match control::state_dir() {
            Ok(dir) => control::give(&dir, &order).await,
            Err(error) => Err(error),
        },
    };
    done.unwrap_or_else(|error| {
        eprintln!("cluster: {error:#}");
        ExitCode::FAILURE
    })
}
