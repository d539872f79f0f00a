//! Who this node is: a replica for as long as its data directory lives, and an origin for one start.

use std::collections::BTreeMap;

use rand::{TryRngCore, rngs::OsRng};

use crate::{
    crdt::{Origin, ReplicaId},
    replica::never_caught_up,
    store::{Batch, Durability, Store, StoreError},
};

/// The note that holds the replica's id.
const REPLICA_NOTE: &str = "replica-id";

/// Reads the replica's id from its store, and makes one where the store is new.
///
/// # Errors
/// The store's. A note that is no id is refused, not replaced: whose data this is can then not be known.
pub fn replica(store: &mut impl Store) -> Result<ReplicaId, StoreError> {
    if let Some(note) = store.note(REPLICA_NOTE)? {
        let id = String::from_utf8(note).ok().and_then(|text| text.parse().ok());
        return id.ok_or_else(|| StoreError::Undecodable {
            what: "the replica's id".into(),
            why: "it is no UUID".into(),
        });
    }
    let id = ReplicaId::from_random(random());
    store.commit(&Batch { notes: named(id), ..Batch::default() }, Durability::Synced)?;
    Ok(id)
}

/// Makes a store that was copied another replica's: the one that it was copied from may still run, or run again. Unless it is the last
/// copy there is, it counts as one that knows nothing yet.
///
/// # Errors
/// The store's.
pub(super) fn renew(store: &mut impl Store, is_last: bool) -> Result<(), StoreError> {
    let mut batch = Batch { notes: named(ReplicaId::from_random(random())), ..Batch::default() };
    if !is_last {
        never_caught_up(&mut batch);
    }
    store.commit(&batch, Durability::Synced)
}

fn named(id: ReplicaId) -> BTreeMap<String, Vec<u8>> {
    [(REPLICA_NOTE.to_owned(), id.to_string().into_bytes())].into()
}

/// Draws the name of a new life.
///
/// # Panics
/// As for [`random`].
pub fn origin() -> Origin {
    Origin::from_random(random())
}

/// Draws 128 bits from the system.
///
/// # Panics
/// Where the system has no randomness: nothing that this node says could then be told from a copy's.
pub fn random() -> u128 {
    let mut bits = [0; 16];
    OsRng.try_fill_bytes(&mut bits).expect("the system gives random bytes");
    u128::from_be_bytes(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, Read};

    #[test]
    fn a_replica_keeps_its_id_with_its_store_and_never_its_origin() {
        let mut store = MemoryStore::default();
        let id = replica(&mut store).expect("memory can be written");
        assert_eq!(replica(&mut store).expect("memory can be read"), id);
        assert_ne!(origin(), origin());
    }

    #[test]
    fn a_note_that_is_no_id_is_refused_and_kept() {
        let mut store = MemoryStore::default();
        let notes = [(REPLICA_NOTE.to_owned(), b"eu-1".to_vec())].into();
        store
            .commit(&Batch { notes, ..Batch::default() }, Durability::Synced)
            .expect("memory can be written");
        assert!(replica(&mut store).is_err());
        assert_eq!(store.note(REPLICA_NOTE).expect("memory can be read").as_deref(), Some(&b"eu-1"[..]));
    }
}
