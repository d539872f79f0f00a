//! What must hold, one file each.
//!
//! Those that speak of a store are checked at every commit, against what the commit changed; after a cut
//! of the power, against everything.

pub(crate) mod acknowledged;
pub(crate) mod bounded;
pub(crate) mod causality;
pub(crate) mod clock_bounds;
pub(crate) mod convergence;
pub(crate) mod index_whole;
pub(crate) mod no_false_alarm;
pub(crate) mod no_holes;
pub(crate) mod no_phantom;
pub(crate) mod one_copy;
pub(crate) mod pruned;
pub(crate) mod readiness;
pub(crate) mod rest;
pub(crate) mod resume_point;
pub(crate) mod synced_claims;
pub(crate) mod versions_rise;

use std::fmt;

use crate::{
    disk::{Commit, Platter},
    ledger::Ledger,
};

/// An invariant that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which one: the name of its file.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Watch {
    /// Everything, bookkeeping included: a mistake is seen where it is made.
    #[default]
    Closely,
    /// Only what a mistake leads to: registers, answers and promises. It proves that the worlds are rich
    /// enough to bring about what nobody has thought of.
    FromOutside,
}

/// A commit, what stands after it, and the book of all writes.
pub(crate) struct Observed<'a> {
    pub(crate) commit: &'a Commit,
    pub(crate) platter: &'a Platter,
    pub(crate) ledger: &'a Ledger,
    pub(crate) watch: Watch,
}

impl Observed<'_> {
    /// Checks everything that a commit can break.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        no_phantom::check(self)?;
        no_holes::check(self)?;
        pruned::check(self)?;
        match self.watch {
            Watch::Closely => index_whole::check(self),
            Watch::FromOutside => Ok(()),
        }
    }
}
