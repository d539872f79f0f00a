//! What a replica covers, it can feed: each write up to `vector[o]` has its entry in the change index, or
//! a later entry of the same origin and key that the vector covers too.

use playmark::{
    crdt::{Dot, Origin, Span, Timestamp},
    store::Read,
};

use super::{Observed, Violation};
use crate::{disk::Platter, ledger::Ledger, model};

/// Checks the positions that a commit claims, and the entries that it removes.
pub(super) fn check(observed: &Observed<'_>) -> Result<(), Violation> {
    let Observed { commit, platter, ledger, .. } = observed;
    let vector = platter.vector();
    for (&origin, &upto) in &vector {
        for line in ledger.between(origin, commit.vector_before.upto(origin), upto) {
            entry_for(platter, ledger, Dot { origin, version: line.version }, upto)?;
        }
    }
    for (&(origin, version), key) in &commit.entries {
        let upto = vector.upto(origin);
        if key.is_none() && version <= upto {
            entry_for(platter, ledger, Dot { origin, version }, upto)?;
        }
    }
    Ok(())
}

/// Checks all that a disk claims: what a cut of the power left.
pub(crate) fn check_all(platter: &Platter, ledger: &Ledger) -> Result<(), Violation> {
    let vector = platter.vector();
    for (origin, line) in ledger.covered(&vector) {
        entry_for(platter, ledger, Dot { origin, version: line.version }, vector.upto(origin))?;
    }
    Ok(())
}

fn entry_for(platter: &Platter, ledger: &Ledger, dot: Dot, upto: Timestamp) -> Result<(), Violation> {
    let Some(line) = ledger.find(dot) else {
        return Ok(());
    };
    let Dot { origin, version } = dot;
    let later = ledger.between(origin, version, upto).iter().filter(|later| later.key == line.key);
    let mut answering = std::iter::once(version).chain(later.map(|later| later.version));
    if answering.any(|version| is_indexed(platter, origin, version)) {
        return Ok(());
    }
    let key = model::name(&line.key);
    let what = format!("{dot:?} at {key} has no entry, nor a later one up to {upto}");
    Err(Violation::new("index_whole", what))
}

fn is_indexed(platter: &Platter, origin: Origin, version: Timestamp) -> bool {
    let after = Timestamp::from_u64(version.as_u64() - 1);
    let entries = platter.store().changes(Span { origin, after, upto: version }, 1);
    !entries.expect("memory can be read").is_empty()
}
