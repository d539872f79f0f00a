//! Replicas with equal vectors hold equal registers, at any moment; and after the heal all are equal.
//!
//! Excepted, while messages are under way, are titles that hold a register whose dot a vector does not
//! cover, and profiles whose fence is such a one: it came early, with a part of a span or in the place of
//! another origin's entry.

use std::collections::BTreeSet;

use playmark::crdt::{Key, Register, TitleId};

use super::Violation;
use crate::{disk::Platter, model};

/// Checks two disks.
pub(crate) fn check(one: &Platter, other: &Platter) -> Result<(), Violation> {
    if one.sum() == other.sum() || one.vector() != other.vector() {
        return Ok(());
    }
    let early = early_titles(one).chain(early_titles(other)).collect::<BTreeSet<_>>();
    let settled = |platter: &Platter| -> BTreeSet<(Key, String)> {
        let is_early = |key: &Key| early.contains(&key.title) || early.contains(&key.title.profile.scope());
        let registers = platter.store().registers().filter(|(key, _)| !is_early(key));
        registers.map(|(key, it)| (key.clone(), format!("{:?} {:?}", it.stamp, it.dot))).collect()
    };
    let (ours, theirs) = (settled(one), settled(other));
    match ours.symmetric_difference(&theirs).next() {
        None => Ok(()),
        Some((key, register)) => {
            let what = format!("vectors are equal, and only one holds {register} at {}", model::name(key));
            Err(Violation::new("convergence", what))
        }
    }
}

fn early_titles(platter: &Platter) -> impl Iterator<Item = TitleId> {
    let vector = platter.vector();
    let early =
        move |(key, register): (&Key, &Register)| (!vector.covers(register.dot)).then(|| key.title.clone());
    platter.store().registers().filter_map(early)
}
