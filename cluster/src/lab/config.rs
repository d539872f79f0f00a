//! The files a node is started with: certificates made by the binary itself, and a configuration.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::process::Command;

use crate::topology::NodeName;

/// Makes the cluster's own certificates with `playmark certs`, as an operator would.
#[derive(Debug)]
pub(super) struct Certificates {
    binary: PathBuf,
    dir: PathBuf,
}

impl Certificates {
    pub(super) async fn make(binary: &Path, cluster: &str, dir: PathBuf, nodes: &[NodeName]) -> Result<Self> {
        let certificates = Self { binary: binary.to_owned(), dir };
        // Those of an earlier cluster that goes on are as good.
        let is_there = |file: &str| certificates.dir.join(file).exists();
        if !is_there("ca.crt") {
            certificates.run(&["ca", "--cluster", cluster]).await?;
        }
        for node in nodes.iter().filter(|node| !is_there(&format!("{node}.crt"))) {
            certificates.certify(node).await?;
        }
        Ok(certificates)
    }

    /// Makes one more node's.
    pub(super) async fn certify(&self, node: &NodeName) -> Result<()> {
        let ca = self.dir.to_str().context("the state directory's path is not Unicode")?;
        let (name, region) = (node.to_string(), node.region().as_str());
        self.run(&["node", "--ca", ca, "--name", &name, "--region", region]).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.binary);
        let ran = command.arg("certs").args(arguments).arg("--out").arg(&self.dir).output().await;
        let output = ran.with_context(|| self.binary.display().to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "playmark certs {}: {}", arguments.join(" "), said.trim());
        Ok(())
    }
}

/// A node's configuration, as the file it reads.
#[derive(Debug, Serialize)]
pub(super) struct Config<'a> {
    name: String,
    region: &'a str,
    cluster: &'a str,
    data: PathBuf,
    found: bool,
    clock_offset_ms: i64,
    http: Http<'a>,
    replication: Replication<'a>,
    tokens: Tokens,
}

#[derive(Debug, Serialize)]
struct Http<'a> {
    listen: SocketAddr,
    cors_origins: &'a [String],
}

#[derive(Debug, Serialize)]
struct Replication<'a> {
    listen: SocketAddr,
    /// By the relay each node is reached at another address from each other one, so that none may be told on.
    #[serde(skip_serializing_if = "Option::is_none")]
    advertise: Option<&'static str>,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    peers: Vec<Peer<'a>>,
}

#[derive(Debug, Serialize)]
struct Peer<'a> {
    name: String,
    region: &'a str,
    address: SocketAddr,
}

#[derive(Debug, Serialize)]
struct Tokens {
    secret_file: PathBuf,
}

/// Where a node stands and listens.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) name: NodeName,
    pub(crate) http: SocketAddr,
    pub(crate) replication: SocketAddr,
    pub(crate) dir: PathBuf,
    /// Whether it begins the cluster, which it does on its first start only.
    pub(crate) founds: bool,
}

impl<'a> Config<'a> {
    /// The configuration of a node that finds its peers at these addresses, and answers pages of these origins.
    pub(super) fn new(
        site: &'a Site,
        cluster: &'a str,
        certificates: &Certificates,
        peers: &'a BTreeMap<NodeName, SocketAddr>,
        pages: &'a [String],
        relayed: bool,
    ) -> Self {
        let peer = |(name, address): (&'a NodeName, &SocketAddr)| Peer {
            name: name.to_string(),
            region: name.region().as_str(),
            address: *address,
        };
        let file = |name: &str| certificates.dir.join(name);
        Self {
            name: site.name.to_string(),
            region: site.name.region().as_str(),
            cluster,
            data: site.dir.join("data"),
            found: site.founds,
            clock_offset_ms: 0,
            http: Http { listen: site.http, cors_origins: pages },
            replication: Replication {
                listen: site.replication,
                advertise: relayed.then_some("none"),
                ca: file("ca.crt"),
                certificate: file(&format!("{}.crt", site.name)),
                key: file(&format!("{}.key", site.name)),
                peers: peers.iter().map(peer).collect(),
            },
            tokens: Tokens { secret_file: file("cluster.secret") },
        }
    }

    /// With a clock that is off by so much.
    pub(super) fn off_by(self, clock_offset_ms: i64) -> Self {
        Self { clock_offset_ms, ..self }
    }

    /// Writes it where the node looks for it.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = toml::to_string(self).context("a configuration is made of tables, text and numbers")?;
        fs::write(file, text).with_context(|| file.display().to_string())
    }
}
