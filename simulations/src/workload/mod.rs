//! How often is the answer wrong? A week of viewers, three regions, and somebody who has seen it all.
//!
//! The other worlds ask whether replicas become equal. This one asks what viewers ask: *where was I?* A
//! population of viewers goes from screen to screen and from region to region, pauses, seeks, rewinds and
//! restarts, meets players that fail and networks that lose, repeat and delay, watches offline on devices
//! whose clocks are wrong, while regions are cut off from each other. What they do does not depend on any
//! answer, so that the same requests can be put to three systems at once: the real door, replica and reader,
//! and two in which the last writer wins (`baseline`). The oracle knows the order in which things were done.
//!
//! The truth is the position of the last sample taken by a session that had played for three seconds, or in
//! which the viewer had sought or restarted on purpose. An answer is wrong if it is more than a second off.
//!
//! Viewers of one *street* share three replicas, and streets know nothing of each other: they run on all
//! cores, under the same cuts. The same seed gives the same figures.

mod baseline;
mod evening;
mod habits;
mod happening;
mod regions;
mod screen;
mod street;
mod tally;

use std::{
    fs, io,
    num::NonZero,
    path::Path,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use playmark::zoo::{Bug, plant};
pub use tally::{Score, Scores, Tally};

use self::street::Street;

/// How many viewers live in a street.
const STREET_VIEWERS: u64 = 20;
/// How many answers that were wrong are shown.
const SHOWN_MAX: usize = 10;
/// Between these two lines the table stands in a page.
const BEGINS: &str = "<!-- cargo sim workload --write begins -->\n";
const ENDS: &str = "<!-- cargo sim workload --write ends -->\n";

/// A population: how many viewers, and the seed of all chance.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    /// How many, in whole streets.
    pub viewers: u64,
    /// The seed.
    pub seed: u64,
    /// A bug of the zoo, for a test that wants to see it.
    pub bug: Option<Bug>,
}

impl Population {
    fn streets(self) -> u64 {
        self.viewers.div_ceil(STREET_VIEWERS)
    }

    /// Watches them for a week; `progress` is told how many streets of how many are done.
    ///
    /// # Panics
    /// Where a replica or a player does what it must not: a street is a test.
    pub fn watch(self, progress: impl Fn(u64, u64) + Sync) -> Tally {
        let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let streets = self.streets();
        let tallies: Vec<_> = (0..streets).map(|_| Mutex::new(Tally::default())).collect();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    plant(self.bug);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(tally) = usize::try_from(number).ok().and_then(|at| tallies.get(at)) else {
                            break;
                        };
                        *tally.lock().expect("nobody panics with it") =
                            Street::new(self.seed, number, STREET_VIEWERS).run();
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1, streets);
                    }
                });
            }
        });
        // In the order of streets, whoever was done first.
        let mut all = Tally::default();
        for tally in tallies {
            all.merge(&tally.into_inner().expect("nobody panics with it"));
        }
        all
    }
}

/// Watches a population, prints what came of it and, if asked, writes the table into a page. Fails if Playmark
/// was wrong at rest, or turned a report away.
///
/// # Errors
/// The page may not be writable, or may not say where the table belongs.
pub fn print(population: Population, write: Option<&Path>) -> io::Result<ExitCode> {
    let Population { viewers, seed, .. } = population;
    let tally = population.watch(|done, of| {
        if done * 10 / of != (done - 1) * 10 / of {
            eprintln!("{done} of {of} streets");
        }
    });
    let command = format!("cargo sim workload --viewers {viewers} --seed {seed}");
    let text = format!("{}\n`{command}`: {}\n", tally.table(), tally.summary());
    println!("{text}");
    for wrong in tally.wrong.iter().take(SHOWN_MAX) {
        println!("{wrong}");
    }
    if let Some(page) = write {
        let page_text = fs::read_to_string(page)?;
        fs::write(
            page,
            put(&page_text, &text).ok_or_else(|| io::Error::other(format!("{BEGINS} is missing")))?,
        )?;
    }
    Ok(if tally.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn put(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGINS)?;
    let (_, after) = rest.split_once(ENDS)?;
    Some(format!("{before}{BEGINS}{text}{ENDS}{after}"))
}
