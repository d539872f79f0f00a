//! A test that runs its own binary again as a child, and listens to it.
//!
//! The child runs the same test, finds in its environment that it is the child, and says on its output
//! which batches were acknowledged.
#![expect(clippy::disallowed_methods, reason = "a child process is told its directory by the environment")]

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// In the environment of a child: where its store is.
const DIRECTORY: &str = "PLAYMARK_IT_STORE";

/// The store's directory, where this process is a child.
pub(super) fn directory() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(Into::into)
}

/// Says it in one write, so that a killed process has said it or not.
pub(super) fn acknowledge(number: u64) {
    std::io::stdout().write_all(format!("acknowledged {number}\n").as_bytes()).expect("the parent listens");
}

/// A child, and what it has said.
pub(super) struct Running {
    process: Child,
    output: BufReader<ChildStdout>,
    acknowledged: Option<u64>,
}

impl Running {
    /// Runs one test of this binary, by its full name, as a child with this directory.
    pub(super) fn start(test: &str, directory: &Path) -> Self {
        Self::start_under(&[], test, directory)
    }

    /// Does so under another program, which is given the child's command line.
    pub(super) fn start_under(above: &[&str], test: &str, directory: &Path) -> Self {
        let this = env::current_exe().expect("a running binary has a path");
        let arguments = ["--exact", test, "--nocapture", "--test-threads=1"];
        let mut words =
            above.iter().map(OsStr::new).chain([this.as_os_str()]).chain(arguments.map(OsStr::new));
        let mut command = Command::new(words.next().expect("this binary is one of them"));
        command.args(words).env(DIRECTORY, directory).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("this binary can be run again");
        let output = BufReader::new(process.stdout.take().expect("it was asked for"));
        Self { process, output, acknowledged: None }
    }

    /// Kills the process once what it acknowledged is enough; returns the last that it acknowledged.
    pub(super) fn kill_once(&mut self, enough: impl Fn(u64) -> bool) -> Option<u64> {
        self.read_until(enough);
        self.kill()
    }

    /// Kills the process as soon as something is so, or when it has ended.
    pub(super) fn kill_when(&mut self, so: impl Fn() -> bool) -> Option<u64> {
        while !so() && self.process.try_wait().expect("the child is ours").is_none() {
            std::thread::yield_now();
        }
        self.kill()
    }

    /// Waits for the child's own end.
    pub(super) fn wait(&mut self) -> ExitStatus {
        self.process.wait().expect("the child is ours")
    }

    /// Kills the process; returns the last that it acknowledged.
    pub(super) fn kill(&mut self) -> Option<u64> {
        self.process.kill().expect("the child is ours");
        self.process.wait().expect("the child is ours");
        self.read_until(|_| false)
    }

    /// Reads what the child says until it has acknowledged enough, or ends.
    pub(super) fn read_until(&mut self, enough: impl Fn(u64) -> bool) -> Option<u64> {
        while !self.acknowledged.is_some_and(&enough) {
            let mut line = String::new();
            if self.output.read_line(&mut line).expect("the child says text") == 0 {
                break;
            }
            if let Some(number) = line.trim_end().strip_prefix("acknowledged ") {
                self.acknowledged = Some(number.parse().expect("a number was acknowledged"));
            }
        }
        self.acknowledged
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a failed assertion the child may still run; where it has ended, this does nothing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
