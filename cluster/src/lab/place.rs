//! The directory a lab lives in.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process, thread,
};

use anyhow::{Context, Result, bail, ensure};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// What a lab puts into its directory, and so what it may remove from an earlier one's.
const CONTENTS: [&str; 2] = ["nodes", "certs"];

/// A directory only this user can look into.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    keep: Keep,
}

/// What becomes of the data of an earlier cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Earlier {
    /// It goes.
    Goes,
    /// It stays, certificates and all, and the cluster goes on with it.
    Stays,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keep {
    UntilTheNextStart,
    WhileInUse,
}

impl Place {
    /// A fresh directory under the system's temporary one; it goes with the lab, unless a test fails in it.
    pub fn scratch() -> Result<Self> {
        let number: u32 = SmallRng::from_os_rng().random();
        let path = env::temp_dir().join(format!("playmark-lab-{}-{number:08x}", process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, keep: Keep::WhileInUse })
    }

    /// The directory of the one running cluster of this user, emptied of an earlier one's data unless that is to be
    /// kept.
    ///
    /// Logs and data stay after the end, to be looked at, until the next start.
    pub fn prepare(path: PathBuf, earlier: Earlier) -> Result<Self> {
        own_directory(&path).with_context(|| path.display().to_string())?;
        let contents = if earlier == Earlier::Stays { &[][..] } else { &CONTENTS };
        for name in contents {
            match fs::remove_dir_all(path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    bail!("{}: {error}", path.join(name).display())
                }
                _ => {}
            }
        }
        Ok(Self { path, keep: Keep::UntilTheNextStart })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.keep == Keep::UntilTheNextStart {
            return;
        }
        if thread::panicking() {
            eprintln!("configurations, data and logs are kept in {}", self.path.display());
            return;
        }
        // What cannot be removed is the system's temporary directory's to clean up.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes the directory, or makes sure that it is ours: the name of one in `/tmp` can be guessed by others.
fn own_directory(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return Ok(made?),
    }
    let found = fs::symlink_metadata(path)?;
    ensure!(found.is_dir(), "is no directory");
    ensure!(found.uid() == own_user()?, "belongs to somebody else: name another with PLAYMARK_CLUSTER_DIR");
    ensure!(
        found.mode() & 0o777 == 0o700,
        "is open to others: chmod 700 it, or name another with PLAYMARK_CLUSTER_DIR"
    );
    Ok(())
}

/// The number of this user.
pub(crate) fn own_user() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_place_that_is_prepared_again_is_emptied_of_what_a_lab_made_and_nothing_else() {
        let scratch = Place::scratch().expect("the temporary directory takes another");
        let path = scratch.path().join("cluster");
        Place::prepare(path.clone(), Earlier::Goes).expect("nothing is there");
        fs::create_dir_all(path.join("nodes/eu-1")).expect("it is ours");
        fs::write(path.join("notes"), "keep me").expect("it is ours");
        Place::prepare(path.clone(), Earlier::Stays).expect("it is ours");
        assert!(path.join("nodes/eu-1").exists());
        Place::prepare(path.clone(), Earlier::Goes).expect("it is ours");
        assert!(!path.join("nodes").exists());
        assert!(path.join("notes").exists());
    }

    #[test]
    fn a_place_that_others_can_look_into_is_refused() {
        let scratch = Place::scratch().expect("the temporary directory takes another");
        let path = scratch.path().join("cluster");
        fs::create_dir(&path).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let refused = Place::prepare(path, Earlier::Goes).expect_err("it is open");
        assert!(format!("{refused:#}").contains("open to others"));
    }
}
