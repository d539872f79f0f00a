//! Once all is quiet, every node's answer is the one of somebody who has seen it all; and where the clocks
//! allow it, that is the place of the last activity.

use playmark::{crdt::TitleId, playback::Policy};

use super::Violation;
use crate::{disk::Platter, players::Expected};

/// Checks a node's answer for one title.
pub(crate) fn check(
    title: &TitleId,
    expected: &Result<Option<Expected>, String>,
    platter: &Platter,
) -> Result<(), Violation> {
    let fail = |what: String| Err(Violation::new("resume_point", format!("{title}: {what}")));
    let expected = match expected {
        Ok(expected) => *expected,
        Err(why) => return fail(why.clone()),
    };
    let answer = platter.found(title).resume(&Policy::default());
    let found = answer.map(|point| (point.place.session, point.place.stamp, point.place.sample.position_ms));
    if found == expected.map(|it| (it.session, it.stamp, it.position_ms)) {
        return Ok(());
    }
    fail(format!("the answer is {found:?}, and {expected:?} was the last place"))
}
