//! The WAN between the regions: one of our own making, or the kernel's.
//!
//! ```text
//!            what it can do                              who may
//! relay      delay, jitter, loss, copies, rate, cuts     everybody
//! kernel     real interfaces and routes; cuts, loss and  root
//!            rate by firewall rules; no delay
//! ```

mod kernel;
mod relay;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};

use self::{kernel::Kernel, relay::Relay};
use crate::{
    lab::{Ports, Site},
    topology::{NodeName, Topology, Way},
};

/// What lies between the regions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Lines {
    /// A relay on loopback, which every user may run.
    #[default]
    Relay,
    /// Network namespaces with a router and its firewall, which only root may make.
    Kernel,
}

/// A running WAN. It stands still when dropped.
#[derive(Debug)]
pub enum Wan {
    /// Of our own making.
    Relay(Relay),
    /// The kernel's.
    Kernel(Kernel),
}

/// What is made of a line while it runs; what is not named stays.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Change {
    /// How long a packet is under way, one way.
    pub delay: Option<Duration>,
    /// How many of a hundred packets are lost.
    pub loss_percent: Option<f64>,
    /// What the line carries, in megabits a second.
    pub rate_mbit: Option<f64>,
}

/// One direction of the WAN, as it is at the moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weather {
    /// Whether nothing passes.
    pub cut: bool,
    /// How long a packet is under way.
    pub delay: Duration,
    /// Up to this much more.
    pub jitter: Duration,
    /// How many of a hundred packets are lost.
    pub loss_percent: f64,
    /// Whether it is not what its topology says.
    pub altered: bool,
}

/// What became of the packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Handed on.
    pub passed: u64,
    /// Lost by the weather, a full queue, or for their length.
    pub dropped: u64,
    /// Lost to a cut.
    pub cut: u64,
    /// In the line at the moment.
    pub under_way: usize,
}

impl Lines {
    /// Draws where a node listens for its peers.
    pub(crate) fn listen(
        self,
        topology: &Topology,
        name: &NodeName,
        ports: &mut Ports,
    ) -> Result<SocketAddr> {
        match self {
            Self::Relay => ports.udp(),
            Self::Kernel => kernel::listen(topology, name),
        }
    }
}

impl Wan {
    /// Opens the WAN of a topology between these nodes. Nothing is cut yet: a node that never met another would not know
    /// that it may answer.
    pub(crate) fn open(lines: Lines, topology: &Topology, sites: &[Site]) -> Result<Self> {
        match lines {
            Lines::Relay => {
                let listens = sites.iter().map(|site| (site.name.clone(), site.replication)).collect();
                Relay::open(topology, &listens).map(Self::Relay)
            }
            Lines::Kernel => Kernel::open(topology, sites).map(Self::Kernel),
        }
    }

    /// What it is made of.
    pub(crate) fn lines(&self) -> Lines {
        match self {
            Self::Relay(_) => Lines::Relay,
            Self::Kernel(_) => Lines::Kernel,
        }
    }

    /// Lets one more node be reached, and reach all others of `listens`, itself among them.
    pub(crate) fn join(&self, new: &Site, listens: &BTreeMap<NodeName, SocketAddr>) -> Result<()> {
        match self {
            Self::Relay(relay) => relay.join(std::slice::from_ref(&new.name), listens),
            Self::Kernel(kernel) => kernel.join(new),
        }
    }

    /// The address under which `from` knows `to`, where it is not the one at which that listens.
    pub(crate) fn address(&self, from: &NodeName, to: &NodeName) -> Option<SocketAddr> {
        match self {
            Self::Relay(relay) => relay.address(from, to),
            Self::Kernel(_) => None,
        }
    }

    /// What a node's process is started by, if not by itself.
    pub(crate) fn within(&self, name: &NodeName) -> Vec<String> {
        match self {
            Self::Relay(_) => Vec::new(),
            Self::Kernel(_) => kernel::within(name),
        }
    }

    /// Cuts one direction, packets under way included. Says whether that changed anything.
    pub fn cut(&self, way: &Way) -> Result<bool> {
        match self {
            Self::Relay(relay) => Ok(relay.cut(way)),
            Self::Kernel(kernel) => kernel.cut(way),
        }
    }

    /// Heals one direction: nothing is cut, and the weather is that of its topology. Says whether that changed
    /// anything.
    pub fn heal(&self, way: &Way) -> Result<bool> {
        match self {
            Self::Relay(relay) => Ok(relay.heal(way)),
            Self::Kernel(kernel) => kernel.heal(way),
        }
    }

    /// Changes the weather of one direction.
    pub fn alter(&self, way: &Way, change: Change) -> Result<()> {
        match self {
            Self::Relay(relay) => relay.alter(way, change),
            Self::Kernel(kernel) => {
                ensure!(
                    change.delay.is_none(),
                    "a firewall delays nothing: start without --namespaces for that"
                );
                kernel.alter(way, change)?;
            }
        }
        Ok(())
    }

    /// The weather of each direction.
    pub fn weather(&self) -> BTreeMap<Way, Weather> {
        match self {
            Self::Relay(relay) => relay.weather(),
            Self::Kernel(kernel) => kernel.weather(),
        }
    }

    /// The directions that are cut.
    pub fn cuts(&self) -> Vec<Way> {
        self.weather().into_iter().filter(|(_, weather)| weather.cut).map(|(way, _)| way).collect()
    }

    /// What became of each direction's packets so far.
    pub fn traffic(&self) -> Result<BTreeMap<Way, Traffic>> {
        match self {
            Self::Relay(relay) => Ok(relay.traffic()),
            Self::Kernel(kernel) => kernel.traffic(),
        }
    }
}
