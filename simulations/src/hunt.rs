//! The hunt through the bug zoo: each known mistake is planted, and must be found.
#![expect(clippy::disallowed_methods, reason = "it tells how long a hunt took; no run sees it")]

use std::{
    fs, io,
    num::NonZero,
    path::Path,
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
    Kind, Scenario, Violation, Watch,
    run::{self, run},
};

/// How many seeds may pass before a bug counts as not found. The rarest needs a tenth of it.
pub const BUDGET: u64 = 20_000;

/// After so many short worlds the hunt looks at one of each other kind: some mistakes need more than a few seconds'
/// writes to show, and some are not about writes.
const OTHERS_EVERY: u64 = 50;

/// How a planted bug was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which bug.
    pub bug: Bug,
    /// The first world that saw it, and what it saw; `None` if none did within the budget.
    pub by: Option<(Kind, u64, Violation)>,
    /// How long it took.
    pub took: Duration,
}

/// The worlds of the last hunt, one a line: a bug, and the kind and seed that find it.
const KNOWN: &str = include_str!("../zoo.txt");

/// For each bug of the list, the seed that found it when the list was written.
///
/// # Panics
/// If a line is not of that form.
pub fn known() -> Vec<(Bug, Kind, u64)> {
    let lines = KNOWN.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, kind, seed) = (words.next()?, words.next()?, words.next()?);
        Some((named(name)?, Kind::named(kind)?, seed.parse().ok()?))
    };
    lines
        .map(|line| {
            parse(line)
                .unwrap_or_else(|| panic!("zoo.txt: a line is `BUG short|long|members SEED`, not `{line}`"))
        })
        .collect()
}

/// The bug of a name.
pub fn named(name: &str) -> Option<Bug> {
    Bug::ALL.into_iter().find(|bug| format!("{bug:?}").eq_ignore_ascii_case(name))
}

/// Plants a bug and runs one seed; what it saw, if the seed holds without the bug.
pub fn look(bug: Bug, kind: Kind, seed: u64, watch: Watch) -> Option<Violation> {
    let without = Scenario { watch, ..Scenario::plain(seed, kind) };
    let violation = run(Scenario { bug: Some(bug), ..without }).result.err()?;
    // What fails without the bug as well has found something else.
    run(without).result.ok().map(|()| violation)
}

/// Plants a bug and runs seeds from zero on, now and then one of another kind, until one of them fails.
pub fn hunt(bug: Bug, budget: u64, watch: Watch) -> Found {
    let began = Instant::now();
    let worlds = (0..budget).flat_map(|seed| {
        let others = if seed.is_multiple_of(OTHERS_EVERY) { &[Kind::Long, Kind::Members][..] } else { &[] };
        std::iter::once((Kind::Short, seed))
            .chain(others.iter().map(move |&kind| (kind, seed / OTHERS_EVERY)))
    });
    let by = worlds
        .map(|(kind, seed)| (kind, seed, look(bug, kind, seed, watch)))
        .find_map(|(kind, seed, seen)| seen.map(|violation| (kind, seed, violation)));
    Found { bug, by, took: began.elapsed() }
}

/// Hunts every bug, on all cores; in the order of the zoo.
///
/// # Panics
/// Never: a world that panics is caught and counts as found.
pub fn hunt_all(budget: u64, watch: Watch) -> Vec<Found> {
    run::silence_panics();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = hunt(bug, budget, watch);
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
///
/// # Errors
/// With `write`, the list for the tests is written, and that can fail.
pub fn print_table(budget: u64, watch: Watch, write: Option<&Path>) -> io::Result<ExitCode> {
    let found = hunt_all(budget, watch);
    println!("{:<26} {:>11} {:>8}  invariant", "bug", "world", "ms");
    for Found { bug, by, took } in &found {
        let (world, invariant) = match by {
            Some((kind, seed, violation)) => (format!("{kind} {seed}"), violation.invariant),
            None => ("-".into(), "NOT FOUND"),
        };
        println!("{:<26} {world:>11} {:>8}  {invariant}", format!("{bug:?}"), took.as_millis());
    }
    if let Some(path) = write {
        let line = |one: &Found| {
            let (kind, seed, _) = one.by.as_ref()?;
            Some(format!("{:?} {kind} {seed}\n", one.bug))
        };
        let lines = found.iter().filter_map(line);
        let head =
            "# Written by `cargo sim zoo --write`: each bug of the zoo, and the first world that finds it.\n";
        fs::write(path, head.to_owned() + &lines.collect::<String>())?;
    }
    let all = found.iter().all(|one| one.by.is_some());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
