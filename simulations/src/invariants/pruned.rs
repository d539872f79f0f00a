//! A title holds nothing that its fence erased and no more than its kinds have room for: what was pruned
//! or erased never comes back.

use playmark::crdt::{Slot, Stamp};

use super::{Observed, Violation};
use crate::model;

/// Checks the titles that a commit changed.
pub(super) fn check(observed: &Observed<'_>) -> Result<(), Violation> {
    let mut last = None;
    for change in &observed.commit.changes {
        let title = &change.key.title;
        if last.replace(title) == Some(title) {
            continue;
        }
        let stamps: Vec<_> =
            observed.platter.title(title).iter().map(|(slot, it)| (*slot, it.stamp)).collect();
        let fence = observed.platter.profile_fence(title);
        let falls = |&&(slot, stamp): &&(Slot, Stamp)| model::falls(&stamps, fence, &title.key(slot), stamp);
        if let Some(&(slot, stamp)) = stamps.iter().find(falls) {
            let key = model::name(&title.key(slot));
            return Err(Violation::new(
                "pruned",
                format!("{stamp:?} stands at {key} and has no place there"),
            ));
        }
    }
    Ok(())
}
