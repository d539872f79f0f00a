//! The command line of the simulator; `docs/SIMULATION.md` tells more.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use playmark::zoo::Bug;
use simulations::{
    Kind, Scenario, Telling, Watch, hunt, run, suite,
    workload::{self, Population},
};

/// The real replica in virtual time.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the seeds that once failed, then new ones, on all cores.
    Run {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        kind: OfKind,
    },
    /// Runs one seed and prints every event.
    Replay {
        /// Which.
        seed: u64,
        #[command(flatten)]
        kind: OfKind,
        /// Plants a bug of the zoo.
        #[arg(long)]
        bug: Option<String>,
    },
    /// Plants every known bug in turn, and fails if one of them is not found.
    Zoo {
        /// How many seeds may pass before a bug counts as not found.
        #[arg(long, default_value_t = hunt::BUDGET)]
        budget: u64,
        /// Looks only at what a mistake leads to, not at the bookkeeping where it is made.
        #[arg(long)]
        from_outside: bool,
        /// Writes the seeds found to this file, for the tests: simulations/zoo.txt.
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Watches a population of viewers for a week, and prints how often the answer was wrong.
    Workload {
        /// How many viewers.
        #[arg(long, default_value_t = 1_000)]
        viewers: u64,
        /// The seed of all chance.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Writes the table into this page: docs/SIMULATION.md.
        #[arg(long)]
        write: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { seeds, from, kind } => suite::run_all(from, seeds, kind.kind()),
        Command::Replay { seed, kind, bug } => replay(seed, kind.kind(), bug.as_deref()),
        Command::Workload { viewers, seed, write } => {
            workload::print(Population { viewers, seed, bug: None }, write.as_deref()).unwrap_or_else(|why| {
                eprintln!("the table cannot be written: {why}");
                ExitCode::FAILURE
            })
        }
        Command::Zoo { budget, from_outside, write } => {
            let watch = if from_outside { Watch::FromOutside } else { Watch::Closely };
            hunt::print_table(budget, watch, write.as_deref()).unwrap_or_else(|why| {
                eprintln!("the seeds cannot be written: {why}");
                ExitCode::FAILURE
            })
        }
    }
}

/// Which kind of worlds.
#[derive(Args)]
struct OfKind {
    /// Fault phases of a minute, not of seconds.
    #[arg(long)]
    long: bool,
    /// Members without data, and many of them.
    #[arg(long, conflicts_with = "long")]
    members: bool,
}

impl OfKind {
    fn kind(&self) -> Kind {
        match (self.long, self.members) {
            (false, false) => Kind::Short,
            (true, _) => Kind::Long,
            (false, true) => Kind::Members,
        }
    }
}

fn replay(seed: u64, kind: Kind, bug: Option<&str>) -> ExitCode {
    let planted = bug.and_then(hunt::named);
    if let (Some(name), None) = (bug, planted) {
        eprintln!("no bug is named {name}; there are {:?}", Bug::ALL);
        return ExitCode::from(2);
    }
    let report = run(Scenario { bug: planted, telling: Telling::Lines, ..Scenario::plain(seed, kind) });
    for line in &report.lines {
        println!("{line}");
    }
    println!(
        "scenario {}, seed {seed}, trace {:016x}, {:?}",
        simulations::VERSION,
        report.digest,
        report.stats
    );
    match report.result {
        Ok(()) => ExitCode::SUCCESS,
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}
