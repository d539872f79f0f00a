//! What an operator may choose: one value per key, from wherever it is given, validated whole.
//!
//! Defaults, then a TOML file, then the environment (`PLAYMARK_HTTP__LISTEN` is `http.listen`), then
//! flags; the later wins. Every problem is found before anything starts, and each names its key, where it
//! was given and what to give instead. A key that is not known is refused, because a misspelt one would
//! be believed to have an effect.

mod http;
mod reader;
mod replication;
mod sections;
mod spelling;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
    value::Value,
};

use crate::{node, playback::Policy, store::RocksOptions};

use self::{reader::Reader, spelling::distance};

/// What the environment's names begin with.
const ENVIRONMENT: &str = "PLAYMARK_";

/// As disks are counted.
const MEGABYTE: u64 = 1_024 * 1_024;

/// Every key, in the order of the reference.
pub const KEYS: [&str; 39] = [
    "name",
    "region",
    "cluster",
    "data",
    "data_reserve_mb",
    "found",
    "clock_offset_ms",
    "backup.dir",
    "http.listen",
    "http.unauthenticated",
    "http.allowed_hosts",
    "http.cors_origins",
    "http.trusted_proxies",
    "auth.keys_file",
    "auth.jwt_secret_file",
    "auth.jwks_file",
    "auth.jwks_url",
    "auth.jwks_ca_file",
    "auth.issuer",
    "auth.audience",
    "limits.address_requests_per_s",
    "limits.subject_requests_per_s",
    "limits.key_requests_per_s",
    "limits.sessions_per_minute",
    "limits.contents_per_profile",
    "replication.listen",
    "replication.advertise",
    "replication.join",
    "replication.ca",
    "replication.certificate",
    "replication.key",
    "replication.peers",
    "tokens.secret_file",
    "tokens.lifetime_s",
    "playback.engaged_ms",
    "playback.completed_percent",
    "playback.heartbeat_interval_ms",
    "log.format",
    "log.filter",
];

/// What was given on the command line: a key and its value.
pub type Flag = (&'static str, Value);

/// A whole configuration: the options of each layer.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// The node, its store and its links.
    pub node: node::Options,
    /// What players talk to.
    pub http: crate::http::Options,
    /// What is applied at the door and when reading.
    pub policy: Policy,
    /// What signs tokens.
    pub secret: SecretFile,
    /// What is logged, and how.
    pub log: Log,
    /// Where backups go, if they may be made.
    pub backup_dir: Option<PathBuf>,
    /// By how much the node takes its system time to be off, for trying out what a wrong clock does.
    pub clock_offset_ms: i64,
}

/// Where the secret is that signs tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretFile {
    /// Made by an operator, the same on every node.
    Given(PathBuf),
    /// Made on the first start in the data directory: enough for a single node.
    Own(PathBuf),
}

/// What is logged, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// For whom.
    pub format: LogFormat,
    /// Directives of `tracing-subscriber`, such as `info,playmark::transport=debug`.
    pub filter: String,
}

/// For whom the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl Config {
    /// Reads the file, if one is named, the environment and the flags.
    ///
    /// # Errors
    /// All that is wrong with them, at once.
    pub fn load(file: Option<&Path>, flags: Vec<Flag>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            std::fs::metadata(file)
                .map_err(|why| ConfigError::one(format!("--config {}: {why}", file.display())))?;
            figment = figment.merge(Toml::file_exact(file));
        }
        figment =
            figment.merge(Env::prefixed(ENVIRONMENT).split("__").ignore(&["config"]).filter_map(known_name));
        for (key, value) in flags {
            figment = figment.merge(Serialized::default(key, value));
        }
        let mut reader = Reader::new(&figment);
        reader.refuse_unknown().map_err(ConfigError::one)?;
        let config = read(&mut reader);
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError { problems: reader.problems }),
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Config> {
    let data = reader.path("data").unwrap_or_else(|| "./playmark-data".into());
    let replication = reader.has_section("replication").then(|| replication::read(reader));
    let name = sections::read_name(reader);
    let http = http::read(reader);
    let policy = sections::read_policy(reader);
    let log = sections::read_log(reader);
    let clock_offset_ms = reader.offset("clock_offset_ms").unwrap_or_default();
    let reserve_mb = reader.whole("data_reserve_mb", 0..=1_000_000);
    let backup_dir = reader.path("backup.dir");
    let secret = match (reader.path("tokens.secret_file"), &replication) {
        (Some(path), _) => SecretFile::Given(path),
        (None, None) => SecretFile::Own(data.join("cluster.secret")),
        (None, Some(_)) => {
            reader.problem("tokens.secret_file", "is required with replication: every node must verify the others' tokens; give the cluster.secret that `playmark certs ca` made");
            SecretFile::Own(PathBuf::new())
        }
    };
    let (name, replication) = (name?, replication.map_or(Some(None), |found| found.map(Some))?);
    if let Some(replication) = &replication {
        replication::check(reader, &name, &replication.peers);
    }
    let list = |dir: &PathBuf| dir.join(format!("{}.{}", name.name(), node::ERASURES_EXTENSION));
    let erasures = backup_dir.as_ref().map(list);
    let node = node::Options {
        name,
        store: data.join("store"),
        members: data.join("members"),
        erasures,
        reserve_bytes: reserve_mb.unwrap_or(node::RESERVE_BYTES / MEGABYTE) * MEGABYTE,
        rocks: RocksOptions::default(),
        replication,
    };
    Some(Config { data, node, http: http?, policy, secret, log, backup_dir, clock_offset_ms })
}

/// Leaves variables alone that merely begin like ours; one that is nearly a key is taken, and so refused.
fn known_name(name: &figment::value::UncasedStr) -> Option<figment::value::Uncased<'_>> {
    let lower = name.as_str().to_ascii_lowercase();
    let top = lower.split('.').next().unwrap_or_default().to_owned();
    let is_ours = KEYS.iter().any(|key| distance(key.split('.').next().unwrap_or(key), &top) <= 2);
    is_ours.then(|| name.into())
}

/// Everything that is wrong with a configuration, one line for each; the operator's fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// Each names its key and what to give instead.
    pub problems: Vec<String>,
}

impl ConfigError {
    fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
