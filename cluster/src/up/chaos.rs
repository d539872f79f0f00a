//! Orders by chance: the same seed gives the same ones.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep_until};

use super::Cluster;
use crate::control::{Order, Outcome, Say};

/// How long it is from one order to the next, at least and at most.
const PAUSE_MS: std::ops::Range<u64> = 1_000..6_000;

/// Nobody waits for more than a day.
const MINUTES_MAX: f64 = 1_440.0;

/// An order, and when it is given after the beginning.
#[derive(Clone, PartialEq, Debug)]
struct Planned {
    after: Duration,
    order: Order,
}

/// What will be done to these regions and nodes.
fn plan(seed: u64, minutes: f64, regions: &[String], nodes: &[String]) -> Vec<Planned> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let end = Duration::from_secs_f64(minutes * 60.0);
    let mut after = Duration::ZERO;
    let mut planned = Vec::new();
    loop {
        after += Duration::from_millis(dice.random_range(PAUSE_MS));
        if after >= end {
            return planned;
        }
        if let Some(order) = draw(&mut dice, regions, nodes) {
            planned.push(Planned { after, order });
        }
    }
}

/// One order; of those about lines, one that a cluster of one region has no use for is none.
fn draw(dice: &mut ChaCha8Rng, regions: &[String], nodes: &[String]) -> Option<Order> {
    let what = dice.random_range(0..100);
    let node = nodes.choose(dice)?.clone();
    let from = regions.choose(dice)?.clone();
    let others: Vec<_> = regions.iter().filter(|&it| *it != from).cloned().collect();
    let (one_way, to) = (dice.random_bool(0.3), others.choose(dice).cloned());
    let (delay_ms, percent) = (dice.random_range(50..800), dice.random_range(1..15));
    Some(match what {
        0..25 => Order::Cut { from, to: to?, one_way },
        25..35 => {
            Order::Slow { from, to: to?, delay_ms: Some(f64::from(delay_ms)), rate_mbit: None, one_way }
        }
        35..45 => Order::Lose { from, to: to?, percent: f64::from(percent), one_way },
        45..65 => Order::Heal { from: None, to: None },
        65..75 => Order::Kill { name: node },
        75..82 => Order::Pause { name: node },
        82..97 => Order::Start { name: node },
        _ => Order::Skew { name: node, offset_ms: i64::from(delay_ms) * if one_way { -1 } else { 1 } },
    })
}

impl Cluster {
    /// Gives orders by chance, then makes everything well again and checks that all regions answer alike.
    pub(super) async fn chaos(&self, seed: u64, minutes: f64, say: &Say) -> Result<Outcome> {
        ensure!(minutes > 0.0 && minutes <= MINUTES_MAX, "--minutes must lie between 0 and {MINUTES_MAX}");
        let regions: Vec<_> =
            self.lab.topology().regions.iter().map(|region| region.name.to_string()).collect();
        let nodes: Vec<_> = self.lab.nodes().iter().map(|(name, _)| name.to_string()).collect();
        let planned = plan(seed, minutes, &regions, &nodes);
        let began = Instant::now();
        self.say(say, format!("chaos of seed {seed}: {} orders in {minutes} minutes", planned.len())).await;
        for Planned { after, order } in planned {
            sleep_until(began + after).await;
            self.say(say, format!("chaos: {}", order.words())).await;
            // What fails while everything is broken is no news; what counts is the end.
            Box::pin(self.obey_one(&order, say)).await;
        }
        sleep_until(began + Duration::from_secs_f64(minutes * 60.0)).await;
        self.say(say, "chaos is over: everything is healed and started".to_owned()).await;
        for name in nodes {
            Box::pin(self.obey_one(&Order::Start { name }, say)).await;
        }
        Ok(Box::pin(self.obey_one(&Order::Heal { from: None, to: None }, say)).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_orders_and_another_gives_others() {
        let (regions, nodes) = (names(&["eu", "us", "ap"]), names(&["eu-1", "us-1", "ap-1"]));
        let of = |seed| plan(seed, 5.0, &regions, &nodes);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert!(of(7).len() > 40, "{} orders in five minutes", of(7).len());
        assert!(of(7).iter().all(|it| it.after < Duration::from_mins(5)));
    }

    #[test]
    fn every_kind_of_order_is_drawn_and_a_single_region_is_never_cut() {
        let drawn = plan(1, 60.0, &names(&["eu", "us"]), &names(&["eu-1", "us-1"]));
        let kinds: std::collections::BTreeSet<_> = drawn
            .iter()
            .map(|it| it.order.words().split(' ').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(kinds.len(), 8, "{kinds:?}");
        let alone = plan(1, 60.0, &names(&["eu"]), &names(&["eu-1"]));
        assert!(!alone.is_empty());
        assert!(!alone.iter().any(|it| matches!(it.order, Order::Cut { .. })));
    }
}
