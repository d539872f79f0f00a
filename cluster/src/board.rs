//! The board: one line a region, of what its viewers see and how far it is behind the others.
//!
//! How far is measured from outside: what an origin has written, as its own node says, against what of it stands here. A
//! node that is cut off cannot know what it lacks, and that is when one wants to see it grow.

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
    // What each node was last known to have written; that of a node which is down is what others lack.
    written: BTreeMap<NodeName, Written>,
    complaints: BTreeMap<RegionName, BTreeMap<String, u64>>,
}

#[derive(Debug)]
struct Written {
    origin: String,
    upto_ms: u64,
}

impl Board {
    /// A board that has seen nothing.
    pub(crate) fn new() -> Self {
        Self { last_look: Instant::now(), written: BTreeMap::new(), complaints: BTreeMap::new() }
    }

    /// What there is to see, with rates since the last look.
    pub(crate) async fn look(&mut self, lab: &Lab, viewers: &Viewers) -> Vec<String> {
        let answers = lab.statuses().await.into_iter();
        let statuses: BTreeMap<_, _> =
            answers.filter_map(|(name, status)| Some((name, status.ok()?))).collect();
        for (name, status) in &statuses {
            let upto_ms = held_ms(status, &status.origin).unwrap_or_default();
            self.written.insert(name.clone(), Written { origin: status.origin.clone(), upto_ms });
        }
        let elapsed = self.last_look.elapsed();
        self.last_look = Instant::now();
        let states = lab.nodes();
        let mut lines = vec![HEADING.to_owned()];
        for (region, seen) in viewers.look() {
            let here: Vec<_> =
                statuses.iter().filter(|(name, _)| *name.region() == region).map(|(_, it)| it).collect();
            let last = down(&region, &states).unwrap_or_else(|| self.behind(&region, &here));
            lines.push(line(&region, &seen, elapsed, &here, &last));
            self.complaints.insert(region, seen.complaints);
        }
        lines.extend(summary(lab, viewers));
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

    /// How far a region is behind each other one, by the node that is furthest behind.
    fn behind(&self, region: &RegionName, here: &[&NodeStatus]) -> String {
        let mut worst: BTreeMap<&RegionName, Lag> = BTreeMap::new();
        for (name, written) in self.written.iter().filter(|(name, _)| name.region() != region) {
            for status in here {
                let lag = match held_ms(status, &written.origin) {
                    None if written.upto_ms > 0 => Lag::Everything,
                    held => Lag::Ms(written.upto_ms.saturating_sub(held.unwrap_or_default())),
                };
                let worst = worst.entry(name.region()).or_insert(lag);
                *worst = lag.max(*worst);
            }
        }
        let shown = |(region, lag): (&RegionName, Lag)| match lag {
            Lag::Ms(ms) => format!("{region} {ms} ms"),
            Lag::Everything => format!("{region} all"),
        };
        worst.into_iter().map(shown).collect::<Vec<_>>().join("  ")
    }
}

/// How much of an origin is missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lag {
    Ms(u64),
    // Nothing of this life of the node has arrived.
    Everything,
}

/// The time up to which a node holds an origin's writes.
fn held_ms(status: &NodeStatus, origin: &str) -> Option<u64> {
    status.vector.iter().find(|held| held.origin == origin).map(|held| held.wall_ms)
}

fn line(region: &RegionName, seen: &Seen, elapsed: Duration, here: &[&NodeStatus], last: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate that is shown with one digit")]
    let rate = seen.acknowledged as f64 / elapsed.as_secs_f64().max(0.001);
    let peers: Vec<_> = here.iter().flat_map(|status| &status.peers).collect();
    let up = peers.iter().filter(|peer| peer.state == "up").count();
    let peers = if here.is_empty() { "–".to_owned() } else { format!("{up}/{}", peers.len()) };
    let (p50, p99) = (in_ms(seen.p50), in_ms(seen.p99));
    format!("{:<7} {rate:>12.1} {p50:>9} {p99:>8}  {peers:>5} {:>7}  {last}", region.as_str(), seen.errors)
}

/// What is down in a region.
fn down(region: &RegionName, states: &[(NodeName, State)]) -> Option<String> {
    let down = |(name, state): &(NodeName, State)| match state {
        State::Down { why } if name.region() == region => Some(format!("{name} {why}")),
        State::Paused { .. } if name.region() == region => Some(format!("{name} is held")),
        State::Down { .. } | State::Paused { .. } | State::Running { .. } => None,
    };
    let down: Vec<_> = states.iter().filter_map(down).collect();
    (!down.is_empty()).then(|| down.join(", "))
}

fn summary(lab: &Lab, viewers: &Viewers) -> [String; 2] {
    let moves = viewers.hand_overs();
    let cuts = lab.wan().cuts().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    [
        format!(
            "{} viewers; went on elsewhere: {} told right, {} told stale, {} told wrong",
            lab.topology().viewers.count,
            moves.right,
            moves.stale,
            moves.wrong,
        ),
        if cuts.is_empty() { "nothing is cut".to_owned() } else { format!("cut: {cuts}") },
    ]
}

fn in_ms(time: Option<Duration>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
}
