//! `vector[o] ≥ v` means that every write of `o` up to `v` is at or below what stands, or was pruned or
//! erased by rule. A hole heals only while the right replica lives, so it must not exist for a moment.

use super::{Observed, Violation};
use crate::{
    disk::{Change, Platter},
    ledger::{Ledger, Line},
    model,
};

/// Checks a commit: the positions it claims, and that it lowers nothing that was claimed before.
pub(super) fn check(observed: &Observed<'_>) -> Result<(), Violation> {
    let Observed { commit, platter, ledger, .. } = observed;
    for change in &commit.changes {
        lowers_nothing(change, platter)?;
    }
    for (&origin, &upto) in &platter.vector() {
        for line in ledger.between(origin, commit.vector_before.upto(origin), upto) {
            stands(platter, line)?;
        }
    }
    Ok(())
}

/// Checks all that a disk claims: what a cut of the power left.
pub(crate) fn check_all(platter: &Platter, ledger: &Ledger) -> Result<(), Violation> {
    ledger.covered(&platter.vector()).try_for_each(|(_, line)| stands(platter, line))
}

fn stands(platter: &Platter, line: &Line) -> Result<(), Violation> {
    if model::stands(platter, line) {
        return Ok(());
    }
    let standing = platter.register(&line.key).map(|register| (register.stamp, register.dot));
    let Line { version, key, stamp, .. } = line;
    let key = model::name(key);
    Err(Violation::new(
        "no_holes",
        format!("{version} wrote {stamp:?} at {key}, and {standing:?} stands there"),
    ))
}

fn lowers_nothing(change: &Change, platter: &Platter) -> Result<(), Violation> {
    let Some(before) = &change.before else {
        return Ok(());
    };
    let key = change.key.clone();
    let line = Line { version: before.dot.version, key, stamp: before.stamp, value: before.value.clone() };
    stands(platter, &line)
}
