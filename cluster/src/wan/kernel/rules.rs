//! The router's firewall: what passes from one region to another. Pure: it makes scripts, and reads counters.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::super::{Change, Traffic, Weather};
use crate::topology::{Topology, Way};

/// The table that holds everything.
pub(super) const TABLE: &str = "playmark";

/// A share of packets is drawn from so many.
const OF: f64 = 100_000.0;

/// How much of a second's traffic may come at once on a line with a rate.
const BURST_S: f64 = 0.1;

/// All directions.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    ways: BTreeMap<Way, Rule>,
}

/// One direction.
#[derive(Clone, PartialEq, Debug)]
struct Rule {
    /// The numbers of both regions.
    between: [usize; 2],
    cut: bool,
    now: Line,
    made: Line,
}

#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Line {
    loss_percent: f64,
    rate_mbit: Option<f64>,
}

impl Rules {
    /// Those of a topology, with nothing cut; its delays are left out.
    pub(super) fn of(topology: &Topology) -> Self {
        let number =
            |name| 1 + topology.regions.iter().position(|region| region.name == name).unwrap_or_default();
        let rule = |way: Way| {
            let spec = topology.line(&way);
            let made = Line {
                loss_percent: spec.map_or(0.0, |line| line.loss_percent),
                rate_mbit: spec.and_then(|line| line.rate_mbit),
            };
            let between = [number(way.from.clone()), number(way.to.clone())];
            (way, Rule { between, cut: false, now: made, made })
        };
        Self { ways: topology.ways().into_iter().map(rule).collect() }
    }

    /// Cuts a direction, or mends it. Says whether that changes anything.
    pub(super) fn set_cut(&mut self, way: &Way, cut: bool) -> bool {
        self.change(way, |rule| rule.cut = cut)
    }

    /// Makes a direction what its topology says, and mends it.
    pub(super) fn restore(&mut self, way: &Way) -> bool {
        self.change(way, |rule| (rule.cut, rule.now) = (false, rule.made))
    }

    /// Changes the weather.
    pub(super) fn alter(&mut self, way: &Way, change: Change) -> bool {
        self.change(way, |rule| {
            rule.now.loss_percent = change.loss_percent.unwrap_or(rule.now.loss_percent);
            rule.now.rate_mbit = change.rate_mbit.or(rule.now.rate_mbit);
        })
    }

    fn change(&mut self, way: &Way, change: impl FnOnce(&mut Rule)) -> bool {
        let Some(rule) = self.ways.get_mut(way) else { return false };
        let before = rule.clone();
        change(rule);
        *rule != before
    }

    pub(super) fn weather(&self) -> BTreeMap<Way, Weather> {
        let weather = |rule: &Rule| Weather {
            cut: rule.cut,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss_percent: rule.now.loss_percent,
            altered: rule.now != rule.made,
        };
        self.ways.iter().map(|(way, rule)| (way.clone(), weather(rule))).collect()
    }

    /// What makes the firewall so, whatever it was before; what it has counted stays.
    pub(super) fn script(&self) -> String {
        let mut script = format!("add table inet {TABLE}\n");
        for what in ["passed", "dropped", "cut"] {
            for Rule { between: [from, to], .. } in self.ways.values() {
                writeln!(script, "add counter inet {TABLE} {what}_{from}_{to}").expect("text takes text");
            }
        }
        writeln!(script, "add chain inet {TABLE} forward {{ type filter hook forward priority 0; }}")
            .expect("text takes text");
        writeln!(script, "flush chain inet {TABLE} forward").expect("text takes text");
        for rule in self.ways.values() {
            rule.write(&mut script);
        }
        script
    }

    /// Reads what was counted, as `nft -j list counters` prints it.
    pub(super) fn traffic(&self, counters: &str) -> Result<BTreeMap<Way, Traffic>> {
        let Listing { nftables } = serde_json::from_str(counters).context("what nft has counted")?;
        let counters: BTreeMap<_, _> =
            nftables.into_iter().filter_map(|entry| entry.counter).map(|it| (it.name, it.packets)).collect();
        let traffic = |rule: &Rule| {
            let [from, to] = rule.between;
            let count = |what| counters.get(&format!("{what}_{from}_{to}")).copied().unwrap_or_default();
            Traffic { passed: count("passed"), dropped: count("dropped"), cut: count("cut"), under_way: 0 }
        };
        Ok(self.ways.iter().map(|(way, rule)| (way.clone(), traffic(rule))).collect())
    }
}

impl Rule {
    fn write(&self, script: &mut String) {
        let [from, to] = self.between;
        let mut rule = |what: &str| {
            let packets = format!("ip saddr 10.77.{from}.0/24 ip daddr 10.77.{to}.0/24");
            writeln!(script, "add rule inet {TABLE} forward {packets} {what}").expect("text takes text");
        };
        if self.cut {
            rule(&format!("counter name cut_{from}_{to} drop"));
        }
        let lost = (self.now.loss_percent / 100.0 * OF).round();
        if lost > 0.0 {
            rule(&format!("numgen random mod {OF} < {lost} counter name dropped_{from}_{to} drop"));
        }
        if let Some(rate) = self.now.rate_mbit {
            let (bytes, burst) =
                ((rate * 125_000.0).ceil(), (rate * 125_000.0 * BURST_S).ceil().max(1_500.0));
            let over = format!("limit rate over {bytes} bytes/second burst {burst} bytes");
            rule(&format!("{over} counter name dropped_{from}_{to} drop"));
        }
        rule(&format!("counter name passed_{from}_{to}"));
    }
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    packets: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> (Rules, Way) {
        let topology = Topology::load("three-regions").expect("it is part of the tool");
        let way = topology.ways().remove(0);
        (Rules::of(&topology), way)
    }

    #[test]
    fn a_cut_is_a_rule_before_all_others_and_a_heal_takes_all_changes_back() {
        let (mut rules, way) = rules();
        let healthy = rules.script();
        assert!(
            healthy.contains("ip saddr 10.77.1.0/24 ip daddr 10.77.2.0/24 numgen random mod 100000 < 100")
        );
        assert!(rules.set_cut(&way, true) && !rules.set_cut(&way, true));
        let slow = Change { rate_mbit: Some(8.0), loss_percent: Some(2.5), ..Change::default() };
        assert!(rules.alter(&way, slow));
        let script = rules.script();
        let cut = script.find("counter name cut_1_2 drop").expect("it is cut");
        let lost = script.find("mod 100000 < 2500 counter name dropped_1_2 drop").expect("it loses packets");
        let slow = script.find("limit rate over 1000000 bytes/second").expect("it has a rate");
        assert!(cut < lost && lost < slow, "{script}");
        assert!(rules.weather()[&way].altered);
        assert!(rules.restore(&way));
        assert_eq!(rules.script(), healthy);
    }

    #[test]
    fn what_was_counted_is_read_by_direction() {
        let (rules, way) = rules();
        let said = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"counter": {"family": "inet", "name": "passed_1_2", "table": "playmark", "packets": 7, "bytes": 9}}]}"#;
        let traffic = rules.traffic(said).expect("nft's own words");
        assert_eq!(traffic[&way], Traffic { passed: 7, ..Traffic::default() });
        assert!(rules.traffic("what?").is_err());
    }
}
