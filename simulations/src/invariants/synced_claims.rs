//! What a peer is believed to keep through a power cut, it has synced.

use playmark::crdt::{Dot, VersionVector};

use super::Violation;

/// Checks what is believed of a peer against what its disk has synced.
pub(crate) fn check(believed: &VersionVector, synced: &VersionVector) -> Result<(), Violation> {
    if synced.covers_all(believed) {
        return Ok(());
    }
    let (&origin, &version) = believed
        .iter()
        .find(|&(&origin, &version)| !synced.covers(Dot { origin, version }))
        .expect("something is not covered");
    let what = format!(
        "a peer is believed to have synced {origin:?} up to {version}, and has {}",
        synced.upto(origin)
    );
    Err(Violation::new("synced_claims", what))
}
