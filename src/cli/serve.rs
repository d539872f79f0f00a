//! `playmark serve`: a node from its start to its end.

use std::{fs, time::Duration};

use anyhow::{Context, anyhow};
use playmark::{
    config::{Config, Log, LogFormat},
    http::{self, App, Gate, Lanes},
    node::{Clock, Node, StartError},
    store::StoreError,
    transport::TransportError,
};
use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};
use tracing_subscriber::{EnvFilter, fmt};

use super::{Failure, files, flags::ServeFlags};

/// How long a node may take to leave, from the signal to the end of the process.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);

/// How long what has had its time may take to let go: a read of a slow device, and what hangs is abandoned.
const THREADS_WITHIN: Duration = Duration::from_secs(2);

/// Files that are open besides connections: the store's half of the usual thousand, links, logs.
const FILES_RESERVED: usize = 512 + 128;

pub(super) fn run(flags: ServeFlags) -> Result<(), Failure> {
    let file = flags.config.clone();
    let config =
        Config::load(file.as_deref(), flags.given().map_err(Failure::Usage)?).map_err(Failure::usage)?;
    start_log(&config.log).map_err(Failure::Usage)?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::running)?;
    let served = runtime.block_on(serve(config));
    // No thread may still be in the store while the end of the process takes the store's library down.
    runtime.shutdown_timeout(THREADS_WITHIN);
    served
}

async fn serve(config: Config) -> Result<(), Failure> {
    let Config { data, node: options, http, policy, secret, backup_dir, clock_offset_ms, .. } = config;
    fs::create_dir_all(&data).with_context(|| format!("data: {}", data.display())).map_err(Failure::Usage)?;
    let keys = files::token_keys(&secret).map_err(Failure::Usage)?;
    let mut asked = asked_to_leave().map_err(Failure::Running)?;
    let gate = Gate::open(&http).map_err(|why| Failure::Usage(anyhow!("auth: {why}")))?;
    if http.unauthenticated {
        tracing::warn!("http.unauthenticated: whoever reaches this node may read and write every profile");
    }
    if clock_offset_ms != 0 {
        tracing::warn!(clock_offset_ms, "this node takes its system time to be off: for trying out alone");
    }
    let listener = TcpListener::bind(http.listen)
        .await
        .with_context(|| format!("http.listen: cannot listen on {}", http.listen))
        .map_err(Failure::Running)?;

    let name = options.name.clone();
    let mut node = Node::start(options, Clock::start().off_by(clock_offset_ms)).map_err(start_failure)?;
    let handle = node.handle();
    tracing::info!(%name, replica = %handle.replica(), origin = %handle.origin(), "node starts a new life");
    if let Some(address) = node.replication_addr() {
        files::publish(&data.join("replication.addr"), &format!("{address}\n")).map_err(Failure::Running)?;
        println!("replication listens on {address}/udp");
    }
    let address = listener.local_addr().map_err(Failure::running)?;
    let lanes = Lanes::start().context("no thread to serve players").map_err(Failure::Running)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = App::new(handle.clone(), keys, policy, gate)
        .with_streams(streams())
        .with_backups(backup_dir)
        .router();
    let server = tokio::spawn(http::serve(listener, router, connections(), lanes, async {
        // A sender that is gone means the same as one that speaks.
        let _ = stopped.await;
    }));
    files::publish(&data.join("http.addr"), &format!("{address}\n")).map_err(Failure::Running)?;
    println!("http listens on {address}");

    let ended = tokio::select! {
        () = asked.signal() => None,
        ended = node.ended() => Some(ended),
    };
    handle.stop_taking();
    drop(stop);
    if let Some(ended) = ended {
        // Who waits is told that it is unknown. The server bounds how long that may take.
        let _ = server.await;
        return Err(Failure::Running(life_over(ended)));
    }
    tracing::info!("node leaves");
    let leave = async {
        let _ = server.await;
        node.leave().await
    };
    match timeout(LEAVE_WITHIN, leave).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(Failure::Running(life_over(Err(why)))),
        Err(_) => Err(Failure::Running(anyhow!("the node did not leave within {LEAVE_WITHIN:?}"))),
    }
}

fn life_over(ended: Result<(), StoreError>) -> anyhow::Error {
    let why = ended.err().map_or_else(|| anyhow!("the driver ended by itself"), anyhow::Error::from);
    why.context("this life of the replica is over; start the node again, and it begins a new one")
}

fn start_failure(why: StartError) -> Failure {
    match why {
        StartError::Store(StoreError::Unusable(_)) => {
            Failure::Usage(anyhow::Error::from(why).context("data"))
        }
        StartError::Transport(TransportError::Bind { .. }) | StartError::Store(_) | StartError::Thread(_) => {
            Failure::running(why)
        }
        StartError::Transport(_) => Failure::Usage(anyhow::Error::from(why).context("replication")),
    }
}

/// The signals by which a node is asked to leave.
struct Asked {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn asked_to_leave() -> anyhow::Result<Asked> {
    let terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM")?;
    let interrupt = signal(SignalKind::interrupt()).context("no handler for SIGINT")?;
    Ok(Asked { terminate, interrupt })
}

impl Asked {
    async fn signal(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// How many connections the process has files for, so that players never take the store's.
fn connections() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1_024_usize);
    soft.saturating_sub(FILES_RESERVED).clamp(FILES_RESERVED / 10, http::CONNECTIONS_MAX)
}

/// How many of the connections may be streams: a quarter is always left to those who report.
fn streams() -> usize {
    http::STREAMS_MAX.min(connections() / 4 * 3)
}

/// Logs to the standard error, where a supervisor expects it.
fn start_log(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.filter).context("log.filter")?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
