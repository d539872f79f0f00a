//! What stands was written by somebody, under that dot, with that stamp and those bytes.

use super::{Observed, Violation};
use crate::model;

/// Checks the registers that a commit made stand.
pub(super) fn check(observed: &Observed<'_>) -> Result<(), Violation> {
    for change in &observed.commit.changes {
        let Some(register) = &change.after else { continue };
        let line = observed.ledger.find(register.dot);
        let same = line.is_some_and(|line| {
            line.key == change.key && line.stamp == register.stamp && line.value == register.value
        });
        if !same {
            let (key, dot, stamp) = (model::name(&change.key), register.dot, register.stamp);
            let what = format!("{stamp:?} stands at {key} as {dot:?}, and nobody wrote it so");
            return Err(Violation::new("no_phantom", what));
        }
    }
    Ok(())
}
