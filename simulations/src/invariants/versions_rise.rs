//! Versions of a life rise strictly, and a new life starts above all that its store kept of earlier ones.

use playmark::crdt::{Origin, Timestamp};

use super::Violation;
use crate::ledger::Ledger;

/// Checks a new version; `floor` is the greatest that the store held of earlier lives when this one began.
pub(crate) fn check(
    ledger: &Ledger,
    origin: Origin,
    version: Timestamp,
    floor: Timestamp,
) -> Result<(), Violation> {
    let last = ledger.last(origin);
    if version > last && version > floor {
        return Ok(());
    }
    let what = format!("{origin:?} gave {version} after {last}, above a floor of {floor}");
    Err(Violation::new("versions_rise", what))
}
