//! What is started and how far apart it stands: regions, the lines between them, and viewers.

use std::{collections::BTreeSet, fmt, fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The topologies that come with the tool, by name.
const SHIPPED: [(&str, &str); 7] = [
    ("one-node", include_str!("../topologies/one-node.toml")),
    ("three-regions", include_str!("../topologies/three-regions.toml")),
    ("three-by-three", include_str!("../topologies/three-by-three.toml")),
    ("lossy-ocean", include_str!("../topologies/lossy-ocean.toml")),
    ("one-region-dark", include_str!("../topologies/one-region-dark.toml")),
    ("asymmetric-cut", include_str!("../topologies/asymmetric-cut.toml")),
    ("nine-regions", include_str!("../topologies/nine-regions.toml")),
];

/// Three regions of nine nodes are already twenty-seven processes; more than this is a slip of the pen.
pub const NODES_MAX: usize = 64;

/// A player that reports less often says next to nothing.
pub const INTERVAL_MAX: Duration = Duration::from_mins(1);

/// A whole world on one machine, as read from a file in `topologies/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The name all nodes' certificates end in.
    pub cluster: String,
    /// Where the relay's dice start; the same seed treats the same packets alike.
    #[serde(default)]
    pub seed: u64,
    /// The regions, nearest neighbours in any order.
    pub regions: Vec<Region>,
    /// The lines between them; what is not named has no delay and no loss.
    #[serde(default)]
    pub lines: Vec<LineSpec>,
    /// Who watches.
    #[serde(default)]
    pub viewers: ViewersSpec,
}

/// A region and its nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Its name: `eu`.
    pub name: RegionName,
    /// How many nodes stand in it.
    #[serde(default = "one")]
    pub nodes: usize,
    /// Where the first node's HTTP API listens, on loopback; the next nodes follow. 0: wherever is free.
    #[serde(default)]
    pub http_port: u16,
}

/// How a line treats packets; both directions alike unless `one_way` is set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSpec {
    /// The region packets come from.
    pub from: RegionName,
    /// The region they go to.
    pub to: RegionName,
    /// The entry speaks of this direction only.
    #[serde(default)]
    pub one_way: bool,
    /// How long a packet is under way, one way.
    #[serde(default)]
    pub delay_ms: f64,
    /// Up to this much is added to the delay, evenly spread.
    #[serde(default)]
    pub jitter_ms: f64,
    /// How many of a hundred packets are lost.
    #[serde(default)]
    pub loss_percent: f64,
    /// How many of a hundred packets arrive twice.
    #[serde(default)]
    pub copy_percent: f64,
    /// How many of a hundred packets arrive behind later ones.
    #[serde(default)]
    pub reorder_percent: f64,
    /// What the line carries, in megabits a second; absent: as much as comes.
    pub rate_mbit: Option<f64>,
    /// Whether nothing passes until somebody heals it.
    #[serde(default)]
    pub cut: bool,
    /// How many packets wait in the line before further ones are dropped.
    pub queue_packets: Option<usize>,
}

/// Who watches, and how often their players report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewersSpec {
    /// How many viewers there are, spread evenly over the regions.
    pub count: usize,
    /// How often each player reports.
    pub heartbeat_interval_ms: u64,
    /// How seldom, at most: each device draws its interval between the two. Absent: all alike.
    pub heartbeat_interval_max_ms: Option<u64>,
    /// How many times as fast as it is written in their habits viewers live.
    pub haste: f64,
}

/// The name of a region.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct RegionName(String);

/// The name of a node: its region's name and a number, `eu-1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeName {
    region: RegionName,
    number: usize,
}

/// One direction of the WAN.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Way {
    /// The region packets come from.
    pub from: RegionName,
    /// The region they go to.
    pub to: RegionName,
}

impl Topology {
    /// Reads a topology: a file, or the name of one that comes with the tool.
    pub fn load(name_or_file: &str) -> Result<Self> {
        if let Some((_, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_file) {
            return Self::parse(text);
        }
        let path = Path::new(name_or_file);
        let names = SHIPPED.map(|(name, _)| name).join(", ");
        let text = fs::read_to_string(path)
            .with_context(|| format!("no topology {name_or_file}: neither a file nor one of {names}"))?;
        Self::parse(&text).with_context(|| name_or_file.to_owned())
    }

    /// Reads a topology from TOML and checks that it can be built.
    pub fn parse(text: &str) -> Result<Self> {
        let topology: Self = toml::from_str(text)?;
        topology.check()?;
        Ok(topology)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.regions.is_empty(), "regions: at least one is needed");
        let mut seen = BTreeSet::new();
        for region in &self.regions {
            ensure!(region.nodes > 0, "regions.{}: at least one node is needed", region.name);
            ensure!(seen.insert(&region.name), "regions.{}: named twice", region.name);
        }
        ensure!(self.nodes().len() <= NODES_MAX, "regions: more than {NODES_MAX} nodes in all");
        for line in &self.lines {
            line.check(&seen)?;
        }
        self.viewers.check()
    }

    /// All nodes, region by region.
    pub fn nodes(&self) -> Vec<NodeName> {
        let of = |region: &Region| {
            let name = region.name.clone();
            (1..=region.nodes).map(move |number| NodeName { region: name.clone(), number })
        };
        self.regions.iter().flat_map(of).collect()
    }

    /// Finds a region by its name.
    pub fn region(&self, name: &str) -> Result<&Region> {
        let names = || self.regions.iter().map(|region| region.name.as_str()).collect::<Vec<_>>().join(", ");
        self.regions
            .iter()
            .find(|region| region.name.as_str() == name)
            .with_context(|| format!("no region is named {name}; there are {}", names()))
    }

    /// What the last entry that speaks of a direction says of it.
    pub fn line(&self, way: &Way) -> Option<&LineSpec> {
        let speaks = |line: &&LineSpec| {
            (line.from == way.from && line.to == way.to)
                || (!line.one_way && line.from == way.to && line.to == way.from)
        };
        self.lines.iter().rfind(speaks)
    }

    /// Every direction between two different regions.
    pub fn ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        for from in &self.regions {
            for to in self.regions.iter().filter(|to| to.name != from.name) {
                ways.push(Way { from: from.name.clone(), to: to.name.clone() });
            }
        }
        ways
    }

    /// The regions in the order a player at `home` would try them: home first, then the nearest.
    pub fn nearest(&self, home: &RegionName) -> Vec<RegionName> {
        let delay = |to: &RegionName| {
            let line = self.line(&Way { from: home.clone(), to: to.clone() });
            line.map_or(Duration::ZERO, LineSpec::delay)
        };
        let mut names: Vec<_> = self.regions.iter().map(|region| region.name.clone()).collect();
        names.sort_by_key(|name| (name != home, delay(name)));
        names
    }
}

impl LineSpec {
    fn check(&self, regions: &BTreeSet<&RegionName>) -> Result<()> {
        let name = format!("lines.{}-{}", self.from, self.to);
        for end in [&self.from, &self.to] {
            ensure!(regions.contains(end), "{name}: no region is named {end}");
        }
        ensure!(self.from != self.to, "{name}: a line joins two regions");
        for (key, ms) in [("delay_ms", self.delay_ms), ("jitter_ms", self.jitter_ms)] {
            ensure!((0.0..=60_000.0).contains(&ms), "{name}.{key}: must lie between 0 and 60000");
        }
        let percents = [
            ("loss_percent", self.loss_percent),
            ("copy_percent", self.copy_percent),
            ("reorder_percent", self.reorder_percent),
        ];
        for (key, percent) in percents {
            ensure!((0.0..=100.0).contains(&percent), "{name}.{key}: must lie between 0 and 100");
        }
        ensure!(self.rate_mbit.is_none_or(|rate| rate > 0.0), "{name}.rate_mbit: must be above 0");
        ensure!(self.queue_packets != Some(0), "{name}.queue_packets: must be above 0");
        Ok(())
    }

    /// How long a packet is under way, one way, before jitter.
    pub fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.delay_ms / 1e3)
    }
}

impl ViewersSpec {
    /// Says what of it no viewer can live with.
    pub fn check(&self) -> Result<()> {
        let [shortest, longest] = self.intervals();
        ensure!(!shortest.is_zero(), "viewers.heartbeat_interval_ms: must be above 0");
        ensure!(longest <= INTERVAL_MAX, "viewers.heartbeat_interval_ms: must be {INTERVAL_MAX:?} at most");
        ensure!(
            shortest <= longest,
            "viewers.heartbeat_interval_max_ms: must not be below heartbeat_interval_ms"
        );
        ensure!((0.1..=100.0).contains(&self.haste), "viewers.haste: must lie between 0.1 and 100");
        Ok(())
    }

    /// The shortest and the longest interval between two reports of a player.
    pub fn intervals(&self) -> [Duration; 2] {
        let longest = self.heartbeat_interval_max_ms.unwrap_or(self.heartbeat_interval_ms);
        [self.heartbeat_interval_ms, longest].map(Duration::from_millis)
    }
}

impl Default for ViewersSpec {
    fn default() -> Self {
        Self { count: 0, heartbeat_interval_ms: 1_000, heartbeat_interval_max_ms: None, haste: 1.0 }
    }
}

impl RegionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A region's name becomes part of certificates, files and configuration, so it stays plain.
impl TryFrom<String> for RegionName {
    type Error = anyhow::Error;

    fn try_from(name: String) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let whole = (1..=32).contains(&name.len()) && name.bytes().all(plain);
        ensure!(whole, "{name:?} is no region's name: 1 to 32 of a-z, 0-9 and -");
        Ok(Self(name))
    }
}

impl fmt::Display for RegionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NodeName {
    /// The node of this number in a region.
    pub fn new(region: &RegionName, number: usize) -> Self {
        Self { region: region.clone(), number }
    }

    /// Its number in its region, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The region the node stands in.
    pub fn region(&self) -> &RegionName {
        &self.region
    }

    /// Says whether `name` means this node: its own name, or its region's.
    pub fn answers_to(&self, name: &str) -> bool {
        self.region.as_str() == name || self.to_string() == name
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.region, self.number)
    }
}

impl Way {
    /// The other direction between the same regions.
    #[must_use]
    pub fn back(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone() }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.from, self.to)
    }
}

fn one() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: &str, to: &str) -> Way {
        let name = |text: &str| RegionName::try_from(text.to_owned()).expect("a plain name");
        Way { from: name(from), to: name(to) }
    }

    #[test]
    fn every_shipped_topology_can_be_built() {
        for (name, _) in SHIPPED {
            let topology = Topology::load(name).expect("it is part of the tool");
            let regions = topology.regions.len();
            assert_eq!(topology.ways().len(), regions * (regions - 1), "{name}");
            assert!(
                topology.ways().iter().all(|way| topology.line(way).is_some()),
                "{name} leaves a line out"
            );
        }
    }

    #[test]
    fn players_of_nine_regions_report_every_second_to_every_minute() {
        let intervals = |name| Topology::load(name).expect("it is part of the tool").viewers.intervals();
        assert_eq!(intervals("nine-regions"), [1, 60].map(Duration::from_secs));
        assert_eq!(intervals("three-regions"), [1, 1].map(Duration::from_secs));
    }

    #[test]
    fn what_is_dark_and_what_is_cut_in_one_direction_begins_so() {
        for (name, cut) in [("three-regions", 0), ("one-region-dark", 4), ("asymmetric-cut", 1)] {
            let topology = Topology::load(name).expect("it is part of the tool");
            let is_cut = |way: &&Way| topology.line(way).is_some_and(|line| line.cut);
            assert_eq!(topology.ways().iter().filter(is_cut).count(), cut, "{name}");
        }
    }

    #[test]
    fn a_line_speaks_of_both_directions_unless_it_says_otherwise() {
        let topology = Topology::load("lossy-ocean").expect("it is part of the tool");
        let delay = |from, to| topology.line(&way(from, to)).map(|line| line.delay_ms);
        assert_eq!((delay("eu", "us"), delay("us", "eu")), (Some(60.0), Some(60.0)));
        assert_eq!((delay("us", "ap"), delay("ap", "us")), (Some(280.0), Some(110.0)));
    }

    #[test]
    fn a_player_tries_its_own_region_first_and_then_the_nearest() {
        let topology = Topology::load("three-regions").expect("it is part of the tool");
        let names = topology.nearest(&topology.regions[2].name);
        assert_eq!(names.iter().map(RegionName::as_str).collect::<Vec<_>>(), ["ap", "eu", "us"]);
    }

    #[test]
    fn a_topology_that_cannot_be_built_is_refused_with_the_key_at_fault() {
        let refused = |text: &str| format!("{:#}", Topology::parse(text).expect_err("it cannot be built"));
        let eu = "cluster = 'demo'\n[[regions]]\nname = 'eu'\n";
        assert!(refused(&format!("{eu}[[regions]]\nname = 'eu'")).contains("regions.eu"));
        assert!(refused(&format!("{eu}[[lines]]\nfrom = 'eu'\nto = 'us'")).contains("no region is named us"));
        assert!(refused(&format!("{eu}nodes = 65")).contains("more than 64"));
        assert!(refused(&format!("{eu}[[regions]]\nname = 'E U'")).contains("no region's name"));
        assert!(refused(&format!("{eu}[viewers]\ncuont = 3")).contains("cuont"));
        let viewers = |text: &str| refused(&format!("{eu}[viewers]\n{text}"));
        assert!(viewers("heartbeat_interval_ms = 0").contains("above 0"));
        assert!(viewers("heartbeat_interval_ms = 60001").contains("60s at most"));
        assert!(viewers("heartbeat_interval_max_ms = 999").contains("not be below"));
        assert!(viewers("haste = 0.0").contains("haste"));
    }
}
