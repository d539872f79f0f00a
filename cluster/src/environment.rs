//! Every variable this tool reads, in one place.
#![expect(clippy::disallowed_methods, reason = "this is the tool's own place for the environment")]

use std::{env, io, path::PathBuf};

use crate::lab::own_user;

/// `PLAYMARK_BIN`: the binary to run.
pub(crate) fn binary() -> Option<PathBuf> {
    env::var_os("PLAYMARK_BIN").map(PathBuf::from)
}

/// `PLAYMARK_CLUSTER_DIR`: where the running cluster lives; otherwise one in the user's runtime directory.
pub(crate) fn state_dir() -> io::Result<PathBuf> {
    if let Some(named) = env::var_os("PLAYMARK_CLUSTER_DIR") {
        return Ok(named.into());
    }
    let base = env::var_os("XDG_RUNTIME_DIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    Ok(base.join(format!("playmark-cluster-{}", own_user()?)))
}
