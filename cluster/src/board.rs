//! The board: one line a region, of what its viewers see and its nodes say.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    api::NodeStatus,
    lab::{Lab, State},
    topology::{NodeName, RegionName},
    viewers::{Seen, Viewers},
};

const HEADING: &str = "region  heartbeats/s   ack p50      p99  peers  errors  behind";

/// Looks at everything, again and again.
#[derive(Debug)]
pub(crate) struct Board {
    last_look: Instant,
    // The origin each node was last known to write under; that of a node which is down is what others lack.
    origins: BTreeMap<NodeName, String>,
    complaints: BTreeMap<RegionName, BTreeMap<String, u64>>,
}

impl Board {
    /// A board that has seen nothing.
    pub(crate) fn new() -> Self {
        Self { last_look: Instant::now(), origins: BTreeMap::new(), complaints: BTreeMap::new() }
    }

    /// What there is to see, with rates since the last look.
    pub(crate) async fn look(&mut self, lab: &Lab, viewers: &Viewers) -> Vec<String> {
        let statuses: BTreeMap<_, _> = lab
            .statuses()
            .await
            .into_iter()
            .filter_map(|(name, status)| Some((name, status.ok()?)))
            .collect();
        for (name, status) in &statuses {
            self.origins.insert(name.clone(), status.origin.clone());
        }
        let elapsed = self.last_look.elapsed();
        self.last_look = Instant::now();
        let states = lab.nodes();
        let mut lines = vec![HEADING.to_owned()];
        for (region, seen) in viewers.look() {
            lines.push(self.line(&region, &seen, elapsed, &states, &statuses));
            self.complaints.insert(region, seen.complaints);
        }
        lines.push(summary(lab, viewers));
        lines
    }

    /// What viewers complained of, region by region.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let of_region = |(region, complaints): (&RegionName, &BTreeMap<String, u64>)| {
            let line = |(what, times): (&String, &u64)| format!("{region}: {times} times {what}");
            complaints.iter().map(line).collect::<Vec<_>>()
        };
        self.complaints.iter().flat_map(of_region).collect()
    }

    fn line(
        &self,
        region: &RegionName,
        seen: &Seen,
        elapsed: Duration,
        states: &BTreeMap<NodeName, State>,
        statuses: &BTreeMap<NodeName, NodeStatus>,
    ) -> String {
        let here: Vec<_> =
            statuses.iter().filter(|(name, _)| name.region() == region).map(|(_, s)| s).collect();
        #[expect(clippy::cast_precision_loss, reason = "a rate that is shown with one digit")]
        let rate = seen.acknowledged as f64 / elapsed.as_secs_f64().max(0.001);
        let peers: Vec<_> = here.iter().flat_map(|status| &status.peers).collect();
        let up = peers.iter().filter(|peer| peer.state == "up").count();
        format!(
            "{:<7} {rate:>12.1} {:>9} {:>8}  {:>5} {:>7}  {}",
            region.as_str(),
            in_ms(seen.p50),
            in_ms(seen.p99),
            format!("{up}/{}", peers.len()),
            seen.errors,
            down(region, states).unwrap_or_else(|| self.lag(region, &here)),
        )
    }

    /// How far a region is behind each other one, by the node that is furthest behind.
    fn lag(&self, region: &RegionName, here: &[&NodeStatus]) -> String {
        let mut lags: BTreeMap<&RegionName, Option<u64>> = BTreeMap::new();
        for (name, origin) in self.origins.iter().filter(|(name, _)| name.region() != region) {
            for status in here {
                let lag = status.vector.iter().find(|held| held.origin == *origin).map(|held| held.lag_ms);
                let worst = lags.entry(name.region()).or_default();
                *worst = lag.max(*worst);
            }
        }
        let shown = |(region, lag): (&RegionName, Option<u64>)| match lag {
            Some(lag) => format!("{region} {lag} ms"),
            None => format!("{region} –"),
        };
        lags.into_iter().map(shown).collect::<Vec<_>>().join("  ")
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

/// What is down in a region.
fn down(region: &RegionName, states: &BTreeMap<NodeName, State>) -> Option<String> {
    let down = |(name, state): (&NodeName, &State)| match state {
        State::Down { why } if name.region() == region => Some(format!("{name} {why}")),
        State::Down { .. } | State::Running { .. } => None,
    };
    let down: Vec<_> = states.iter().filter_map(down).collect();
    (!down.is_empty()).then(|| down.join(", "))
}

fn summary(lab: &Lab, viewers: &Viewers) -> String {
    let hand_overs = viewers.hand_overs();
    let cuts = lab.relay().cuts().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let cuts = if cuts.is_empty() { "nothing is cut".to_owned() } else { format!("cut: {cuts}") };
    format!(
        "{} viewers; went on elsewhere: {} right, {} stale, {} wrong; {cuts}",
        lab.topology().viewers.count,
        hand_overs.right,
        hand_overs.stale,
        hand_overs.wrong,
    )
}

fn in_ms(time: Option<Duration>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
}
