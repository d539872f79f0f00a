//! Orders from a second terminal, over a Unix socket in the state directory.
//!
//! One connection carries one order, a line of JSON; the answer is lines of JSON, each something said, and last
//! how it went. Only this user can reach the socket, as the directory is nobody else's.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinSet,
};

use crate::environment;

/// Orders are given by hand; more at once than this are a script gone wild, and wait at the socket.
const ORDERS_AT_ONCE: usize = 8;

/// An order is a word and two names.
pub(crate) const ORDER_BYTES_MAX: u64 = 4_096;

/// Lines said and not yet written; whoever says more waits.
const LINES_WAITING: usize = 64;

/// What a second terminal can ask for.
#[derive(Clone, PartialEq, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Cut the WAN between two regions.
    Cut {
        /// One region.
        from: String,
        /// The other.
        to: String,
        /// Only what the first sends to the second.
        #[arg(long)]
        one_way: bool,
    },
    /// Heal every line that was cut, slowed or made to lose, or those between two regions, and wait until all
    /// regions answer alike.
    Heal {
        /// One region.
        #[arg(requires = "to")]
        from: Option<String>,
        /// The other.
        to: Option<String>,
    },
    /// Let packets between two regions take longer, or a line carry less.
    Slow {
        /// One region.
        from: String,
        /// The other.
        to: String,
        /// How long a packet is under way, one way.
        #[arg(long, value_name = "MS", required_unless_present = "rate_mbit")]
        delay_ms: Option<f64>,
        /// What the line carries, in megabits a second.
        #[arg(long, value_name = "MBIT")]
        rate_mbit: Option<f64>,
        /// Only what the first sends to the second.
        #[arg(long)]
        one_way: bool,
    },
    /// Let some of a hundred packets between two regions be lost.
    Lose {
        /// One region.
        from: String,
        /// The other.
        to: String,
        /// How many of a hundred.
        percent: f64,
        /// Only what the first sends to the second.
        #[arg(long)]
        one_way: bool,
    },
    /// Hold a region, or one node: it keeps everything, and does nothing until it is started.
    Pause {
        /// A region or a node.
        name: String,
    },
    /// Take a node's disk away, start it with an empty one, and wait until all regions answer alike.
    Wipe {
        /// A node, or a region with one.
        name: String,
    },
    /// Let a node's clock be off; it starts again for that.
    Skew {
        /// A node, or a region with one.
        name: String,
        /// By how many milliseconds; 0 sets it right.
        #[arg(allow_negative_numbers = true)]
        offset_ms: i64,
    },
    /// Add a node to a region, and wait until all answer alike.
    Add {
        /// A region.
        region: String,
    },
    /// End a node in order and take it out.
    Remove {
        /// A node, or a region with one.
        name: String,
    },
    /// Give orders by chance for a while, then heal everything and wait until all regions answer alike.
    Chaos {
        /// Where the dice start: the same seed gives the same orders.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// For how long.
        #[arg(long, default_value_t = 1.0)]
        minutes: f64,
    },
    /// Write down what has happened since the start.
    Report,
    /// Kill a region, or one node, as a power cut would.
    Kill {
        /// A region or a node.
        name: String,
    },
    /// Start what was killed, let go on what is held, and wait until all regions answer alike.
    Start {
        /// A region or a node.
        name: String,
    },
    /// One look at every region.
    Status,
    /// Hold the viewers for a moment and compare what all regions answer.
    Check,
}

impl Order {
    /// The order as one would type it after `cluster/`.
    pub fn words(&self) -> String {
        let way = |one_way: &bool| if *one_way { " --one-way" } else { "" };
        match self {
            Self::Cut { from, to, one_way } => format!("cut {from} {to}{}", way(one_way)),
            Self::Heal { from: Some(from), to: Some(to) } => format!("heal {from} {to}"),
            Self::Heal { .. } => "heal".into(),
            Self::Slow { from, to, delay_ms, rate_mbit, one_way } => {
                let delay = delay_ms.map_or_else(String::new, |ms| format!(" --delay-ms {ms}"));
                let rate = rate_mbit.map_or_else(String::new, |rate| format!(" --rate-mbit {rate}"));
                format!("slow {from} {to}{delay}{rate}{}", way(one_way))
            }
            Self::Lose { from, to, percent, one_way } => {
                format!("lose {from} {to} {percent}{}", way(one_way))
            }
            Self::Pause { name } => format!("pause {name}"),
            Self::Wipe { name } => format!("wipe {name}"),
            Self::Skew { name, offset_ms } => format!("skew {name} {offset_ms}"),
            Self::Add { region } => format!("add {region}"),
            Self::Remove { name } => format!("remove {name}"),
            Self::Chaos { seed, minutes } => format!("chaos --seed {seed} --minutes {minutes}"),
            Self::Report => "report".into(),
            Self::Kill { name } => format!("kill {name}"),
            Self::Start { name } => format!("start {name}"),
            Self::Status => "status".into(),
            Self::Check => "check".into(),
        }
    }
}

/// How an order went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As asked.
    Done,
    /// Not as asked, or not all regions answer alike.
    Failed,
}

/// A line of the answer to an order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Something said.
    Said(String),
    /// How it went; the last line.
    Ended(Outcome),
}

/// Says something to whoever gave the order.
#[derive(Clone, Debug)]
pub struct Say(mpsc::Sender<String>);

impl Say {
    /// Somebody to say things to, and what they hear.
    pub(crate) fn open() -> (Self, mpsc::Receiver<String>) {
        let (said, lines) = mpsc::channel(LINES_WAITING);
        (Self(said), lines)
    }

    /// Says a line, or several.
    pub async fn line(&self, text: impl Into<String>) {
        // A terminal that was closed meanwhile does not undo the order.
        let _ = self.0.send(text.into()).await;
    }
}

/// Obeys orders.
pub trait Obey: Send + Sync + 'static {
    /// Carries an order out, saying what happens.
    fn obey(&self, order: Order, say: &Say) -> impl Future<Output = Outcome> + Send;
}

/// The state directory of this user, or the one named by `PLAYMARK_CLUSTER_DIR`.
pub fn state_dir() -> Result<PathBuf> {
    Ok(environment::state_dir()?)
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Says whether a cluster runs in this directory.
pub async fn is_running(dir: &Path) -> bool {
    UnixStream::connect(socket(dir)).await.is_ok()
}

/// The socket orders come in by. It is removed when dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket, in place of one that an earlier cluster left behind.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = socket(dir);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => bail!("{}: {error}", path.display()),
            _ => {}
        }
        let listener = UnixListener::bind(&path).with_context(|| path.display().to_string())?;
        Ok(Self { listener, path })
    }

    /// Takes orders, for ever.
    pub async fn run(&self, cluster: Arc<impl Obey>) {
        let mut orders = JoinSet::new();
        loop {
            if orders.len() >= ORDERS_AT_ONCE {
                orders.join_next().await;
                continue;
            }
            tokio::select! {
                Some(_) = orders.join_next() => {}
                Ok((stream, _)) = self.listener.accept() => {
                    let cluster = Arc::clone(&cluster);
                    // A caller that hangs up has its order carried out and hears no more.
                    orders.spawn(async move { let _ = serve(stream, &*cluster).await; });
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The next start removes what cannot be removed here.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(stream: UnixStream, cluster: &impl Obey) -> Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(ORDER_BYTES_MAX)).read_line(&mut line).await?;
    let order = serde_json::from_str(&line)?;
    let (say, mut lines) = Say::open();
    let write = async {
        while let Some(line) = lines.recv().await {
            send(&mut writing, &Answer::Said(line)).await?;
        }
        anyhow::Ok(writing)
    };
    let obey = async move { cluster.obey(order, &say).await };
    let (outcome, written) = tokio::join!(obey, write);
    send(&mut written?, &Answer::Ended(outcome)).await
}

async fn send(stream: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(stream.write_all(&line).await?)
}

/// Exit code: no cluster runs in the state directory.
const NOTHING_RUNS: u8 = 3;

/// Gives an order to the running cluster and prints what it says. Exit code 0: done; 1: failed; 3: nothing runs.
pub async fn give(dir: &Path, order: &Order) -> Result<ExitCode> {
    let Ok(mut stream) = UnixStream::connect(socket(dir)).await else {
        eprintln!("no cluster runs in {}: start one with cluster/up", dir.display());
        return Ok(ExitCode::from(NOTHING_RUNS));
    };
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            // Whoever reads only the first lines still gets the order carried out, and its exit code.
            Answer::Said(text) => drop(writeln!(io::stdout(), "{text}")),
            Answer::Ended(Outcome::Done) => return Ok(ExitCode::SUCCESS),
            Answer::Ended(Outcome::Failed) => return Ok(ExitCode::FAILURE),
        }
    }
    bail!("the cluster ended before it had answered")
}
