//! The flags of `playmark serve`: the configuration's keys, as far as a command line suits them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use figment::value::{Dict, Value};
use playmark::config::Flag;

/// Each flag stands for a key of the configuration, and wins over file and environment.
#[derive(Args, Debug)]
pub(super) struct ServeFlags {
    /// A TOML file with any of the keys.
    #[arg(long, env = "PLAYMARK_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long)]
    data: Option<String>,
    /// Where backups go; without it none are made.
    #[arg(long)]
    backup_dir: Option<String>,
    /// Begin a new cluster with this node: for exactly one of its nodes, on its first start.
    #[arg(long)]
    found: bool,
    /// The node's name.
    #[arg(long)]
    name: Option<String>,
    /// Where it stands.
    #[arg(long)]
    region: Option<String>,
    /// To which cluster it belongs.
    #[arg(long)]
    cluster: Option<String>,
    /// The TCP address for players; port 0 lets the system choose.
    #[arg(long)]
    http_listen: Option<String>,
    /// Serve whoever comes, even beyond this machine, without asking who they are.
    #[arg(long)]
    http_unauthenticated: bool,
    /// The file of static keys; see `playmark keys new`.
    #[arg(long)]
    auth_keys_file: Option<String>,
    /// The file with the secret of bearer tokens (HS256).
    #[arg(long)]
    auth_jwt_secret_file: Option<String>,
    /// The file with the public keys of bearer tokens.
    #[arg(long)]
    auth_jwks_file: Option<String>,
    /// Where the issuer of bearer tokens publishes its keys.
    #[arg(long)]
    auth_jwks_url: Option<String>,
    /// The UDP address for peers; port 0 lets the system choose.
    #[arg(long)]
    replication_listen: Option<String>,
    /// The address at which peers reach this node, where it listens on all of its own.
    #[arg(long, value_name = "HOST:PORT")]
    replication_advertise: Option<String>,
    /// An address at which some node of the cluster is, and once more for each.
    #[arg(long, value_name = "HOST:PORT")]
    replication_join: Vec<String>,
    /// The cluster's authority.
    #[arg(long)]
    replication_ca: Option<String>,
    /// The node's certificate.
    #[arg(long)]
    replication_certificate: Option<String>,
    /// The certificate's key.
    #[arg(long)]
    replication_key: Option<String>,
    /// A peer to dial, and once more for each; replaces those of the file.
    #[arg(long, value_name = "NAME.REGION=HOST:PORT")]
    replication_peer: Vec<String>,
    /// What signs tokens, the same on every node.
    #[arg(long)]
    tokens_secret_file: Option<String>,
    /// How long a session may go on under one authorisation, in seconds.
    #[arg(long)]
    tokens_lifetime_s: Option<u64>,
    /// How long a session must have played before its place counts.
    #[arg(long)]
    playback_engaged_ms: Option<u64>,
    /// From which share of its length on a title counts as completed.
    #[arg(long)]
    playback_completed_percent: Option<u64>,
    /// How often players are asked to report.
    #[arg(long)]
    playback_heartbeat_interval_ms: Option<u64>,
    /// text or json.
    #[arg(long)]
    log_format: Option<String>,
    /// Which parts log how much, for example `info` or `info,playmark::transport=debug`.
    #[arg(long)]
    log_filter: Option<String>,
}

impl ServeFlags {
    /// Those that were given, as keys and values.
    pub(super) fn given(self) -> anyhow::Result<Vec<Flag>> {
        let texts = [
            ("data", self.data),
            ("backup.dir", self.backup_dir),
            ("name", self.name),
            ("region", self.region),
            ("cluster", self.cluster),
            ("http.listen", self.http_listen),
            ("auth.keys_file", self.auth_keys_file),
            ("auth.jwt_secret_file", self.auth_jwt_secret_file),
            ("auth.jwks_file", self.auth_jwks_file),
            ("auth.jwks_url", self.auth_jwks_url),
            ("replication.listen", self.replication_listen),
            ("replication.advertise", self.replication_advertise),
            ("replication.ca", self.replication_ca),
            ("replication.certificate", self.replication_certificate),
            ("replication.key", self.replication_key),
            ("tokens.secret_file", self.tokens_secret_file),
            ("log.format", self.log_format),
            ("log.filter", self.log_filter),
        ];
        let numbers = [
            ("tokens.lifetime_s", self.tokens_lifetime_s),
            ("playback.engaged_ms", self.playback_engaged_ms),
            ("playback.completed_percent", self.playback_completed_percent),
            ("playback.heartbeat_interval_ms", self.playback_heartbeat_interval_ms),
        ];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, Value::from(text?))));
        let numbers = numbers.into_iter().filter_map(|(key, number)| Some((key, Value::from(number?))));
        let mut given: Vec<Flag> = texts.chain(numbers).collect();
        if self.found {
            given.push(("found", Value::from(true)));
        }
        if self.http_unauthenticated {
            given.push(("http.unauthenticated", Value::from(true)));
        }
        if !self.replication_join.is_empty() {
            given.push(("replication.join", Value::from(self.replication_join)));
        }
        if !self.replication_peer.is_empty() {
            let peers = self.replication_peer.iter().map(|text| peer(text));
            given.push(("replication.peers", Value::from(peers.collect::<anyhow::Result<Vec<_>>>()?)));
        }
        Ok(given)
    }
}

fn peer(text: &str) -> anyhow::Result<Dict> {
    let parts = text.split_once('=').and_then(|(name, address)| Some((name.split_once('.')?, address)));
    let ((name, region), address) =
        parts.with_context(|| format!("--replication-peer \"{text}\" must be NAME.REGION=HOST:PORT"))?;
    if region.contains('.') {
        bail!("--replication-peer \"{text}\" must be NAME.REGION=HOST:PORT, without the cluster");
    }
    let members = [("name", name), ("region", region), ("address", address)];
    Ok(members.into_iter().map(|(member, text)| (member.to_owned(), Value::from(text))).collect())
}
