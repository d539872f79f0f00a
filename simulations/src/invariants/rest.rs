//! At rest every replica knows what its peers would keep through a power cut: whoever asks for a
//! replicated write of that time gets his answer.

use playmark::{crdt::ReplicaId, replica::Replica};

use super::Violation;
use crate::disk::{Disk, Platter};

/// Checks what a replica at rest believes of a linked peer, whose disk is `platter`.
pub(crate) fn check(replica: &Replica<Disk>, peer: ReplicaId, platter: &Platter) -> Result<(), Violation> {
    let Some(view) = replica.peers().get(&peer) else {
        return Ok(());
    };
    if view.synced == *platter.synced() && *platter.synced() == platter.vector() {
        return Ok(());
    }
    let what = format!(
        "{peer} holds {:?}, has synced {:?} and is believed to have synced {:?}",
        platter.vector(),
        platter.synced(),
        view.synced
    );
    Err(Violation::new("rest", what))
}
