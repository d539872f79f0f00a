//! What must hold at every change; the long runs are `cargo sim run` and `cargo sim zoo`.

use playmark::zoo::Bug;
use simulations::{Kind, Scenario, Watch, hunt, regressions, run};

fn check(scenario: Scenario) {
    let report = run(scenario);
    if let Err(violation) = report.result {
        panic!("{violation}\nrepeat it with: {}", scenario.command());
    }
}

#[test]
fn seeds_that_once_failed_hold() {
    regressions::all().for_each(check);
}

#[test]
fn nothing_fails_where_nothing_is_planted() {
    (0..200).map(|seed| Scenario::plain(seed, Kind::Short)).for_each(check);
    check(Scenario::plain(0, Kind::Long));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..20 {
        let scenario = Scenario::plain(seed, Kind::Short);
        assert_eq!(run(scenario).digest, run(scenario).digest, "seed {seed}");
    }
    let (one, other) = (Scenario::plain(1, Kind::Short), Scenario::plain(2, Kind::Short));
    assert_ne!(run(one).digest, run(other).digest);
}

#[test]
fn every_planted_bug_is_found_by_its_seed() {
    let known = hunt::known();
    let listed: Vec<_> = known.iter().map(|&(bug, ..)| bug).collect();
    assert_eq!(listed, Bug::ALL, "zoo.txt lists other bugs than the zoo has; {REWRITE}");
    for (bug, kind, seed) in known {
        let seen = hunt::look(bug, kind, seed, Watch::Closely);
        assert!(seen.is_some(), "the {kind} seed {seed} does not find {bug:?}; {REWRITE}");
    }
}

const REWRITE: &str = "`cargo sim zoo --write simulations/zoo.txt` looks for all of them anew";
