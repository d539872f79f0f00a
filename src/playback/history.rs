//! All that a profile has to do with a title, in one line.

use crate::{
    crdt::{ContentId, Register, Slot, Stamp},
    playback::{
        Cursor, Listed, Place, Policy,
        resume::{Standing, resume},
    },
};

/// A title that a viewer has played, marked or put away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// What is watched.
    pub content: ContentId,
    /// The latest that the viewer did with it, whatever it was.
    pub latest: Stamp,
    /// Where the last activity was, of a title in which there is a place.
    pub place: Option<Place>,
    /// Whether that is past the end.
    pub completed: bool,
    /// Whether the title is watched.
    pub watched: bool,
    /// How many sessions reached the end.
    pub plays: usize,
    /// Whether the title was taken out of the row and not played since.
    pub dismissed: bool,
}

impl Seen {
    /// Sums up a title; `None` of one of which everything is erased.
    pub fn of(
        content: ContentId,
        registers: &[(Slot, Register)],
        profile_fence: Option<Stamp>,
        policy: &Policy,
    ) -> Option<Self> {
        let standing = Standing::of(registers, profile_fence);
        let (latest, watched, plays) =
            (standing.latest()?, standing.is_watched(), standing.completions().count());
        let point = resume(registers, profile_fence, policy);
        let completed = point.as_ref().is_some_and(|point| point.completed);
        let dismissed = point.as_ref().map_or(standing.is_dismissed(), |point| point.dismissed);
        let place = point.map(|point| point.place);
        Some(Self { content, latest, place, completed, watched, plays, dismissed })
    }
}

impl Listed for Seen {
    fn cursor(&self) -> Cursor {
        Cursor { latest: self.latest, content: self.content.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        crdt::{Dot, TitleId, WallTime},
        playback::{Sample, SessionId, Watched, sample::tests::playing, slot},
    };

    fn register(slot: Slot, ms: u64, value: Arc<[u8]>) -> (Slot, Register) {
        let key = TitleId::parse("ann", "film").expect("both are ids").key(slot);
        let stamp = Stamp { time: WallTime::from_ms(ms), counter: 0, writer: slot.id };
        (slot, Register::seal(&key, stamp, Dot::default(), value))
    }

    fn seen(registers: &[(Slot, Register)]) -> Option<Seen> {
        let content = ContentId::parse("film").expect("an id");
        Seen::of(content, registers, None, &Policy::default())
    }

    #[test]
    fn a_title_is_dated_by_whatever_was_done_last() {
        let id = SessionId::from_bytes([1; 16]);
        let sample = Sample { played_ms: 60_000, duration_ms: Some(1_000), ..playing(990) };
        let mut registers = vec![
            register(slot::session(id), 100, sample.encode()),
            register(slot::completed(id), 50, Arc::default()),
        ];
        let title = seen(&registers).expect("something stands");
        assert_eq!((title.latest.time.as_ms(), title.plays), (100, 1));
        assert!(title.completed && title.watched && !title.dismissed);
        registers.push(register(slot::WATCHED, 200, Watched(false).encode()));
        registers.push(register(slot::DISMISSED, 150, Arc::default()));
        let title = seen(&registers).expect("something stands");
        assert_eq!((title.latest.time.as_ms(), title.watched, title.dismissed), (200, false, true));
    }

    #[test]
    fn a_title_without_a_place_is_remembered_and_an_erased_one_is_not() {
        let marked = register(slot::WATCHED, 10, Watched(true).encode());
        let title = seen(std::slice::from_ref(&marked)).expect("something stands");
        assert_eq!((title.place, title.watched, title.dismissed), (None, true, false));
        let title = seen(&[marked.clone(), register(slot::DISMISSED, 5, Arc::default())]);
        assert!(title.expect("something stands").dismissed);
        assert_eq!(seen(&[marked, register(slot::FENCE, 20, Arc::default())]), None);
    }
}
