//! One seed, from its faults to its verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

use playmark::zoo::{Bug, plant};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    invariants::{Violation, Watch},
    members,
    profile::{Kind, Profile},
    trace::{Telling, Trace},
    world::{Stats, World},
};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The seed: all chance comes from it.
    pub seed: u64,
    /// Of which kind of world.
    pub kind: Kind,
    /// The bug to be planted.
    pub bug: Option<Bug>,
    /// What to keep of it.
    pub telling: Telling,
    /// How much to look at.
    pub watch: Watch,
}

impl Scenario {
    /// A seed with nothing planted, of which the hash is kept.
    pub fn plain(seed: u64, kind: Kind) -> Self {
        Self { seed, kind, bug: None, telling: Telling::Hash, watch: Watch::Closely }
    }

    /// The one command that repeats it.
    pub fn command(&self) -> String {
        let kind = match self.kind {
            Kind::Short => "",
            Kind::Long => " --long",
            Kind::Members => " --members",
        };
        let bug = self.bug.map(|bug| format!(" --bug {bug:?}")).unwrap_or_default();
        format!("cargo sim replay {}{kind}{bug}", self.seed)
    }
}

/// Keeps panics from being printed: [`run`] reports them as violations.
pub(crate) fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The first thing that did not hold.
    pub result: Result<(), Violation>,
    /// Counts.
    pub stats: Stats,
    /// A hash over all events; the same seed gives the same.
    pub digest: u64,
    /// The events in words, if they were asked for.
    pub lines: Vec<String>,
}

/// Runs one world.
pub fn run(scenario: Scenario) -> Report {
    plant(scenario.bug);
    let result = catch_unwind(AssertUnwindSafe(|| {
        if scenario.kind == Kind::Members {
            return members::run(scenario.seed, scenario.telling);
        }
        let profile = Profile::draw(&mut ChaCha8Rng::seed_from_u64(scenario.seed), scenario.kind);
        let mut trace = Trace::new(scenario.telling);
        trace.event(crate::time::Moment::default(), &[], &[], || format!("{profile:?}"));
        World::new(scenario.seed, profile, scenario.watch, trace).run()
    }));
    plant(None);
    match result {
        Ok((result, stats, trace)) => {
            let digest = trace.digest();
            Report { result, stats, digest, lines: trace.into_lines() }
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
            let violation = Violation::new("no_panic", text.unwrap_or_else(|| "a panic".into()));
            Report { result: Err(violation), stats: Stats::default(), digest: 0, lines: Vec::new() }
        }
    }
}
