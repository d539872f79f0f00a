//! Backups: a copy of the store at one moment, made while the node serves, and a node that begins from one.
//!
//! ```text
//! NAME.partial/store/…            the store's files, linked where that is possible
//! NAME.partial/manifest.json      whose they are, and what each of them must be
//! NAME/                           the same, once it is whole
//! ```
//!
//! The problem with copies is not to make them but to bring them back: a directory that is a week old claims to know
//! everything up to last week, and names a replica that may still run elsewhere. So whoever is restored is another replica
//! from its first moment on, lives a new life as after every start, and counts as one that knows nothing until
//! it has caught up with a peer; unless it is told to be the last copy there is. And what was erased since then stays erased: each
//! node keeps a list of erasures beside its backups, and all lists beside a backup are gone through when it is brought back.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Clock, erased, identity};
use crate::{
    crdt::ReplicaId,
    playback,
    replica::{Beginning, Linger, Options, Replica, Retain},
    store::{Durability, RocksOptions, RocksReader, RocksStore, StoreError},
};

/// The form of what is written.
const FORMAT: u32 = 1;

const MANIFEST: &str = "manifest.json";
const STORE: &str = "store";

/// How many erasures are made at a time.
const FENCES_A_COMMIT: usize = 256;

/// How much of a file is in memory at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What a backup is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The build that made it.
    pub version: String,
    /// The node that it was made of.
    pub node: String,
    /// Where that stood.
    pub region: String,
    /// The cluster that it belongs to.
    pub cluster: String,
    /// The replica that it was made of.
    pub replica: String,
    /// When, in milliseconds by that node's clock.
    pub made_at_ms: u64,
    files: Vec<Entry>,
}

/// One file of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Whose backup is made.
#[derive(Clone, Debug)]
pub struct Source {
    /// The node's name.
    pub node: String,
    /// Where it stands.
    pub region: String,
    /// Its cluster.
    pub cluster: String,
    /// Its replica.
    pub replica: String,
    /// The time.
    pub now_ms: u64,
}

/// How far a backup is, while it is made and afterwards.
#[derive(Debug)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// Where it will be.
    pub path: PathBuf,
    bytes: AtomicU64,
    done: AtomicU64,
    ended: Mutex<Option<Result<(), String>>>,
}

/// Whether what is restored is all that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restored {
    /// Peers know more, and are asked before anybody is answered.
    AmongPeers,
    /// Nobody knows more.
    LastCopy,
}

/// Why there is no backup, or nothing is restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be written or read.
    #[error("{path}: {why}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// What is there is no backup, or not of this build's kind.
    #[error("{path}: {why}", path = path.display())]
    NoBackup {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Something is where the node is to be.
    #[error("{path}: there is something already; name a directory that is empty, or not there", path = path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// The store could not be copied or opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Backup {
    /// Names a backup that is to be made in a directory.
    pub fn new(home: &Path, of: &Source) -> Self {
        let name = format!("{}-{}", of.node, of.now_ms);
        let path = home.join(&name);
        Self { name, path, bytes: AtomicU64::new(0), done: AtomicU64::new(0), ended: Mutex::default() }
    }

    /// How many bytes there are, and of how many it is known what they are.
    pub fn progress(&self) -> (u64, u64) {
        (self.bytes.load(Relaxed), self.done.load(Relaxed))
    }

    /// How it ended; nothing while it goes on.
    pub fn ended(&self) -> Option<Result<(), String>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes it; of what has failed nothing is left.
    pub fn make(&self, reader: &RocksReader, of: Source) {
        let partial = self.path.with_extension("partial");
        let made = self.write(&partial, reader, of);
        if made.is_err() {
            // Whatever of it is left is overwritten by nobody, and an operator sees what it is by its name.
            let _ = fs::remove_dir_all(&partial);
        }
        let ended = made.map_err(|why| why.to_string());
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }

    fn write(&self, partial: &Path, reader: &RocksReader, of: Source) -> Result<(), BackupError> {
        let at = |path: &Path| file_error(path);
        fs::create_dir_all(partial).map_err(at(partial))?;
        let store = partial.join(STORE);
        reader.checkpoint(&store)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&store).map_err(at(&store))? {
            let entry = entry.map_err(at(&store))?;
            let bytes = entry.metadata().map_err(at(&entry.path()))?.len();
            found.push((entry.path(), entry.file_name().to_string_lossy().into_owned(), bytes));
        }
        self.bytes.store(found.iter().map(|(.., bytes)| bytes).sum(), Relaxed);
        let mut files = Vec::new();
        for (path, name, bytes) in found {
            let sha256 = pass(&path, None, &mut |piece| _ = self.done.fetch_add(piece, Relaxed))?;
            files.push(Entry { name, bytes, sha256 });
        }
        let Source { node, region, cluster, replica, now_ms } = of;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let manifest =
            Manifest { format: FORMAT, version, node, region, cluster, replica, made_at_ms: now_ms, files };
        let path = partial.join(MANIFEST);
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is texts and numbers");
        write_synced(&path, &text).map_err(at(&path))?;
        fs::rename(partial, &self.path).map_err(at(&self.path))
    }
}

/// Makes a data directory from a backup; `tell` is told how many bytes there are and how many are done.
///
/// # Errors
/// See [`BackupError`]; nothing is where the data directory was to be then.
pub fn restore(
    from: &Path,
    data: &Path,
    as_what: Restored,
    mut tell: impl FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let manifest = read_manifest(from)?;
    let is_taken = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_some(),
        Err(why) => why.kind() != io::ErrorKind::NotFound,
    };
    if is_taken {
        return Err(BackupError::Taken { path: data.to_owned() });
    }
    let partial = data.with_extension("partial");
    let restored = fill(from, &partial, &manifest, as_what, &mut tell).and_then(|()| {
        if data.exists() {
            fs::remove_dir(data).map_err(file_error(data))?;
        }
        fs::rename(&partial, data).map_err(file_error(data))
    });
    if restored.is_err() {
        // The next attempt begins with an empty one, or says why it cannot.
        let _ = fs::remove_dir_all(&partial);
    }
    restored.map(|()| manifest)
}

fn fill(
    from: &Path,
    partial: &Path,
    manifest: &Manifest,
    as_what: Restored,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<(), BackupError> {
    let store = partial.join(STORE);
    fs::create_dir_all(&store).map_err(file_error(&store))?;
    let bytes = manifest.files.iter().map(|entry| entry.bytes).sum();
    let mut done = 0;
    for Entry { name, sha256, .. } in &manifest.files {
        let (source, target) = (from.join(STORE).join(name), store.join(name));
        let found = pass(&source, Some(&target), &mut |piece| {
            done += piece;
            tell(bytes, done);
        })?;
        if found != *sha256 {
            let why = "it is not what was written here: the backup is damaged".to_owned();
            return Err(BackupError::NoBackup { path: source, why });
        }
    }
    let mut store = RocksStore::open(&store, RocksOptions::default())?;
    identity::renew(&mut store, as_what == Restored::LastCopy)?;
    // Also of a name without a folder before it.
    let beside = from.parent().filter(|beside| !beside.as_os_str().is_empty()).unwrap_or(Path::new("."));
    erase_again(store, &lists_in(beside)?)
}

/// The lists of erasures that are kept in a directory, in the order of their names.
fn lists_in(directory: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = fs::read_dir(directory).map_err(file_error(directory))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>().map_err(file_error(directory))?;
    let is_list = |path: &PathBuf| path.extension().is_some_and(|it| it == erased::EXTENSION);
    let mut lists: Vec<_> = paths.into_iter().filter(is_list).collect();
    lists.sort();
    Ok(lists)
}

/// Erases what was erased since the backup was made, or before: to say it twice changes nothing.
fn erase_again(mut store: RocksStore, lists: &[PathBuf]) -> Result<(), BackupError> {
    let now = Clock::start().now();
    let mut replica = Replica::open(offline(identity::replica(&mut store)?), store, now)?;
    for list in lists {
        for fences in erased::read(list).map_err(file_error(list))?.chunks(FENCES_A_COMMIT) {
            for (key, stamp) in fences {
                let written = replica.write(key, *stamp, Arc::default(), now);
                written.map_err(|why| StoreError::Io(why.to_string()))?;
            }
            replica.commit(Durability::Process, now)?;
        }
    }
    Ok(replica.sync()?)
}

/// A life that meets nobody and ends at once; what it knows or does not is left as it was.
fn offline(id: ReplicaId) -> Options {
    Options {
        id,
        region: "offline".parse().expect("it is a region's name"),
        origin: identity::origin(),
        retain: Retain { leaving: playback::retain_title, fence: playback::slot::FENCE },
        linger: Linger::NONE,
        beginning: Beginning::Joins,
        alone_after: Duration::MAX,
    }
}

fn read_manifest(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let text = fs::read(&path).map_err(file_error(&path))?;
    let no_backup = |why: String| BackupError::NoBackup { path: path.clone(), why };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|why| no_backup(why.to_string()))?;
    if manifest.format != FORMAT {
        return Err(no_backup(format!("its format is {}, and this build reads {FORMAT}", manifest.format)));
    }
    let is_plain = |entry: &Entry| !entry.name.contains(['/', '\\']) && entry.name != "..";
    if !manifest.files.iter().all(is_plain) {
        return Err(no_backup("it names files elsewhere".to_owned()));
    }
    Ok(manifest)
}

/// Reads a file, writes it elsewhere if that is wanted, and says what it is (SHA-256).
fn pass(path: &Path, to: Option<&Path>, tell: &mut dyn FnMut(u64)) -> Result<String, BackupError> {
    let mut source = File::open(path).map_err(file_error(path))?;
    let mut target = to.map(|to| File::create_new(to).map_err(file_error(to))).transpose()?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        let length = source.read(&mut piece).map_err(file_error(path))?;
        if length == 0 {
            break;
        }
        hash.update(&piece[..length]);
        if let (Some(target), Some(to)) = (&mut target, to) {
            target.write_all(&piece[..length]).map_err(file_error(to))?;
        }
        tell(length as u64);
    }
    if let (Some(target), Some(to)) = (&target, to) {
        target.sync_all().map_err(file_error(to))?;
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text takes text");
        text
    }))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |why| BackupError::File { path: path.clone(), why }
}
