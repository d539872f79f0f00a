//! Sees to it that no node outlives the lab.
//!
//! A lab that ends in order ends its nodes. One that is killed cannot; but the kernel closes its end of a pipe, and a
//! shell that reads the other end then ends what is left. It also sends the polite signal, which
//! the standard library has no call for.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    sync::Mutex,
};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=
while read -r verb pid; do
  case $verb in
    add) pids="$pids $pid" ;;
    gone)
      rest=
      for other in $pids; do [ "$other" = "$pid" ] || rest="$rest $other"; done
      pids=$rest ;;
    ask) kill -TERM "$pid" ;;
    hold) kill -STOP "$pid" ;;
    go) kill -CONT "$pid" ;;
  esac
done
for pid in $pids; do kill -KILL "$pid"; done
"#;

/// A shell that holds the list of what runs.
#[derive(Debug)]
pub(super) struct Watchdog {
    orders: Mutex<ChildStdin>,
    // Not ended with the lab: it has its last work to do then, and ends by itself.
    _shell: Child,
}

impl Watchdog {
    pub(super) fn start() -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's Ctrl-C, which is for the lab.
            .process_group(0)
            .spawn()
            .context("/bin/sh does not start")?;
        let orders = Mutex::new(shell.stdin.take().expect("its standard input is a pipe"));
        Ok(Self { orders, _shell: shell })
    }

    /// Ends this process too, should the lab end first.
    pub(super) async fn add(&self, pid: u32) -> Result<()> {
        self.order("add", pid).await
    }

    /// Forgets a process that is gone; its number may soon be somebody else's.
    pub(super) async fn forget(&self, pid: u32) -> Result<()> {
        self.order("gone", pid).await
    }

    /// Asks a process to end (SIGTERM).
    pub(super) async fn ask_to_end(&self, pid: u32) -> Result<()> {
        self.order("ask", pid).await
    }

    /// Holds a process (SIGSTOP): it keeps everything, and does nothing.
    pub(super) async fn hold(&self, pid: u32) -> Result<()> {
        self.order("hold", pid).await
    }

    /// Lets a process that is held go on (SIGCONT).
    pub(super) async fn go_on(&self, pid: u32) -> Result<()> {
        self.order("go", pid).await
    }

    async fn order(&self, verb: &str, pid: u32) -> Result<()> {
        let line = format!("{verb} {pid}\n");
        self.orders.lock().await.write_all(line.as_bytes()).await.context("the watchdog is gone")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").kill_on_drop(true).spawn().expect("every system has sleep")
    }

    async fn ended(child: &mut Child) -> bool {
        timeout(PATIENCE, child.wait()).await.is_ok()
    }

    #[tokio::test]
    async fn what_was_added_ends_with_the_watchdogs_owner_and_what_was_forgotten_does_not() {
        let (mut kept, mut forgotten) = (sleeper(), sleeper());
        let watchdog = Watchdog::start().expect("every system has a shell");
        for child in [&kept, &forgotten] {
            watchdog.add(child.id().expect("it runs")).await.expect("the watchdog listens");
        }
        watchdog.forget(forgotten.id().expect("it runs")).await.expect("the watchdog listens");
        drop(watchdog);
        assert!(ended(&mut kept).await);
        assert!(forgotten.try_wait().expect("it can be asked").is_none());
    }

    #[tokio::test]
    async fn a_process_can_be_asked_to_end() {
        let mut child = sleeper();
        let watchdog = Watchdog::start().expect("every system has a shell");
        watchdog.ask_to_end(child.id().expect("it runs")).await.expect("the watchdog listens");
        assert!(ended(&mut child).await);
    }
}
