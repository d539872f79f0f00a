//! Which of a turn's writes are made (R14).
//!
//! Players report as often as once a second, and several reports of a session come together: from a queue that
//! is drained, or from a node that has fallen behind. Each place keeps the greatest of them alone, so the
//! others need not be written on their own. What a lesser one has brought besides, that its session reached
//! the end, stands in a place of its own and is written as ever. The registers that stand in the end, and what
//! each writer is told, are those that would have come of writing one after the other.

use std::collections::BTreeMap;

use crate::{
    crdt::{Key, Merged, Stamp, TitleId},
    playback::Write,
    zoo::{Bug, planted},
};

/// Makes those of a turn's writes that are to be made, in their order, and says of each what came of it.
///
/// # Errors
/// That of `make`, at the first; what was made before it is made.
pub fn coalesce<E>(
    writes: &[&Write],
    mut make: impl FnMut(&Write) -> Result<Merged, E>,
) -> Result<Vec<Merged>, E> {
    let fates = fates(writes);
    let mut merged = vec![Merged::Unchanged; writes.len()];
    for (index, write) in writes.iter().enumerate().filter(|&(index, _)| fates[index] == Fate::Made) {
        merged[index] = make(write)?;
    }
    for (index, fate) in fates.iter().enumerate() {
        if let Fate::Superseded { by } = *fate {
            merged[index] = merged[by];
        }
    }
    Ok(merged)
}

/// What becomes of one of a turn's writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It is written.
    Made,
    /// A later one is greater and is written in its stead. It is as good as written: what that one did, it did.
    Superseded {
        /// Which one.
        by: usize,
    },
    /// An earlier one is as great or greater: it changes nothing.
    Outdone,
}

/// Decides for each of a turn's writes, in their order, whether it is written.
///
/// Of those under one key the greatest is, and of equals the first.
fn fates(writes: &[&Write]) -> Vec<Fate> {
    let mut greatest = BTreeMap::<Place<'_>, usize>::new();
    let mut fates = Vec::with_capacity(writes.len());
    for (index, write) in writes.iter().enumerate() {
        let fate = match greatest.get(&place(write)) {
            Some(&earlier) if rank(writes[earlier]) >= rank(write) => Fate::Outdone,
            Some(_) | None => {
                greatest.insert(place(write), index);
                Fate::Made
            }
        };
        fates.push(fate);
    }
    for (index, write) in writes.iter().enumerate() {
        let by = greatest[&place(write)];
        if fates[index] == Fate::Made && by != index {
            fates[index] = Fate::Superseded { by };
        }
    }
    fates
}

fn rank(write: &Write) -> (Stamp, &[u8]) {
    (write.stamp, &write.value)
}

/// Where writes meet: their key. The kind of slot is left out by a planted bug alone.
type Place<'a> = (&'a TitleId, [u8; 16], Option<u8>);

fn place(write: &Write) -> Place<'_> {
    let Key { title, slot } = &write.key;
    (title, slot.id, (!planted(Bug::CoalescedAcrossSlots)).then_some(slot.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{Slot, WallTime},
        playback::{SessionId, slot},
    };

    fn write(kind: fn(SessionId) -> Slot, ms: u64, value: &[u8]) -> Write {
        let session = SessionId::from_bytes([1; 16]);
        let stamp = Stamp { time: WallTime::from_ms(ms), counter: 0, writer: [1; 16] };
        let key = TitleId::parse("ann", "film").expect("both are ids").key(kind(session));
        Write { key, stamp, value: value.into() }
    }

    fn check(writes: &[Write], expected: &[Fate]) {
        assert_eq!(fates(&writes.iter().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn of_a_sessions_reports_the_greatest_is_written_and_its_completion_besides() {
        let (made, by) = (Fate::Made, |by| Fate::Superseded { by });
        check(
            &[
                write(slot::session, 10, b"a"),
                write(slot::completed, 1, b""),
                write(slot::session, 20, b"b"),
                write(slot::completed, 1, b""),
                write(slot::session, 30, b"c"),
            ],
            &[by(4), made, by(4), Fate::Outdone, made],
        );
    }

    #[test]
    fn what_comes_late_or_twice_changes_nothing_and_equal_stamps_are_told_apart_by_their_values() {
        let by = |by| Fate::Superseded { by };
        check(
            &[write(slot::session, 20, b"b"), write(slot::session, 10, b"a")],
            &[Fate::Made, Fate::Outdone],
        );
        check(
            &[write(slot::session, 20, b"b"), write(slot::session, 20, b"b")],
            &[Fate::Made, Fate::Outdone],
        );
        check(&[write(slot::session, 20, b"b"), write(slot::session, 20, b"c")], &[by(1), Fate::Made]);
    }

    #[test]
    fn a_glimpse_and_the_session_that_it_has_become_are_two_places() {
        check(&[write(slot::glimpse, 10, b"a"), write(slot::session, 20, b"b")], &[Fate::Made; 2]);
    }
}
