//! The command line.
//!
//! Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.

mod ask;
mod backup;
mod certs;
mod files;
mod flags;
mod keys;
mod progress;
mod serve;
mod status;
mod verify;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use playmark::{crdt::Region, http::auth::Scope, node::Restored};

use flags::ServeFlags;

/// Remembers where a viewer stopped.
#[derive(Parser, Debug)]
#[command(name = "playmark", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a node.
    Serve(Box<ServeFlags>),
    /// Make a cluster's certificates.
    #[command(subcommand)]
    Certs(CertsCommand),
    /// Make static keys for gateways and scripts.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print the contract of the HTTP interface, as docs/openapi.json has it.
    Openapi,
    /// Print what the types of problems mean, as Markdown.
    Problems,
    /// Show how a node stands.
    Status {
        /// The node's HTTP address.
        #[arg(long, default_value = "127.0.0.1:7080")]
        http: SocketAddr,
        /// A file with the key or token to show, for a node that asks; it needs the scope `admin`.
        #[arg(long)]
        key_file: Option<PathBuf>,
    },
    /// Let a node make a backup of what it holds, into its `backup.dir`, while it serves.
    Backup {
        /// The node's HTTP address.
        #[arg(long, default_value = "127.0.0.1:7080")]
        http: SocketAddr,
        /// A file with the key or token to show, for a node that asks; it needs the scope `admin`.
        #[arg(long)]
        key_file: Option<PathBuf>,
    },
    /// Make a data directory from a backup, for a node that is not running.
    Restore {
        /// The backup's directory.
        #[arg(long)]
        from: PathBuf,
        /// The data directory to make.
        #[arg(long)]
        data: PathBuf,
        /// Nobody else holds anything: the node answers with what the backup has.
        #[arg(long)]
        last_copy: bool,
    },
    /// Compare what the disks of nodes hold, register by register where they differ.
    Verify {
        /// A node's HTTP address, and once more for each.
        #[arg(long, required = true)]
        http: Vec<SocketAddr>,
        /// A file with the key or token to show, for nodes that ask; it needs the scope `admin`.
        #[arg(long)]
        key_file: Option<PathBuf>,
    },
}

#[derive(Subcommand, Debug)]
enum KeysCommand {
    /// Make a key and print it, with the lines to add to the file of keys. Nothing is kept.
    New {
        /// Whose key it is: by this name its requests are counted.
        #[arg(long)]
        name: String,
        /// What it allows, and once more for each: play, read, write, events, admin.
        #[arg(long, required = true, value_parser = keys::scope)]
        scope: Vec<Scope>,
        /// For which profile, and once more for each; "*" for every one.
        #[arg(long)]
        profile: Vec<String>,
    },
}

#[derive(Subcommand, Debug)]
enum CertsCommand {
    /// Make a cluster's authority and its secret.
    Ca {
        /// The cluster's name.
        #[arg(long)]
        cluster: String,
        /// Where to put ca.crt, ca.key and cluster.secret.
        #[arg(long)]
        out: PathBuf,
    },
    /// Make a node's certificate.
    Node {
        /// The directory with ca.crt and ca.key.
        #[arg(long)]
        ca: PathBuf,
        /// The node's name.
        #[arg(long)]
        name: String,
        /// Where it stands.
        #[arg(long)]
        region: Region,
        /// Where to put its certificate and key.
        #[arg(long)]
        out: PathBuf,
    },
}

/// How a command failed.
#[derive(Debug)]
enum Failure {
    /// The caller must change something: what was asked for, or a file that it named.
    Usage(anyhow::Error),
    /// Something failed while running.
    Running(anyhow::Error),
}

impl Failure {
    fn usage(why: impl Into<anyhow::Error>) -> Self {
        Self::Usage(why.into())
    }

    fn running(why: impl Into<anyhow::Error>) -> Self {
        Self::Running(why.into())
    }
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(flags) => serve::run(*flags),
        Command::Certs(command) => certs::run(command),
        Command::Keys(command) => keys::run(command),
        Command::Openapi => print(playmark::http::contract()),
        Command::Problems => print(&playmark::http::problems()),
        Command::Status { http, key_file } => status::run(http, key_file.as_deref()),
        Command::Backup { http, key_file } => backup::make(http, key_file.as_deref()),
        Command::Restore { from, data, last_copy } => backup::bring_back(
            &from,
            &data,
            if last_copy { Restored::LastCopy } else { Restored::AmongPeers },
        ),
        Command::Verify { http, key_file } => verify::run(&http, key_file.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(why)) => say(&why, 2),
        Err(Failure::Running(why)) => say(&why, 1),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::running)
}

fn say(why: &anyhow::Error, code: u8) -> ExitCode {
    for line in format!("{why:#}").lines() {
        eprintln!("playmark: {line}");
    }
    ExitCode::from(code)
}
