//! A node as a process of its own, and connections to it, for benches.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A node that serves without a configuration.
pub(crate) struct Node {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _home: Option<tempfile::TempDir>,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::TempDir::new().expect("a directory can be made"))
    }

    /// Starts on what is in a directory's `data`, which goes with the node.
    pub(crate) fn start_in(home: tempfile::TempDir) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
        command.args(["serve", "--http-listen", "127.0.0.1:0", "--data"]).arg(home.path().join("data"));
        Self::spawn(command, Some(home))
    }

    /// Starts this bench again, as a server that does nothing.
    pub(crate) fn start_as(word: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("it runs"));
        command.arg(word);
        Self::spawn(command, None)
    }

    fn spawn(mut command: Command, home: Option<tempfile::TempDir>) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it can be started");
        let said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut said = said.map_while(Result::ok);
        let address = said.find_map(|line| line.strip_prefix("http listens on ")?.parse().ok());
        Self { process, address: address.expect("it says where it listens"), _home: home }
    }

    /// Memory that is resident, in KiB.
    pub(crate) fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most memory that has been resident, in KiB.
    pub(crate) fn peak(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// How long its threads have had a core.
    pub(crate) fn busy(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("it runs");
        let of_thread = |thread: std::io::Result<fs::DirEntry>| {
            let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
        };
        // A thread may end while it is asked.
        threads.filter_map(of_thread).sum()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is not zero");
        stream.set_nodelay(true).expect("it is open");
        stream
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself, which the numbers would have shown.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads until `wanted` has come.
pub(crate) fn until(stream: &mut TcpStream, wanted: &str) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4_096];
    while !String::from_utf8_lossy(&heard).contains(wanted) {
        let count = stream.read(&mut buffer).expect("it answers");
        assert!(count > 0, "it hung up: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buffer[..count]);
    }
}
