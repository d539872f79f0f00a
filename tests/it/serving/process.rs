//! A node's process: started, asked to leave, killed, and what it said at its end.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    net::SocketAddr,
    ops::Deref,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::Player;
use crate::patience::within;

/// A command line of `playmark serve`.
#[derive(Clone)]
pub(crate) struct Serve {
    words: Vec<OsString>,
    home: PathBuf,
}

impl Serve {
    /// One node on its own, on a free port, with everything it keeps in this directory.
    pub(crate) fn at(home: &Path) -> Self {
        let words = [env!("CARGO_BIN_EXE_playmark"), "serve", "--http-listen", "127.0.0.1:0"];
        let serve = Self { words: words.map(Into::into).into(), home: home.to_owned() };
        serve.with("--data", home.join("data"))
    }

    /// A node that takes everything from this file.
    pub(crate) fn with_file(home: &Path, file: &Path) -> Self {
        let words = [env!("CARGO_BIN_EXE_playmark"), "serve"];
        Self { words: words.map(Into::into).into(), home: home.to_owned() }.with("--config", file)
    }

    /// One node on its own, on a free port, with these lines of configuration.
    pub(crate) fn configured(home: &Path, lines: &str) -> Self {
        let file = home.join("playmark.toml");
        fs::write(&file, lines).expect("a file can be written");
        Self::at(home).with("--config", file)
    }

    pub(crate) fn with(mut self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        self.words.extend([flag.into(), value.as_ref().to_owned()]);
        self
    }

    /// With another value of a flag that is given already.
    pub(crate) fn instead(mut self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        let at = self.words.iter().position(|word| word == flag).expect("it is given");
        value.as_ref().clone_into(&mut self.words[at + 1]);
        self
    }

    /// The same by another build.
    pub(crate) fn running(&self, binary: PathBuf) -> Self {
        let mut serve = self.clone();
        serve.words[0] = binary.into();
        serve
    }

    /// The same where it listens for its peers already.
    pub(crate) fn at_replication(&self, address: SocketAddr) -> Self {
        self.clone().instead("--replication-listen", address.to_string())
    }

    /// With a flag that takes no value.
    pub(crate) fn flagged(mut self, flag: &str) -> Self {
        self.words.push(flag.into());
        self
    }

    /// The same under another program, which is given the node's command line.
    pub(crate) fn under(mut self, program: &[&str]) -> Self {
        self.words.splice(0..0, program.iter().map(Into::into));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a node, and waits until it says where it listens.
    pub(crate) async fn start(&self) -> Node {
        let mut process = self.spawn();
        let mut said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let listens = async {
            while let Some(line) = said.next_line().await.expect("it is text") {
                if let Some(address) = line.strip_prefix("http listens on ") {
                    return Some(address.parse().expect("an address"));
                }
            }
            None
        };
        let Some(address) = within(listens).await else { panic!("it ended: {}", read(&self.log())) };
        Node { process, _said: said, log: self.log(), player: Player::of(address) }
    }

    /// Starts the process, and does not wait for anything that it says.
    pub(crate) fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log()).expect("a file can be made");
        self.command().stdout(Stdio::piped()).stderr(log).spawn().expect("it can be started")
    }

    /// Runs it to its end, which must come with this exit code and say why on the standard error.
    pub(crate) async fn refused(&self, code: i32) -> Vec<String> {
        let output = within(self.command().output()).await.expect("it can be started");
        let said = String::from_utf8(output.stderr).expect("it is text");
        assert_eq!(output.status.code(), Some(code), "{said}");
        said.lines().map(str::to_owned).collect()
    }

    fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// Where the node keeps its registers.
    pub(crate) fn store(&self) -> PathBuf {
        self.home.join("data/store")
    }

    /// Where the node listens for its peers, once it has been started.
    pub(crate) fn replication_address(&self) -> SocketAddr {
        let published = fs::read_to_string(self.home.join("data/replication.addr"));
        published.expect("it is published").trim().parse().expect("an address")
    }
}

/// A node that runs; dropped, it is killed, so that nothing writes any more where its home is removed.
pub(crate) struct Node {
    process: Child,
    /// Held open, for it may have more to say.
    _said: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    player: Player,
}

impl Deref for Node {
    type Target = Player;

    fn deref(&self) -> &Player {
        &self.player
    }
}

impl Node {
    /// A node on its own, as [`Serve::at`] starts it.
    pub(crate) async fn serve(home: &Path) -> Self {
        Serve::at(home).start().await
    }

    /// A node on its own, with a home that lasts as long as the test.
    pub(crate) async fn alone() -> (TempDir, Self) {
        let home = TempDir::new().expect("a directory can be made");
        let node = Self::serve(home.path()).await;
        (home, node)
    }

    /// Ends the process as a power cut of the process alone would, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        within(self.process.kill()).await.expect("it is our child");
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Sends the process a signal, and does not wait for what it does.
    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.process.id().expect("it runs").to_string();
        // The shell's own: a small system has no program of that name.
        let sent =
            Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid]).status().await;
        assert!(sent.expect("every system has a shell").success());
    }

    /// Waits for the process's own end: its exit code, and the lines of its log.
    pub(crate) async fn ended(mut self) -> (Option<i32>, Vec<String>) {
        let ended = within(self.process.wait()).await.expect("it is our child");
        (ended.code(), read(&self.log).lines().map(str::to_owned).collect())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the node at {} said:\n{}", self.address, read(&self.log));
        }
        // It may have ended by itself, which is what some tests are about.
        let _ = self.process.start_kill();
        while matches!(self.process.try_wait(), Ok(None)) {
            thread::yield_now();
        }
    }
}

fn read(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}
