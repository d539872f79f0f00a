//! The WAN as the kernel has it: a network namespace for each node, and one for the router between the regions.
//!
//! ```text
//!  [eu-1]──┐                     router                     ┌──[us-1]
//!          ├── bridge 10.77.1.0/24 ── firewall ── bridge 10.77.2.0/24
//!  [eu-2]──┘                                                └──[us-2]
//!
//!  127.0.0.1:7080 of the host ── door ── 127.0.0.1:7080 of [eu-1]
//! ```
//!
//! A cut is a rule of the router's firewall, as it would be in a real network. All of it goes when this is dropped; what
//! a process has left behind that was killed goes with the next start.

mod door;
mod rules;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{self, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, ensure};

use self::{door::Door, rules::Rules};
use super::{Change, Traffic, Weather};
use crate::{
    lab::{Site, own_user},
    topology::{NodeName, Topology, Way},
};

/// Where `ip netns` keeps namespaces.
const NAMESPACES: &str = "/run/netns";

/// The port at which each node listens for peers; each has an address of its own.
const REPLICATION_PORT: u16 = 7_081;

/// The router's address in each region's network.
const ROUTER: u8 = 254;

/// Regions and nodes of one region are numbers of an IPv4 address.
const NUMBER_MAX: u8 = 250;

/// Namespaces with a router between them. They go when this is dropped.
#[derive(Debug)]
pub struct Kernel {
    regions: Vec<String>,
    names: Mutex<Vec<String>>,
    doors: Mutex<Vec<Door>>,
    rules: Mutex<Rules>,
}

/// Where a node listens for its peers.
pub(super) fn listen(topology: &Topology, name: &NodeName) -> Result<SocketAddr> {
    let regions: Vec<_> = topology.regions.iter().map(|region| region.name.to_string()).collect();
    Ok(SocketAddr::from((address(&regions, name)?, REPLICATION_PORT)))
}

fn address(regions: &[String], name: &NodeName) -> Result<Ipv4Addr> {
    let region = number_of(regions, name.region().as_str())?;
    let node = u8::try_from(name.number()).ok().filter(|number| *number <= NUMBER_MAX);
    Ok(Ipv4Addr::new(10, 77, region, node.with_context(|| format!("{name}: more than {NUMBER_MAX} nodes"))?))
}

/// The number of a region, from 1.
fn number_of(regions: &[String], name: &str) -> Result<u8> {
    let index = regions.iter().position(|region| region == name).context("a region of the topology")?;
    let number = u8::try_from(index + 1).ok().filter(|number| *number <= NUMBER_MAX);
    number.with_context(|| format!("regions: more than {NUMBER_MAX} of them"))
}

impl Kernel {
    pub(super) fn open(topology: &Topology, sites: &[Site]) -> Result<Self> {
        ensure!(
            own_user()? == 0,
            "--namespaces: only root makes network namespaces: sudo cluster/up --namespaces"
        );
        clear_leftovers();
        let regions: Vec<_> = topology.regions.iter().map(|region| region.name.to_string()).collect();
        let kernel = Self {
            rules: Mutex::new(Rules::of(topology)),
            regions,
            names: Mutex::default(),
            doors: Mutex::default(),
        };
        kernel.open_router()?;
        for site in sites {
            kernel.join(site)?;
        }
        kernel.apply()?;
        Ok(kernel)
    }

    fn open_router(&self) -> Result<()> {
        let router = self.add_namespace("wan")?;
        for (number, _) in (1_u8..).zip(&self.regions) {
            let bridge = format!("br{number}");
            ip(&["-n", &router, "link", "add", &bridge, "type", "bridge"])?;
            ip(&["-n", &router, "address", "add", &format!("10.77.{number}.{ROUTER}/24"), "dev", &bridge])?;
            ip(&["-n", &router, "link", "set", &bridge, "up"])?;
        }
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        ip(&["netns", "exec", &router, "sh", "-c", forward])
    }

    /// Gives a node a namespace, an address in its region's network, and a door for who asks it from the host.
    pub(super) fn join(&self, site: &Site) -> Result<()> {
        let region = number_of(&self.regions, site.name.region().as_str())?;
        let (router, cable) = (namespace("wan"), format!("v{region}x{}", site.name.number()));
        let node = self.add_namespace(&site.name.to_string())?;
        let address = format!("{}/24", address(&self.regions, &site.name)?);
        let gateway = format!("10.77.{region}.{ROUTER}");
        ip(&[
            "link", "add", &cable, "netns", &router, "type", "veth", "peer", "name", "eth0", "netns", &node,
        ])?;
        ip(&["-n", &router, "link", "set", &cable, "master", &format!("br{region}"), "up"])?;
        ip(&["-n", &node, "address", "add", &address, "dev", "eth0"])?;
        ip(&["-n", &node, "link", "set", "eth0", "up"])?;
        ip(&["-n", &node, "link", "set", "lo", "up"])?;
        ip(&["-n", &node, "route", "add", "default", "via", &gateway])?;
        let door = Door::open(site.http, &Path::new(NAMESPACES).join(&node))?;
        lock(&self.doors).push(door);
        Ok(())
    }

    fn add_namespace(&self, of: &str) -> Result<String> {
        let name = namespace(of);
        // One of a node that was removed, and that is added again.
        if !lock(&self.names).contains(&name) {
            ip(&["netns", "add", &name])?;
            lock(&self.names).push(name.clone());
        }
        Ok(name)
    }

    pub(super) fn cut(&self, way: &Way) -> Result<bool> {
        self.change(|rules| rules.set_cut(way, true))
    }

    pub(super) fn heal(&self, way: &Way) -> Result<bool> {
        self.change(|rules| rules.restore(way))
    }

    pub(super) fn alter(&self, way: &Way, change: Change) -> Result<bool> {
        self.change(|rules| rules.alter(way, change))
    }

    pub(super) fn weather(&self) -> BTreeMap<Way, Weather> {
        lock(&self.rules).weather()
    }

    fn change(&self, change: impl FnOnce(&mut Rules) -> bool) -> Result<bool> {
        let is_changed = change(&mut lock(&self.rules));
        if is_changed {
            self.apply()?;
        }
        Ok(is_changed)
    }

    fn apply(&self) -> Result<()> {
        let script = lock(&self.rules).script();
        nft(&["-f", "-"], &script).map(drop)
    }

    pub(super) fn traffic(&self) -> Result<BTreeMap<Way, Traffic>> {
        let counters = nft(&["-j", "list", "counters", "table", "inet", rules::TABLE], "")?;
        lock(&self.rules).traffic(&counters)
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        lock(&self.doors).clear();
        for name in lock(&self.names).drain(..) {
            // Whatever stays is cleared by the next start.
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

/// What starts a process in a node's namespace.
pub(super) fn within(name: &NodeName) -> Vec<String> {
    ["ip", "netns", "exec", &namespace(&name.to_string())].map(str::to_owned).to_vec()
}

/// The name of a namespace of this process.
fn namespace(of: &str) -> String {
    format!("playmark-{}-{of}", process::id())
}

/// Removes the namespaces of processes that are gone.
fn clear_leftovers() {
    let Ok(names) = fs::read_dir(NAMESPACES) else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let pid = name.strip_prefix("playmark-").and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let ran = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    let output = ran.context("ip: is iproute2 installed?")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), said.trim());
    Ok(())
}

/// Lets `nft` read a script in the router's namespace; what it prints.
fn nft(arguments: &[&str], script: &str) -> Result<String> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace("wan"), "nft"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("ip: is iproute2 installed?")?;
    child.stdin.take().context("its input was asked for")?.write_all(script.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nft (is nftables installed?): {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
