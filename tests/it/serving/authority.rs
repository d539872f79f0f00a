//! A cluster whose certificates `playmark certs` made, as an operator makes them.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

use super::Serve;
use crate::patience::within;

/// The authority of a cluster named `demo`, and the homes of its nodes.
pub(crate) struct Authority {
    home: TempDir,
}

impl Authority {
    pub(crate) async fn make() -> Self {
        let authority = Self { home: TempDir::new().expect("a directory can be made") };
        authority.certs(&["ca", "--cluster", "demo"]).await;
        authority
    }

    /// Certifies a node called `REGION-1`, which dials these peers.
    pub(crate) async fn node(&self, region: &str, peers: &[(&str, SocketAddr)]) -> Serve {
        let (ca, name) = (text(&self.certificates()), name_in(region));
        self.certs(&["node", "--ca", &ca, "--name", &name, "--region", region]).await;
        let home = self.home.path().join(region);
        fs::create_dir(&home).expect("it is the only one of its region");
        let file = |name: &str| self.certificates().join(name);
        let serve = Serve::at(&home)
            .with("--name", &name)
            .with("--region", region)
            .with("--cluster", "demo")
            .with("--tokens-secret-file", file("cluster.secret"))
            .with("--replication-listen", "127.0.0.1:0")
            .with("--replication-ca", file("ca.crt"))
            .with("--replication-certificate", file(&format!("{name}.crt")))
            .with("--replication-key", file(&format!("{name}.key")));
        peers.iter().fold(serve, |serve, (region, address)| {
            serve.with("--replication-peer", format!("{}.{region}={address}", name_in(region)))
        })
    }

    /// Certifies a node called `REGION-1`, which is told of an address and not who is there.
    pub(crate) async fn joining(&self, region: &str, address: impl std::fmt::Display) -> Serve {
        self.node(region, &[]).await.with("--replication-join", address.to_string())
    }

    /// Where the certificates are.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.home.path().join("certs")
    }

    /// Where a node keeps all it has.
    pub(crate) fn home_of(&self, region: &str) -> PathBuf {
        self.home.path().join(region)
    }

    async fn certs(&self, words: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
        command.arg("certs").args(words).arg("--out").arg(self.certificates());
        let output = within(command.output()).await.expect("it can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn name_in(region: &str) -> String {
    format!("{region}-1")
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary directories have plain names").to_owned()
}
