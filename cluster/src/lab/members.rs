//! What is done to single nodes while the others go on.

use std::{collections::BTreeMap, fs, net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, ensure};

use super::{Lab, UNBROKEN, config::Site, node::Node};
use crate::topology::{NODES_MAX, NodeName};

impl Lab {
    /// Holds a region's nodes, or one node: they keep everything, and do nothing. Says which ran.
    pub async fn pause(&self, name: &str) -> Result<Vec<NodeName>> {
        let mut paused = Vec::new();
        for node in self.named(name)? {
            if node.pause().await? {
                paused.push(node.site().name.clone());
            }
        }
        Ok(paused)
    }

    /// Takes a node's disk away and starts it with an empty one; returns when it has caught up.
    pub async fn wipe(&self, name: &str) -> Result<NodeName> {
        let node = self.only(name)?;
        ensure!(self.all().len() > 1, "{name} is the only node: nobody could give its data back");
        node.kill().await;
        node.wipe()?;
        // Who founds a cluster twice has two.
        let mut site = node.site().clone();
        site.founds = false;
        self.settle(&site, &self.listens())?;
        self.start_one(&site.name).await
    }

    /// Lets a node take its system time to be off by so much; it starts again for that.
    pub async fn skew(&self, name: &str, offset_ms: i64) -> Result<NodeName> {
        let node = self.only(name)?;
        node.end().await;
        self.configure(&node, &self.listens(), offset_ms)?;
        self.start_one(&node.site().name.clone()).await
    }

    /// Adds a node to a region; returns when it has caught up.
    ///
    /// # Panics
    /// Where somebody has panicked while drawing a port.
    pub async fn add(&self, region: &str) -> Result<NodeName> {
        let region = self.topology.region(region)?.name.clone();
        let names: Vec<_> = self.all().iter().map(|node| node.site().name.clone()).collect();
        ensure!(names.len() < NODES_MAX, "there are {NODES_MAX} nodes already");
        let last = names.iter().filter(|name| *name.region() == region).map(NodeName::number).max();
        let name = NodeName::new(&region, last.unwrap_or_default() + 1);
        let site = {
            let mut ports = self.ports.lock().expect(UNBROKEN);
            let dir = self.dir().join("nodes").join(name.to_string());
            let replication = self.wan.lines().listen(&self.topology, &name, &mut ports)?;
            Site { http: ports.tcp(0)?, replication, dir, founds: false, name: name.clone() }
        };
        fs::create_dir_all(&site.dir).with_context(|| site.dir.display().to_string())?;
        self.certificates.certify(&name).await?;
        let mut listens = self.listens();
        listens.insert(name.clone(), site.replication);
        self.wan.join(&site, &listens)?;
        self.settle(&site, &listens)?;
        self.start_one(&name).await
    }

    /// Ends a node in order and takes it out of the lab.
    ///
    /// # Panics
    /// Where somebody has panicked with the table of nodes in hand.
    pub async fn remove(&self, name: &str) -> Result<NodeName> {
        let node = self.only(name)?;
        ensure!(self.all().len() > 1, "{name} is the only node");
        node.end().await;
        let name = node.site().name.clone();
        self.nodes.write().expect(UNBROKEN).remove(&name);
        Ok(name)
    }

    async fn start_one(&self, name: &NodeName) -> Result<NodeName> {
        let node = self.node(name).context("it was just settled")?;
        node.start().await?;
        self.all_ready(&[node]).await?;
        Ok(name.clone())
    }

    /// The node of this name, or the only one of this region.
    fn only(&self, name: &str) -> Result<Arc<Node>> {
        let mut nodes = self.named(name)?;
        ensure!(nodes.len() == 1, "{name} has several nodes: name one of them");
        Ok(nodes.remove(0))
    }

    /// Where everybody listens for peers.
    fn listens(&self) -> BTreeMap<NodeName, SocketAddr> {
        self.all().iter().map(|node| (node.site().name.clone(), node.site().replication)).collect()
    }
}
