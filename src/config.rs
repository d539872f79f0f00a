//! What an operator may choose: one value per key, from wherever it is given, validated whole.
//!
//! Defaults, then a TOML file, then the environment (`PLAYMARK_HTTP__LISTEN` is `http.listen`), then
//! flags; the later wins. Every problem is found before anything starts, and each names its key, where it
//! was given and what to give instead. A key that is not known is refused, because a misspelt one would
//! be believed to have an effect.

use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
    value::Value,
};

use crate::{
    crdt::Region,
    http, node,
    playback::{ENGAGED, Policy},
    store::RocksOptions,
    transport::{NodeName, PeerAddress, TlsPaths},
};

/// What the environment's names begin with.
const ENVIRONMENT: &str = "PLAYMARK_";

/// Every key, in the order of the reference.
pub const KEYS: [&str; 17] = [
    "name",
    "region",
    "cluster",
    "data",
    "http.listen",
    "replication.listen",
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

/// The keys of one of `replication.peers`.
const PEER_KEYS: [&str; 3] = ["name", "region", "address"];

/// How many peers may be listed: more full copies than anyone keeps.
const PEERS_MAX: usize = 64;

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
    pub http: http::Options,
    /// What is applied at the door and when reading.
    pub policy: Policy,
    /// What signs tokens.
    pub secret: SecretFile,
    /// What is logged, and how.
    pub log: Log,
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
        let mut reader = Reader { figment: &figment, problems: Vec::new() };
        reader.refuse_unknown().map_err(ConfigError::one)?;
        let config = read(&mut reader);
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError { problems: reader.problems }),
        }
    }
}

/// Leaves variables alone that merely begin like ours; one that is nearly a key is taken, and so refused.
fn known_name(name: &figment::value::UncasedStr) -> Option<figment::value::Uncased<'_>> {
    let lower = name.as_str().to_ascii_lowercase();
    let top = lower.split('.').next().unwrap_or_default().to_owned();
    let is_ours = KEYS.iter().any(|key| distance(key.split('.').next().unwrap_or(key), &top) <= 2);
    is_ours.then(|| name.into())
}

fn read(reader: &mut Reader<'_>) -> Option<Config> {
    let data = reader.path("data").unwrap_or_else(|| "./playmark-data".into());
    let replication = reader.has_section("replication").then(|| read_replication(reader));
    let name = read_name(reader);
    let http = read_http(reader);
    let policy = read_policy(reader);
    let log = read_log(reader);
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
        check_peers(reader, &name, &replication.peers);
    }
    let node = node::Options { name, store: data.join("store"), rocks: RocksOptions::default(), replication };
    Some(Config { data, node, http: http?, policy, secret, log })
}

fn read_name(reader: &mut Reader<'_>) -> Option<NodeName> {
    let name = reader.text("name").unwrap_or_else(|| "node".into());
    let region = reader.text("region").unwrap_or_else(|| "local".into());
    let cluster = reader.text("cluster").unwrap_or_else(|| "local".into());
    let region: Option<Region> = reader.parsed("region", &region);
    let named = NodeName::new(&name, region.clone()?, &cluster);
    let at_fault = if NodeName::new(&name, region?, "any").is_ok() { "cluster" } else { "name" };
    named.map_err(|why| reader.problem(at_fault, &why.to_string())).ok()
}

fn read_http(reader: &mut Reader<'_>) -> Option<http::Options> {
    let listen = reader.address("http.listen", http::Options::default().listen)?;
    if !listen.ip().is_loopback() {
        reader.problem("http.listen", &format!("{listen} is not a loopback address: this version has no authentication, so listen on 127.0.0.1 or [::1] and put a gateway before it"));
        return None;
    }
    Some(http::Options { listen })
}

fn read_replication(reader: &mut Reader<'_>) -> Option<node::Replication> {
    let listen = reader.address("replication.listen", SocketAddr::from(([127, 0, 0, 1], 7090)));
    let ca = reader.file("replication.ca");
    let certificate = reader.file("replication.certificate");
    let key = reader.file("replication.key");
    let peers = read_peers(reader);
    Some(node::Replication {
        listen: listen?,
        identity: TlsPaths { ca: ca?, certificate: certificate?, key: key? },
        peers: peers?,
    })
}

fn read_peers(reader: &mut Reader<'_>) -> Option<Vec<PeerAddress>> {
    let cluster = reader.text("cluster").unwrap_or_else(|| "local".into());
    let Some(value) = reader.value("replication.peers") else { return Some(Vec::new()) };
    let Value::Array(_, values) = value else {
        reader.problem("replication.peers", "must be a list: one [[replication.peers]] table for each");
        return None;
    };
    if values.len() > PEERS_MAX {
        reader.problem(
            "replication.peers",
            &format!("lists {} peers, and at most {PEERS_MAX} may be", values.len()),
        );
        return None;
    }
    let peers = values.into_iter().enumerate().map(|(index, value)| {
        let key = format!("replication.peers[{index}]");
        read_peer(reader, &key, &value, &cluster)
    });
    peers.collect::<Vec<_>>().into_iter().collect()
}

fn read_peer(reader: &mut Reader<'_>, key: &str, value: &Value, cluster: &str) -> Option<PeerAddress> {
    let dict = value.as_dict();
    let members = dict.into_iter().flatten();
    for (member, _) in members.filter(|(member, _)| !PEER_KEYS.contains(&member.as_str())) {
        let nearest = nearest(member, &PEER_KEYS);
        reader.problem("replication.peers", &format!("{key}.{member} is no key; did you mean {nearest}?"));
    }
    let [name, region, address] = PEER_KEYS.map(|member| {
        let found = dict.and_then(|dict| dict.get(member)).and_then(text_of);
        if found.is_none() {
            reader.problem("replication.peers", &format!("{key}.{member} is missing: give a text"));
        }
        found
    });
    let (name, region, address) = (name?, region?, address?);
    let named = region.parse().map_err(|why| format!("{key}.region: {why}"));
    let named =
        named.and_then(|region| NodeName::new(&name, region, cluster).map_err(|why| format!("{key}: {why}")));
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) {
        reader.problem("replication.peers", &format!("{key}.address \"{address}\" must be host:port"));
    }
    let name = named.map_err(|why| reader.problem("replication.peers", &why)).ok()?;
    Some(PeerAddress { name, address })
}

fn check_peers(reader: &mut Reader<'_>, own: &NodeName, peers: &[PeerAddress]) {
    let mut seen = BTreeSet::new();
    for peer in peers {
        if peer.name == *own {
            reader.problem("replication.peers", &format!("{own} is this node itself: leave it out"));
        } else if !seen.insert(&peer.name) {
            reader.problem("replication.peers", &format!("{} is listed twice: leave one out", peer.name));
        }
    }
}

fn read_policy(reader: &mut Reader<'_>) -> Policy {
    let mut policy = Policy::default();
    let engaged_min = u64::try_from(ENGAGED.as_millis()).unwrap_or(u64::MAX);
    if let Some(ms) = reader.whole("playback.engaged_ms", engaged_min..=600_000) {
        policy = policy.with_engaged(Duration::from_millis(ms)).expect("the range begins at the least");
    }
    if let Some(percent) = reader.whole("playback.completed_percent", 1..=100) {
        let percent = u8::try_from(percent).expect("at most a hundred");
        policy = policy.with_completed_percent(percent).expect("the range is that of percentages");
    }
    if let Some(ms) = reader.whole("playback.heartbeat_interval_ms", 100..=600_000) {
        policy.heartbeat_interval = Duration::from_millis(ms);
    }
    if let Some(seconds) = reader.whole("tokens.lifetime_s", 60..=7 * 86_400) {
        policy.token_lifetime = Duration::from_secs(seconds);
    }
    policy
}

fn read_log(reader: &mut Reader<'_>) -> Log {
    let format = reader.text("log.format").unwrap_or_else(|| "text".into());
    let filter = reader.text("log.filter").unwrap_or_else(|| "info".into());
    if let Err(why) = filter.parse::<tracing_subscriber::filter::Targets>() {
        reader.problem(
            "log.filter",
            &format!("\"{filter}\": {why}; give for example \"info\" or \"info,playmark::transport=debug\""),
        );
    }
    let format = match format.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => {
            reader.problem("log.format", &format!("\"{other}\" must be \"text\" or \"json\""));
            LogFormat::Text
        }
    };
    Log { format, filter }
}

/// Takes values by key, and gathers what is wrong with them.
struct Reader<'a> {
    figment: &'a Figment,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// Finds every key that is none. What cannot be read at all is the error.
    fn refuse_unknown(&mut self) -> Result<(), String> {
        let root = self.figment.find_value("").map_err(|why| why.to_string())?;
        let mut unknown = Vec::new();
        find_unknown(&root, "", &mut unknown);
        for key in unknown {
            let nearest = nearest(&key, &KEYS);
            self.problem(&key, &format!("is no key; did you mean {nearest}?"));
        }
        Ok(())
    }

    fn problem(&mut self, key: &str, fix: &str) {
        let given = self.figment.find_metadata(key).map(|metadata| match &metadata.source {
            Some(figment::Source::File(path)) => format!(" (in {})", path.display()),
            Some(figment::Source::Code(_)) => " (on the command line)".to_owned(),
            _ if metadata.name.contains("environment") => " (in the environment)".to_owned(),
            _ => String::new(),
        });
        self.problems.push(format!("{key}{}: {fix}", given.unwrap_or_default()));
    }

    fn has_section(&self, section: &str) -> bool {
        self.figment.find_value(section).is_ok()
    }

    fn value(&self, key: &str) -> Option<Value> {
        self.figment.find_value(key).ok()
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        let text = text_of(&value);
        if text.is_none() {
            self.problem(key, "must be a text");
        }
        text
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A file that must be given and there.
    fn file(&mut self, key: &str) -> Option<PathBuf> {
        let Some(path) = self.path(key) else {
            self.problem(key, "is required with replication: give a file that `playmark certs` made");
            return None;
        };
        match std::fs::File::open(&path) {
            Ok(_) => Some(path),
            Err(why) => {
                self.problem(key, &format!("{}: {why}", path.display()));
                None
            }
        }
    }

    fn address(&mut self, key: &str, default: SocketAddr) -> Option<SocketAddr> {
        match self.text(key) {
            Some(text) => self.parsed_or(key, &text, "must be an address and a port, such as 127.0.0.1:7080"),
            None => Some(default),
        }
    }

    fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&mut self, key: &str, text: &str) -> Option<T> {
        text.parse().map_err(|why| self.problem(key, &format!("\"{text}\": {why}"))).ok()
    }

    fn parsed_or<T: std::str::FromStr>(&mut self, key: &str, text: &str, fix: &str) -> Option<T> {
        text.parse().map_err(|_| self.problem(key, &format!("\"{text}\" {fix}"))).ok()
    }

    fn whole(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = value.to_u128().and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.problem(key, &format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }
}

/// A text, or a number or flag that the environment has made of one.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, letter) => Some(letter.to_string()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => number.to_u128().map(|number| number.to_string()),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

fn find_unknown(value: &Value, path: &str, unknown: &mut Vec<String>) {
    if KEYS.contains(&path) {
        return;
    }
    let is_section = path.is_empty() || KEYS.iter().any(|key| key.starts_with(&format!("{path}.")));
    match value.as_dict().filter(|_| is_section) {
        Some(dict) => {
            for (name, value) in dict {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                find_unknown(value, &path, unknown);
            }
        }
        None => unknown.push(path.to_owned()),
    }
}

fn nearest<'a>(text: &str, known: &[&'a str]) -> &'a str {
    known.iter().min_by_key(|known| distance(text, known)).copied().unwrap_or_default()
}

/// How many letters must be put in, taken out or exchanged (Levenshtein 1966).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, &found) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != found);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
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
