//! The lab: every node of a topology as a process of its own, with the WAN between their regions.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use cluster::{lab::{Lab, Ways}, topology::Topology};
//!
//! let lab = Lab::start_scratch(Topology::load("three-regions")?).await?;
//! lab.cut("eu", "us", Ways::Both)?;
//! println!("ask {} while it is cut off from us", lab.url("eu")?);
//! lab.heal_all()?;
//! # Ok(())
//! # }
//! ```
//!
//! Addresses are drawn once and stay for the lab's life, so that a node that is killed comes back where
//! its peers and players look for it. Everything a lab makes lies in one directory. Nothing of it outlives the lab:
//! an orderly [`Lab::end`] asks the nodes to end, a drop kills them, and should the lab itself be killed, a
//! watchdog does.

mod config;
mod members;
mod node;
mod place;
mod ports;
mod watchdog;

pub(crate) use self::{config::Site, place::own_user, ports::Ports};
pub use self::{
    node::{KILLED, State},
    place::{Earlier, Place},
};

use std::{
    collections::BTreeMap,
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use self::{
    config::{Certificates, Config},
    node::Node,
    watchdog::Watchdog,
};
use crate::{
    api::{Api, ApiError, NodeStatus, Ready},
    environment,
    topology::{NodeName, Topology, Way},
    wan::{Change, Lines, Wan},
};

/// A node replays its journal and looks for its peers before it takes requests; ten seconds of that are for peers that
/// do not answer.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A node that has missed tens of millions of registers is given up after this.
const CAUGHT_UP_WITHIN: Duration = Duration::from_mins(10);

/// Nothing panics while it holds the table of nodes or ports.
const UNBROKEN: &str = "nobody has panicked with it in hand";

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Every node of a topology, running.
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    // Grows and shrinks where nodes are added and removed.
    nodes: RwLock<BTreeMap<NodeName, Arc<Node>>>,
    wan: Wan,
    api: Api,
    ports: Mutex<Ports>,
    certificates: Certificates,
    watchdog: Arc<Watchdog>,
    binary: PathBuf,
    /// Whose pages may ask the nodes.
    pages: Vec<String>,
    // Last, so that a scratch directory goes after those who write into it.
    place: Place,
}

/// Which directions a cut takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ways {
    /// There and back.
    Both,
    /// From the first region to the second only.
    OneWay,
}

/// Where the `playmark` binary is: as `PLAYMARK_BIN` says, or beside this program.
pub fn binary() -> Result<PathBuf> {
    if let Some(named) = environment::binary() {
        return Ok(named);
    }
    let program = env::current_exe().context("this program does not know where it is")?;
    let beside = |dir: &Path| Some(dir.join("playmark")).filter(|path| path.is_file());
    // A test stands one folder below what it was built with.
    program.ancestors().skip(1).take(2).find_map(beside).context(
        "no playmark binary beside this program: build it (cargo build -p playmark), or set PLAYMARK_BIN",
    )
}

impl Lab {
    /// Starts every node in a directory of its own that goes with the lab, at ports that are free.
    pub async fn start_scratch(mut topology: Topology) -> Result<Self> {
        for region in &mut topology.regions {
            region.http_port = 0;
        }
        Self::start(topology, &binary()?, Place::scratch()?, &[], Lines::Relay).await
    }

    /// Starts every node, and returns when all are ready. Pages of these origins may ask the nodes.
    pub async fn start(
        topology: Topology,
        binary: &Path,
        place: Place,
        pages: &[String],
        lines: Lines,
    ) -> Result<Self> {
        let mut ports = Ports::new();
        let sites = sites(&topology, place.path(), lines, &mut ports)?;
        let listens = sites.iter().map(|site| (site.name.clone(), site.replication)).collect();
        let wan = Wan::open(lines, &topology, &sites)?;
        let names = topology.nodes();
        let certificates =
            Certificates::make(binary, &topology.cluster, place.path().join("certs"), &names).await?;
        let lab = Self {
            topology,
            nodes: RwLock::default(),
            wan,
            api: Api::default(),
            ports: Mutex::new(ports),
            certificates,
            watchdog: Arc::new(Watchdog::start()?),
            binary: binary.to_owned(),
            pages: pages.to_owned(),
            place,
        };
        for site in &sites {
            lab.settle(site, &listens)?;
        }
        for node in lab.all() {
            node.start().await?;
        }
        lab.all_ready(&lab.all()).await?;
        for way in lab.topology.ways() {
            if lab.topology.line(&way).is_some_and(|line| line.cut) {
                lab.wan.cut(&way)?;
            }
        }
        Ok(lab)
    }

    /// Writes a node's configuration, with all that listen for its peers, and lets it be one of the lab.
    fn settle(&self, site: &Site, listens: &BTreeMap<NodeName, SocketAddr>) -> Result<()> {
        let mut command = self.wan.within(&site.name);
        command.push(self.binary.to_str().context("the binary's path is not Unicode")?.to_owned());
        let node = Arc::new(Node::new(site.clone(), command, Arc::clone(&self.watchdog)));
        self.configure(&node, listens, 0)?;
        self.nodes.write().expect(UNBROKEN).insert(site.name.clone(), node);
        Ok(())
    }

    fn configure(
        &self,
        node: &Node,
        listens: &BTreeMap<NodeName, SocketAddr>,
        clock_offset_ms: i64,
    ) -> Result<()> {
        let site = node.site();
        let others = listens.iter().filter(|(name, _)| **name != site.name);
        let found_at = |(name, listens): (&NodeName, &SocketAddr)| {
            (name.clone(), self.wan.address(&site.name, name).unwrap_or(*listens))
        };
        let peers = others.map(found_at).collect();
        let config = Config::new(
            site,
            &self.topology.cluster,
            &self.certificates,
            &peers,
            &self.pages,
            self.wan.lines() == Lines::Relay,
        );
        config.off_by(clock_offset_ms).write(&node.config_file())
    }

    fn all(&self) -> Vec<Arc<Node>> {
        self.nodes.read().expect(UNBROKEN).values().cloned().collect()
    }

    fn node(&self, name: &NodeName) -> Option<Arc<Node>> {
        self.nodes.read().expect(UNBROKEN).get(name).cloned()
    }

    /// What was started.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The WAN.
    pub fn wan(&self) -> &Wan {
        &self.wan
    }

    /// The client all questions go through.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The directory that holds configurations, data and logs.
    pub fn dir(&self) -> &Path {
        self.place.path()
    }

    /// The base of a region's HTTP API: its first node's.
    pub fn url(&self, region: &str) -> Result<String> {
        self.topology.region(region)?;
        let first = &self.named(region)?[0];
        Ok(self.node_url(&first.site().name))
    }

    /// The base of a node's HTTP API.
    pub fn node_url(&self, name: &NodeName) -> String {
        let http = self.node(name).map(|node| node.site().http);
        http.map_or_else(|| "http://nowhere.invalid".to_owned(), |http| format!("http://{http}"))
    }

    /// All nodes in the topology's order, and whether they run.
    pub fn nodes(&self) -> Vec<(NodeName, State)> {
        let mut nodes: Vec<_> =
            self.all().iter().map(|node| (node.site().name.clone(), node.state())).collect();
        let rank = |name: &NodeName| self.topology.regions.iter().position(|it| it.name == *name.region());
        nodes.sort_by_key(|(name, _)| (rank(name), name.number()));
        nodes
    }

    /// The end of what a node has said.
    pub fn log_tail(&self, name: &NodeName) -> String {
        self.node(name).map(|node| node.log_tail()).unwrap_or_default()
    }

    /// The nodes that run.
    pub fn running(&self) -> Vec<NodeName> {
        let runs = |node: &Arc<Node>| matches!(node.state(), State::Running { .. });
        self.all().into_iter().filter(runs).map(|node| node.site().name.clone()).collect()
    }

    /// What each running node says of itself, asked at the same time.
    pub async fn statuses(&self) -> BTreeMap<NodeName, Result<NodeStatus, ApiError>> {
        let mut questions = JoinSet::new();
        for name in self.running() {
            let (api, url) = (self.api.clone(), self.node_url(&name));
            questions.spawn(async move { (name, api.status(&url).await) });
        }
        questions.join_all().await.into_iter().collect()
    }

    /// Cuts the WAN between two regions.
    pub fn cut(&self, from: &str, to: &str, ways: Ways) -> Result<Vec<Way>> {
        changed(self.ways(from, to, ways)?, |way| self.wan.cut(way))
    }

    /// Changes the weather between two regions.
    pub fn alter(&self, from: &str, to: &str, ways: Ways, change: Change) -> Result<Vec<Way>> {
        let ways = self.ways(from, to, ways)?;
        for way in &ways {
            self.wan.alter(way, change)?;
        }
        Ok(ways)
    }

    /// Heals the WAN between two regions, both ways: what was cut, slowed or made to lose.
    pub fn heal(&self, from: &str, to: &str) -> Result<Vec<Way>> {
        changed(self.ways(from, to, Ways::Both)?, |way| self.wan.heal(way))
    }

    /// Heals everything.
    pub fn heal_all(&self) -> Result<Vec<Way>> {
        changed(self.topology.ways(), |way| self.wan.heal(way))
    }

    fn ways(&self, from: &str, to: &str, ways: Ways) -> Result<Vec<Way>> {
        let [from, to] = [self.topology.region(from)?, self.topology.region(to)?];
        ensure!(from.name != to.name, "a line joins two regions");
        let there = Way { from: from.name.clone(), to: to.name.clone() };
        Ok(match ways {
            Ways::Both => vec![there.clone(), there.back()],
            Ways::OneWay => vec![there],
        })
    }

    /// Kills a region's nodes, or one node, as a power cut would. Says which ran.
    pub async fn kill(&self, name: &str) -> Result<Vec<NodeName>> {
        let mut killed = Vec::new();
        for node in self.named(name)? {
            if node.kill().await {
                killed.push(node.site().name.clone());
            }
        }
        Ok(killed)
    }

    /// Starts a region's nodes, or one node, again, lets those go on that are held, and returns when they are ready.
    /// Says which did not run.
    pub async fn start_again(&self, name: &str) -> Result<Vec<NodeName>> {
        let mut nodes = self.named(name)?;
        nodes.retain(|node| !matches!(node.state(), State::Running { .. }));
        for node in &nodes {
            if !node.go_on().await? {
                node.start().await?;
            }
        }
        self.all_ready(&nodes).await?;
        Ok(nodes.iter().map(|node| node.site().name.clone()).collect())
    }

    fn named(&self, name: &str) -> Result<Vec<Arc<Node>>> {
        let mut nodes = self.all();
        let names = nodes.iter().map(|node| node.site().name.to_string()).collect::<Vec<_>>().join(", ");
        nodes.retain(|node| node.site().name.answers_to(name));
        ensure!(!nodes.is_empty(), "neither a region nor a node is named {name}; the nodes are {names}");
        Ok(nodes)
    }

    async fn all_ready(&self, nodes: &[Arc<Node>]) -> Result<()> {
        let mut deadline = Instant::now() + READY_WITHIN;
        let at_all = Instant::now() + CAUGHT_UP_WITHIN;
        for node in nodes {
            let name = &node.site().name;
            loop {
                match self.api.ready(&self.node_url(name)).await {
                    Ready::Yes => break,
                    // It is at work, and who has missed much needs long.
                    Ready::CatchingUp => deadline = at_all.min(Instant::now() + READY_WITHIN),
                    Ready::No => {}
                }
                if let State::Down { why } = node.state() {
                    bail!("{name} {why}:\n{}", node.log_tail());
                }
                if Instant::now() > deadline {
                    bail!("{name} was not ready within {READY_WITHIN:?}:\n{}", node.log_tail());
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        Ok(())
    }

    /// Asks every node to end, and returns when all have.
    pub async fn end(&self) {
        for node in self.all() {
            node.end().await;
        }
    }
}

/// Changes each of the ways; gives those that were not so before.
fn changed(ways: Vec<Way>, change: impl Fn(&Way) -> Result<bool>) -> Result<Vec<Way>> {
    let mut changed = Vec::new();
    for way in ways {
        if change(&way)? {
            changed.push(way);
        }
    }
    Ok(changed)
}

/// Draws every node's addresses and makes its directory.
fn sites(topology: &Topology, dir: &Path, lines: Lines, ports: &mut Ports) -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for region in &topology.regions {
        let of_region = topology.nodes().into_iter().filter(|name| *name.region() == region.name);
        for (name, offset) in of_region.zip(0..) {
            let wish = if region.http_port == 0 { 0 } else { region.http_port + offset };
            let site = Site {
                http: ports.tcp(wish)?,
                replication: lines.listen(topology, &name, ports)?,
                dir: dir.join("nodes").join(name.to_string()),
                // The first of all; the others catch up with it before they are ready.
                founds: sites.is_empty(),
                name,
            };
            fs::create_dir_all(&site.dir).with_context(|| site.dir.display().to_string())?;
            sites.push(site);
        }
    }
    Ok(sites)
}
