//! Many seeds on all cores.
#![expect(clippy::disallowed_methods, reason = "it tells how fast seeds run; no run sees it")]

use std::{
    num::NonZero,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Kind, Report, Scenario, Violation, regressions,
    run::{self, run},
};

/// One seed in so many runs twice, and both runs must be the same.
const TWICE_EVERY: u64 = 50;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What a suite of seeds came to.
#[derive(Default, Debug)]
pub(crate) struct Summary {
    failure: Option<(Scenario, Violation)>,
    converged_ms: Vec<u64>,
    requests: u64,
    frames: u64,
    compared: u64,
    bytes: u64,
    events: u64,
    virtual_ms: u64,
}

/// Runs the regressions and then `seeds` seeds, prints what came of them, and says whether all held.
pub fn run_all(from: u64, seeds: u64, kind: Kind) -> ExitCode {
    run::silence_panics();
    let began = Instant::now();
    let mut scenarios: Vec<_> = regressions::all().collect();
    let regressions = scenarios.len() as u64;
    scenarios.extend((from..from + seeds).map(|seed| Scenario::plain(seed, kind)));
    let summary = sweep(&scenarios);
    let seconds = began.elapsed().as_secs_f64();
    if let Some((scenario, violation)) = summary.failure {
        println!("seed {} of scenario {} fails: {violation}", scenario.seed, crate::VERSION);
        println!("repeat it with: {}", scenario.command());
        return ExitCode::FAILURE;
    }
    println!("{regressions} regressions and {seeds} seeds hold, in {seconds:.1} s");
    summary.print(seconds);
    ExitCode::SUCCESS
}

/// Runs scenarios on all cores, up to the first that fails.
pub(crate) fn sweep(scenarios: &[Scenario]) -> Summary {
    let (next, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let worker = || {
            while !stopped.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(&scenario) = usize::try_from(index).ok().and_then(|index| scenarios.get(index))
                else {
                    break;
                };
                let report = run_checked(scenario, index);
                let mut summary = summary.lock().expect("no worker panics while it holds the summary");
                if summary.add(scenario, report) {
                    stopped.store(true, Ordering::Relaxed);
                }
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        tell_progress(&next, scenarios.len() as u64, || {
            workers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
    });
    summary.into_inner().expect("no worker panics while it holds the summary")
}

/// Runs a scenario, some of them twice.
fn run_checked(scenario: Scenario, index: u64) -> Report {
    let mut report = run(scenario);
    if index.is_multiple_of(TWICE_EVERY) && report.result.is_ok() {
        let again = run(scenario);
        if again.digest != report.digest {
            let what = format!("one run gave {:016x}, the other {:016x}", report.digest, again.digest);
            report.result = Err(Violation { invariant: "determinism", what });
        }
    }
    report
}

fn tell_progress(next: &AtomicU64, all: u64, is_over: impl Fn() -> bool) {
    let began = Instant::now();
    let mut told = Instant::now();
    while !is_over() {
        thread::park_timeout(Duration::from_millis(20));
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let done = next.load(Ordering::Relaxed).min(all);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = done as f64 / began.elapsed().as_secs_f64();
            eprintln!("{done} of {all}, {rate:.0} seeds/s");
        }
    }
}

impl Summary {
    /// Adds a report; says whether it is a failure.
    fn add(&mut self, scenario: Scenario, report: Report) -> bool {
        let stats = report.stats;
        self.converged_ms.push(stats.converged_ms);
        self.requests += stats.requests;
        self.frames += stats.frames;
        self.compared += stats.compared;
        self.bytes += stats.bytes;
        self.events += stats.events;
        self.virtual_ms += stats.virtual_ms;
        match report.result {
            Ok(()) => false,
            Err(violation) => {
                self.failure.get_or_insert((scenario, violation));
                true
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn print(mut self, seconds: f64) {
        self.converged_ms.sort_unstable();
        let at = |percent: usize| {
            let index = (self.converged_ms.len() * percent / 100).min(self.converged_ms.len() - 1);
            self.converged_ms[index]
        };
        println!(
            "equal after the heal: half within {} ms, 99 % within {} ms, all within {} ms",
            at(50),
            at(99),
            at(100)
        );
        println!("{} comparisons, no false alarm", self.compared);
        println!(
            "{:.1} frames and {:.0} bytes a write; {:.0} seeds/s, {:.0} virtual seconds a second, {:.0} events/s",
            self.frames as f64 / self.requests.max(1) as f64,
            self.bytes as f64 / self.requests.max(1) as f64,
            self.converged_ms.len() as f64 / seconds,
            self.virtual_ms as f64 / 1_000.0 / seconds,
            self.events as f64 / seconds,
        );
    }
}
