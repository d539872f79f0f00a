//! Comparing with peers and counting again find nothing, since nobody changes a store behind a replica's back.

use playmark::{
    replica::{Findings, Replica},
    store::Store,
};

use super::Violation;

/// Checks what a replica has found in its life.
pub(crate) fn check<S: Store>(replica: &Replica<S>) -> Result<(), Violation> {
    match replica.findings() {
        Findings { differing: 0, miscounted: 0, .. } => Ok(()),
        findings => Err(Violation::new("no_false_alarm", format!("{findings:?}"))),
    }
}
