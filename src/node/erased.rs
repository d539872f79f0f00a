//! The list of erasures that is kept beside the backups, so that a backup does not bring back what was erased since.
//!
//! ```text
//! backup.dir/NAME.erasures         one erasure a line, as JSON; only ever appended to, and synced
//! backup.dir/NAME.erasures.upto    the vector up to which it is whole
//! ```
//!
//! A fence that stands in a store is in its backup; one that came later is not. So a task follows the change index, as
//! everybody does who wants to hear of changes, and writes down each fence that it meets, whoever took it. What was written
//! down before the vector was is met again by the next life, and a line that stands twice says nothing new.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::{
    crdt::{ContentId, Key, ProfileId, Span, Stamp, TitleId, VersionVector, WallTime, decode, encode},
    playback::slot::FENCE,
    store::{Read, StoreError},
};

/// What a file of the list ends in.
pub const EXTENSION: &str = "erasures";

/// The form of the vector beside it.
const UPTO_VERSION: u8 = 1;

/// How many entries of the index are read at a time.
const ENTRIES_MAX: usize = 4_096;

/// How long changes are gathered before they are looked through: erasures are few, and a backup takes longer.
const LINGER: Duration = Duration::from_secs(1);

/// How long it waits after the disk has refused.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// One erasure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Erasure {
    profile: String,
    /// Absent where the whole profile was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// When, in milliseconds.
    time_ms: u64,
    counter: u32,
    /// Who: 32 hexadecimal digits.
    writer: String,
}

impl Erasure {
    fn of(key: &Key, stamp: Stamp) -> Self {
        let TitleId { profile, content } = &key.title;
        Self {
            profile: profile.as_str().to_owned(),
            content: (!key.title.is_scope()).then(|| content.as_str().to_owned()),
            time_ms: stamp.time.as_ms(),
            counter: stamp.counter,
            writer: format!("{:032x}", u128::from_be_bytes(stamp.writer)),
        }
    }

    /// The fence that it was; `None` where it is none.
    fn fence(&self) -> Option<(Key, Stamp)> {
        let profile = ProfileId::try_from(self.profile.clone()).ok()?;
        let title = match &self.content {
            Some(content) => TitleId { profile, content: ContentId::try_from(content.clone()).ok()? },
            None => profile.scope(),
        };
        let writer = u128::from_str_radix(&self.writer, 16).ok()?.to_be_bytes();
        let stamp = Stamp { time: WallTime::from_ms(self.time_ms), counter: self.counter, writer };
        Some((title.key(FENCE), stamp))
    }
}

/// Reads the fences of a list. What follows the last end of a line was never whole, and is met again.
///
/// # Errors
/// A file that cannot be read, and a line that is no erasure, by its number: what it said must not be erased in vain.
pub(super) fn read(file: &Path) -> io::Result<Vec<(Key, Stamp)>> {
    let text = fs::read_to_string(file)?;
    let whole = &text[..whole_lines(text.as_bytes())];
    let fence = |(number, line): (usize, &str)| {
        let erasure: Option<Erasure> = serde_json::from_str(line).ok();
        let fence = erasure.and_then(|erasure| erasure.fence());
        fence.ok_or_else(|| io::Error::other(format!("line {number} is no erasure: mend it, or take it out")))
    };
    (1..).zip(whole.lines()).map(fence).collect()
}

/// How many bytes of a list are whole lines.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)
}

/// Keeps the list until the driver is gone.
pub(super) async fn keep<S: Read + Clone + Send + 'static>(
    file: PathBuf,
    store: S,
    mut vector: watch::Receiver<VersionVector>,
) {
    let mut whole = read_upto(&file);
    loop {
        let upto = vector.borrow_and_update().clone();
        let (at, reader, from) = (file.clone(), store.clone(), whole.clone());
        let beyond = upto.beyond(&from);
        let written = spawn_blocking(move || write_down(&at, &reader, beyond, &upto).map(|()| upto)).await;
        match written {
            Ok(Ok(upto)) => whole = upto,
            Ok(Err(why)) => {
                tracing::error!(file = %file.display(), %why, "erasures cannot be written down beside the backups");
                sleep(RETRY_AFTER).await;
                continue;
            }
            Err(_) => return,
        }
        sleep(LINGER).await;
        if vector.changed().await.is_err() {
            return;
        }
    }
}

/// Why the list is not whole.
#[derive(Debug, thiserror::Error)]
enum NotWritten {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes down the fences of these spans, then up to where the list is whole.
fn write_down<S: Read>(
    file: &Path,
    store: &S,
    beyond: Vec<Span>,
    upto: &VersionVector,
) -> Result<(), NotWritten> {
    if beyond.is_empty() {
        return Ok(());
    }
    let mut lines = String::new();
    for mut span in beyond {
        loop {
            let entries = store.changes(span, ENTRIES_MAX)?;
            for (_, key) in entries.iter().filter(|(_, key)| key.slot == FENCE) {
                if let Some(fence) = store.register(key)? {
                    let erasure = Erasure::of(key, fence.stamp);
                    lines += &serde_json::to_string(&erasure).expect("an erasure is texts and numbers");
                    lines.push('\n');
                }
            }
            match entries.last() {
                Some((last, _)) if entries.len() == ENTRIES_MAX => span.after = *last,
                Some(_) | None => break,
            }
        }
    }
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    if !lines.is_empty() {
        append(file, &lines)?;
    }
    let beside = beside(file);
    let unfinished = beside.with_extension("new");
    fs::write(&unfinished, encode(UPTO_VERSION, upto))?;
    Ok(fs::rename(unfinished, beside)?)
}

/// Appends lines, in the place of one that a power cut has left in part.
fn append(file: &Path, lines: &str) -> io::Result<()> {
    let mut list = File::options().create(true).truncate(false).read(true).write(true).open(file)?;
    let mut before = Vec::new();
    list.read_to_end(&mut before)?;
    let whole = whole_lines(&before) as u64;
    list.set_len(whole)?;
    list.seek(SeekFrom::Start(whole))?;
    list.write_all(lines.as_bytes())?;
    list.sync_all()
}

/// Up to where the list is whole; from the beginning where that is not known.
fn read_upto(file: &Path) -> VersionVector {
    let bytes = fs::read(beside(file)).unwrap_or_default();
    decode(UPTO_VERSION, &bytes).unwrap_or_default()
}

fn beside(file: &Path) -> PathBuf {
    file.with_extension(format!("{EXTENSION}.upto"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{Dot, Origin, Register, Timestamp},
        store::{Batch, Durability, MemoryStore, Store},
    };

    fn fence(profile: &str, content: Option<&str>, time: u64) -> (Key, Stamp) {
        let profile: ProfileId = profile.to_owned().try_into().expect("an id");
        let title = match content {
            Some(content) => TitleId { profile, content: content.to_owned().try_into().expect("an id") },
            None => profile.scope(),
        };
        (title.key(FENCE), Stamp { time: WallTime::from_ms(time), counter: 2, writer: [7; 16] })
    }

    #[test]
    fn fences_are_written_down_as_they_come_and_read_as_they_were() {
        let home = tempfile::TempDir::new().expect("a directory can be made");
        let file = home.path().join("backups/eu-1.erasures");
        let mut store = MemoryStore::default();
        let fences = [fence("ada", Some("film"), 5), fence("bob", None, 6)];
        for (version, (key, stamp)) in (1..).zip(&fences) {
            let dot = Dot { origin: Origin::from_random(1), version: Timestamp::from_u64(version) };
            let other = key.title.key(crate::playback::slot::SETTINGS);
            let mut batch = Batch::default();
            for key in [key, &other] {
                batch
                    .registers
                    .insert(key.clone(), Some(Register::seal(key, *stamp, dot, [].as_slice().into())));
            }
            batch.changes.insert((dot.origin, dot.version), Some(key.clone()));
            batch.vector.advance(dot.origin, dot.version);
            store.commit(&batch, Durability::Synced).expect("memory can be written");
            let upto = store.vector().expect("memory can be read");
            let beyond = upto.beyond(&read_upto(&file));
            write_down(&file, &store, beyond, &upto).expect("the disk can be written");
        }
        assert_eq!(read(&file).expect("it is there"), fences, "each of them once");

        let torn = fs::read_to_string(&file).expect("it is there") + "{\"profile\":\"ada\",\"time";
        fs::write(&file, &torn).expect("it is ours");
        assert_eq!(read(&file).expect("it is there"), fences, "what was never whole says nothing");
        let again =
            serde_json::to_string(&Erasure::of(&fences[0].0, fences[0].1)).expect("texts and numbers");
        append(&file, &(again + "\n")).expect("it is ours");
        assert_eq!(read(&file).expect("it is there").len(), 3, "and does not spoil what comes after it");
        fs::write(&file, torn + "\n").expect("it is ours");
        let why = read(&file).expect_err("a whole line that is no erasure").to_string();
        assert!(why.contains("line 3"), "{why}");
    }
}
