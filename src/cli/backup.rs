//! `playmark backup` and `playmark restore`.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{anyhow, bail};
use playmark::{
    http::BackupView,
    node::{Restored, restore},
};

use super::{
    Failure,
    ask::{ask, key_in, order},
    progress::{bar, pause},
};

/// How often a node is asked how far it is.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Lets a node make a backup, and waits until it is whole.
pub(super) fn make(http: SocketAddr, key_file: Option<&Path>) -> Result<(), Failure> {
    let key = key_in(key_file)?;
    let made = follow(http, key.as_deref()).map_err(Failure::Running)?;
    println!("{}: {} bytes", made.path, made.bytes);
    Ok(())
}

fn follow(http: SocketAddr, key: Option<&str>) -> anyhow::Result<BackupView> {
    let mut backup: BackupView = order(http, key, "/v1/admin/backups")?;
    let bar = bar(backup.bytes, "bytes");
    while backup.state == "running" {
        pause(LOOK_AGAIN);
        backup = ask(http, key, &format!("/v1/admin/backups/{}", backup.name))?;
        bar.set_length(backup.bytes);
        bar.set_position(backup.bytes_done);
    }
    bar.finish_and_clear();
    match backup.why {
        Some(why) => bail!("the node could not make it: {why}"),
        None => Ok(backup),
    }
}

/// Makes a data directory from a backup.
pub(super) fn bring_back(from: &Path, data: &Path, as_what: Restored) -> Result<(), Failure> {
    let bar = bar(0, "bytes");
    let restored = restore(from, data, as_what, |bytes, done| {
        bar.set_length(bytes);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let manifest = restored.map_err(|why| Failure::Running(anyhow!(why)))?;
    let next = match as_what {
        Restored::AmongPeers => "start the node: it answers once it has caught up with a peer",
        Restored::LastCopy => {
            "start the node: it answers with what the backup holds, unless it finds a peer within ten seconds that knows more"
        }
    };
    let of = format!("{}.{}.{}", manifest.node, manifest.region, manifest.cluster);
    println!("{} holds what {of} held at {} ms; {next}", data.display(), manifest.made_at_ms);
    Ok(())
}
