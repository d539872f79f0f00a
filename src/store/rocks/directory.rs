//! The directory: one format, and one process at a time.
//!
//! A file named `FORMAT` beside RocksDB's own says what is in there, in a line that a person can read. It is
//! made before anything else and looked at before RocksDB is, so that a directory which is not ours, or
//! not of this build, is left exactly as it was. The lock is RocksDB's.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::store::StoreError;

const FORMAT: &str = "playmark store 1\n";
const FORMAT_FILE: &str = "FORMAT";
/// RocksDB's own first file; a directory that has it holds a database.
const CURRENT_FILE: &str = "CURRENT";

/// Makes the directory where there is none, and looks whether what it holds is ours to open.
pub(super) fn prepare(directory: &Path) -> Result<(), StoreError> {
    let unusable = |why: &dyn Display| unusable(directory, why);
    fs::create_dir_all(directory).map_err(|why| unusable(&why))?;
    let path = directory.join(FORMAT_FILE);
    if !path.exists() {
        if directory.join(CURRENT_FILE).exists() {
            return Err(unusable(&"it holds a database that is no playmark store"));
        }
        write_format(directory).map_err(|why| unusable(&why))?;
    }
    let found = fs::read_to_string(&path).map_err(|why| unusable(&why))?;
    if found == FORMAT {
        Ok(())
    } else {
        let (found, known) = (found.escape_debug(), FORMAT.escape_debug());
        Err(unusable(&format_args!("its format is \"{found}\", and this build knows \"{known}\"")))
    }
}

/// Says of a copy what it is.
pub(super) fn mark(directory: &Path) -> Result<(), StoreError> {
    write_format(directory).map_err(|why| StoreError::Io(format!("{}: {why}", directory.display())))
}

/// Says why RocksDB did not open the directory.
pub(super) fn not_opened(directory: &Path, why: &rocksdb::Error) -> StoreError {
    // RocksDB has no kind of error for it, but names the file.
    if why.as_ref().contains("/LOCK: ") {
        unusable(directory, &"another process has it open; stop that one first")
    } else {
        unusable(directory, why)
    }
}

fn unusable(directory: &Path, why: &dyn Display) -> StoreError {
    StoreError::Unusable(format!("{}: {why}", directory.display()))
}

/// Writes the file whole or not at all, whatever happens to process or power meanwhile.
fn write_format(directory: &Path) -> io::Result<()> {
    let unfinished = directory.join("FORMAT.new");
    let mut file = File::create(&unfinished)?;
    file.write_all(FORMAT.as_bytes())?;
    file.sync_all()?;
    fs::rename(unfinished, directory.join(FORMAT_FILE))?;
    File::open(directory)?.sync_all()
}
