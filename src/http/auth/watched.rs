//! A file that an operator may replace while the node runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::sleep};

/// How often a file is looked at: soon enough for whoever has just withdrawn a key.
pub const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// The longest file: thousands of keys.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a file says, as of its last good version.
#[derive(Debug)]
pub(super) struct Watched<T>(watch::Receiver<Arc<T>>);

/// By what a replaced file is known.
type Mark = (Option<SystemTime>, u64);

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads a file, and again whenever it changes, which is told with `changed`. One that has become bad is
    /// named in the log, and the last good version goes on.
    ///
    /// # Errors
    /// The file's first version, in words.
    pub(super) fn start(
        path: &Path,
        parse: fn(&[u8]) -> Result<T, String>,
        changed: &watch::Sender<()>,
    ) -> Result<Self, String> {
        let changed = changed.clone();
        let (mut mark, first) = (look(path), read(path, parse)?);
        let (sender, receiver) = watch::channel(Arc::new(first));
        let path: PathBuf = path.to_owned();
        tokio::spawn(async move {
            // Nobody looks at it any more once the node has left.
            while tokio::select! { () = sender.closed() => false, () = sleep(RELOAD_EVERY) => true } {
                let found = look(&path);
                if found == mark {
                    continue;
                }
                mark = found;
                match read(&path, parse) {
                    Ok(value) => {
                        tracing::info!(file = %path.display(), "read again, for it has changed");
                        sender.send_replace(Arc::new(value));
                        changed.send_replace(());
                    }
                    Err(why) => tracing::warn!(%why, "what was read before goes on"),
                }
            }
        });
        Ok(Self(receiver))
    }

    pub(super) fn current(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }
}

fn look(path: &Path) -> Option<Mark> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len()))
}

fn read<T>(path: &Path, parse: fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let named = |why: String| format!("{}: {why}", path.display());
    let length = fs::metadata(path).map_err(|why| named(why.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(named(format!("it has {length} bytes, and at most {FILE_BYTES_MAX} may be")));
    }
    parse(&fs::read(path).map_err(|why| named(why.to_string()))?).map_err(named)
}
