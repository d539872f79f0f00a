//! The hunt through the bug zoo: each known mistake is planted, and must be found.
#![expect(clippy::disallowed_methods, reason = "it tells how long a hunt took; no run sees it")]

use std::{
    num::NonZero,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use playmark::zoo::Bug;

use crate::{
    Length, Scenario, Telling, Violation,
    run::{self, run},
};

/// How many seeds may pass before a bug counts as not found. The rarest needs a tenth of it.
pub const BUDGET: u64 = 20_000;

/// How a planted bug was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which bug.
    pub bug: Bug,
    /// The first seed that saw it, and what it saw; `None` if none did within the budget.
    pub by: Option<(u64, Violation)>,
    /// How long it took.
    pub took: Duration,
}

/// Plants a bug and runs seeds from zero on, until one of them fails.
pub fn hunt(bug: Bug, budget: u64) -> Found {
    let began = Instant::now();
    let by = (0..budget).find_map(|seed| {
        let scenario = Scenario { seed, length: Length::Short, bug: Some(bug), telling: Telling::Hash };
        let violation = run(scenario).result.err()?;
        // What fails without the bug as well has found something else.
        run(Scenario { bug: None, ..scenario }).result.ok().map(|()| (seed, violation))
    });
    Found { bug, by, took: began.elapsed() }
}

/// Hunts every bug, on all cores; in the order of the zoo.
///
/// # Panics
/// Never: a world that panics is caught and counts as found.
pub fn hunt_all(budget: u64) -> Vec<Found> {
    run::silence_panics();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = hunt(bug, budget);
                    found.lock().expect("nobody panics while he holds the list").push(one);
                }
            });
        }
    });
    let mut found = found.into_inner().expect("nobody panics while he holds the list");
    found.sort_by_key(|one| one.bug);
    found
}

/// Hunts every bug, prints a table, and says whether all were found.
pub fn print_table(budget: u64) -> ExitCode {
    let found = hunt_all(budget);
    println!("{:<26} {:>6} {:>8}  invariant", "bug", "seed", "ms");
    for Found { bug, by, took } in &found {
        let (seed, invariant) = match by {
            Some((seed, violation)) => (seed.to_string(), violation.invariant),
            None => ("-".into(), "NOT FOUND"),
        };
        println!("{:<26} {seed:>6} {:>8}  {invariant}", format!("{bug:?}"), took.as_millis());
    }
    if found.iter().all(|one| one.by.is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
