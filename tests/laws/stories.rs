//! How a story is told: in any order, thrice, through any nodes, across a partition that heals midway.
//!
//! A telling is drawn by proptest, so a failure is shown by the shortest telling that fails, together with
//! the command that repeats it.

use std::{env, fmt, thread};

use playmark::playback::ResumePoint;
use proptest::{
    array::uniform3,
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::{
    nodes::{Node, Nodes},
    players::{Report, World, any_world},
};

/// How many tellings are drawn by the seed that is always the same, and how many by a new one.
const TELLINGS: u32 = 64;
/// How long a failing telling is shortened.
const SHORTENINGS_MAX: u32 = 400;
/// Of so many deliveries one ends its node's turn.
const TURN_EVERY: u32 = 3;
/// How many reports a story may have whose orders are all tried: 120 orders.
const ALL_ORDERS_MAX: usize = 5;
/// The environment variable that takes the place of the new seed.
const SEED: &str = "LAWS_SEED";

/// What happens: what every node has heard before, and what is delivered in every order.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) before: Vec<Report>,
    pub(crate) reports: Vec<Report>,
}

/// Tells a story in many ways; `always` looks at a node after each of its turns, and `finally` at all
/// three once all has been told and heard.
pub(crate) fn check(story: impl Fn(&World) -> Story, always: impl Fn(&Node), finally: impl Fn(&ResumePoint)) {
    let world = World::default();
    let once = story(&world);
    let reports = once.reports.len();
    for order in orders(reports) {
        Telling::once(&order).tell(&once, &world, &always, &finally);
    }
    let new = seed_given().unwrap_or_else(|| SmallRng::from_os_rng().random());
    for seed in [0, new] {
        let config = Config {
            cases: TELLINGS,
            max_shrink_iters: SHORTENINGS_MAX,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes(seed));
        let told = TestRunner::new_with_rng(config, rng).run(
            &(any_world(), any_telling(reports)),
            |(world, telling)| {
                telling.tell(&story(&world), &world, &always, &finally);
                Ok(())
            },
        );
        if let Err(why) = told {
            panic!("{why}\nrepeat it with: {}", command(seed));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own switch, which no node reads")]
fn seed_given() -> Option<u64> {
    env::var(SEED).ok().map(|text| text.parse().expect("LAWS_SEED is a whole number"))
}

fn bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes
}

fn command(seed: u64) -> String {
    let test = thread::current().name().unwrap_or_default().to_owned();
    format!("{SEED}={seed} cargo test -p playmark --no-default-features --test laws -- --exact {test}")
}

/// One delivery of one report.
#[derive(Clone, Copy)]
struct Step {
    report: usize,
    node: usize,
    /// Whether the node's turn ends with it, so that it commits and speaks to those it can reach.
    turn: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}{}", self.report, self.node, if self.turn { "!" } else { "" })
    }
}

/// A way to tell a story.
#[derive(Clone)]
struct Telling {
    steps: Vec<Step>,
    /// Which of the three links are cut at first.
    cut: [bool; 3],
    /// Before which step they heal.
    heals: usize,
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On one line: a step is its report, its node, and whether a turn ends with it.
        write!(f, "{:?}, cut {:?} until {}", self.steps, self.cut, self.heals)
    }
}

fn any_telling(reports: usize) -> impl Strategy<Value = Telling> {
    let thrice: Vec<_> = (0..reports).flat_map(|report| [report; 3]).collect();
    let count = thrice.len();
    let places = vec((0..3_usize, prop::bool::weighted(1.0 / f64::from(TURN_EVERY))), count);
    (Just(thrice).prop_shuffle(), places, uniform3(any::<bool>()), 0..=count).prop_map(
        |(order, places, cut, heals)| {
            let step = |(report, (node, turn))| Step { report, node, turn };
            Telling { steps: order.into_iter().zip(places).map(step).collect(), cut, heals }
        },
    )
}

impl Telling {
    /// Each report once, each at the next node, all of which are cut off until the end.
    fn once(order: &[usize]) -> Self {
        let step = |(&report, node)| Step { report, node, turn: true };
        Self {
            steps: order.iter().zip((0..3).cycle()).map(step).collect(),
            cut: [true; 3],
            heals: order.len(),
        }
    }

    fn tell(&self, story: &Story, world: &World, always: &impl Fn(&Node), finally: &impl Fn(&ResumePoint)) {
        let mut nodes = Nodes::new(world.skew_ms);
        nodes.heal();
        for report in &story.before {
            nodes.all[0].deliver(report);
        }
        nodes.settle(&|_| {});
        nodes.all.iter().for_each(always);
        nodes.cut(self.cut);
        for (number, step) in self.steps.iter().enumerate() {
            if number == self.heals {
                nodes.heal();
            }
            nodes.all[step.node].deliver(&story.reports[step.report]);
            if step.turn {
                nodes.turn(step.node, always);
            }
        }
        nodes.heal();
        nodes.settle(always);
        assert_eq!(nodes.all[0].registers(), nodes.all[1].registers());
        assert_eq!(nodes.all[0].registers(), nodes.all[2].registers());
        for node in &mut nodes.all {
            finally(&node.resume().expect("every story leaves a place"));
            let said = node.said();
            for report in &story.reports {
                node.deliver(report);
            }
            node.commit();
            assert_eq!(node.said(), said, "a retry raises no event");
        }
    }
}

/// All orders of the numbers below `count`, or none where they are too many.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count > ALL_ORDERS_MAX {
        return Vec::new();
    }
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in orders(last) {
        for place in 0..=last {
            let mut order = order.clone();
            order.insert(place, last);
            all.push(order);
        }
    }
    all
}
