//! One node: a process that is started, killed and started again.

use std::{
    fs::{self, File, OpenOptions},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    sync::{Mutex, oneshot, watch},
    task::AbortHandle,
    time::timeout,
};

use super::{config::Site, watchdog::Watchdog};

/// A node that was asked to end syncs its disk and leaves; one that takes longer hangs.
const END_WITHIN: Duration = Duration::from_secs(5);

/// As much of a log as fits on a screen with something else on it.
const TAIL_LINES: usize = 12;

/// Why a node is down that was killed on purpose.
pub const KILLED: &str = "killed";

/// A node's process, and what is needed to have it again.
#[derive(Debug)]
pub(super) struct Node {
    site: Site,
    // The binary, and before it what lets it run elsewhere.
    command: Vec<String>,
    watchdog: Arc<Watchdog>,
    state: watch::Sender<State>,
    run: Mutex<Option<Run>>,
}

/// Whether a node's process runs.
///
/// ```text
/// Down ──start──▶ Running ──kill, end, or its own end──▶ Down
///                  │   ▲
///                pause go on
///                  ▼   │
///                 Paused ──kill──▶ Down
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It does, under this number.
    Running {
        /// The process's number.
        pid: u32,
    },
    /// It is held: it keeps everything, and does nothing.
    Paused {
        /// The process's number.
        pid: u32,
    },
    /// It does not.
    Down {
        /// What ended it.
        why: String,
    },
}

#[derive(Debug)]
struct Run {
    kill: oneshot::Sender<()>,
    keeper: AbortHandle,
}

impl Node {
    pub(super) fn new(site: Site, command: Vec<String>, watchdog: Arc<Watchdog>) -> Self {
        let state = watch::Sender::new(State::Down { why: "not started".to_owned() });
        Self { site, command, watchdog, state, run: Mutex::new(None) }
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.site.dir.join("playmark.toml")
    }

    /// Removes what the node keeps; it must not run.
    pub(super) fn wipe(&self) -> Result<()> {
        let data = self.site.dir.join("data");
        fs::remove_dir_all(&data).with_context(|| data.display().to_string())
    }

    fn log_file(&self) -> PathBuf {
        self.site.dir.join("log")
    }

    /// Starts the process. It is not said to be ready.
    pub(super) async fn start(&self) -> Result<()> {
        let mut run = self.run.lock().await;
        if let State::Running { pid } | State::Paused { pid } = self.state() {
            bail!("{} runs already, as process {pid}", self.site.name);
        }
        let child = self.spawn()?;
        let pid = child.id().expect("nobody has waited for it yet");
        self.watchdog.add(pid).await?;
        self.state.send_replace(State::Running { pid });
        let (kill, killed) = oneshot::channel();
        let keeper = tokio::spawn(keep(child, killed, self.state.clone(), Arc::clone(&self.watchdog), pid));
        *run = Some(Run { kill, keeper: keeper.abort_handle() });
        Ok(())
    }

    fn spawn(&self) -> Result<Child> {
        let file = self.log_file();
        let log = OpenOptions::new().create(true).append(true).open(&file);
        let log: File = log.with_context(|| file.display().to_string())?;
        let (program, arguments) =
            self.command.split_first().context("a node's command names its program")?;
        Command::new(program)
            .args(arguments)
            .arg("serve")
            .arg("--config")
            .arg(self.config_file())
            .current_dir(&self.site.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} does not start"))
    }

    /// Holds the process. Says whether it ran.
    pub(super) async fn pause(&self) -> Result<bool> {
        let State::Running { pid } = self.state() else { return Ok(false) };
        self.watchdog.hold(pid).await?;
        self.state.send_if_modified(|state| {
            let runs = *state == State::Running { pid };
            if runs {
                *state = State::Paused { pid };
            }
            runs
        });
        Ok(true)
    }

    /// Lets the process go on. Says whether it was held.
    pub(super) async fn go_on(&self) -> Result<bool> {
        let State::Paused { pid } = self.state() else { return Ok(false) };
        self.watchdog.go_on(pid).await?;
        self.state.send_if_modified(|state| {
            let is_held = *state == State::Paused { pid };
            if is_held {
                *state = State::Running { pid };
            }
            is_held
        });
        Ok(true)
    }

    /// Ends the process as a power cut would (SIGKILL), and waits until it is gone. Says whether it ran.
    pub(super) async fn kill(&self) -> bool {
        let Some(run) = self.run.lock().await.take() else { return false };
        // Its keeper may be gone already, with a process that ended by itself.
        let ran = run.kill.send(()).is_ok();
        self.gone().await;
        ran
    }

    /// Asks the process to end (SIGTERM), and kills it if it does not.
    pub(super) async fn end(&self) {
        // What is held hears nothing.
        let _ = self.go_on().await;
        if let State::Running { pid } = self.state() {
            let asked = self.watchdog.ask_to_end(pid).await.is_ok();
            if !asked || timeout(END_WITHIN, self.gone()).await.is_err() {
                self.kill().await;
            }
        }
    }

    async fn gone(&self) {
        let mut state = self.state.subscribe();
        // The sender is `self`, so the channel is open.
        let _ = state.wait_for(|state| matches!(state, State::Down { .. })).await;
    }

    /// The end of what the node has said, for whoever has to find out why it failed.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read(self.log_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(run) = self.run.get_mut() {
            run.keeper.abort();
        }
    }
}

async fn keep(
    mut child: Child,
    killed: oneshot::Receiver<()>,
    state: watch::Sender<State>,
    watchdog: Arc<Watchdog>,
    pid: u32,
) {
    let why = tokio::select! {
        ended = child.wait() => ended.map_or_else(|error| error.to_string(), describe),
        _ = killed => {
            let _ = child.kill().await;
            KILLED.to_owned()
        }
    };
    // A watchdog that is gone forgets by itself.
    let _ = watchdog.forget(pid).await;
    state.send_replace(State::Down { why });
}

fn describe(status: ExitStatus) -> String {
    if status.success() { "ended in order".to_owned() } else { format!("ended by itself ({status})") }
}
