//! Nothing acknowledged is lost, as long as nothing happened that the acknowledgement did not promise to
//! survive.

use super::Violation;
use crate::{disk::Platter, ledger::Line, model};

/// What an acknowledgement promises to survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Promise {
    /// The end of the process.
    Process,
    /// A power cut.
    Synced,
    /// The loss of the machine.
    Replicated,
}

/// The acknowledgements that one machine has given and that still bind it.
#[derive(Default, Debug)]
pub(crate) struct Promises {
    given: Vec<(Promise, Line)>,
}

impl Promises {
    /// Enters an acknowledgement that is given, and checks that it is true.
    pub(crate) fn give(&mut self, promise: Promise, line: Line, platter: &Platter) -> Result<(), Violation> {
        check(promise, &line, platter)?;
        self.given.push((promise, line));
        Ok(())
    }

    /// Enters an acknowledgement that is given too early, for a planted bug.
    pub(crate) fn give_blindly(&mut self, promise: Promise, line: Line) {
        self.given.push((promise, line));
    }

    /// Checks what is left after a power cut, and forgets what was not promised to survive it.
    pub(crate) fn power_cut(&mut self, platter: &Platter) -> Result<(), Violation> {
        self.given.retain(|(promise, _)| *promise >= Promise::Synced);
        self.check_all(platter)
    }

    /// Checks every promise against a disk.
    pub(crate) fn check_all(&self, platter: &Platter) -> Result<(), Violation> {
        self.given.iter().try_for_each(|(promise, line)| check(*promise, line, platter))
    }

    /// The writes that must outlive the machine.
    pub(crate) fn replicated(&self) -> impl Iterator<Item = &Line> {
        self.given.iter().filter(|(promise, _)| *promise == Promise::Replicated).map(|(_, line)| line)
    }
}

fn check(promise: Promise, line: &Line, platter: &Platter) -> Result<(), Violation> {
    if model::stands(platter, line) {
        return Ok(());
    }
    let (key, stamp) = (model::name(&line.key), line.stamp);
    Err(Violation::new(
        "acknowledged",
        format!("{stamp:?} at {key} was acknowledged ({promise:?}) and is lost"),
    ))
}
