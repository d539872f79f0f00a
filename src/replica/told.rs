//! The titles that a subscriber has been told of.
//!
//! An entry whose register was pruned is answered with all that its title kept. After a long absence most
//! entries are such, many of one title, and to repeat the title for each would cost many times the state.
//! Once is enough for every entry that was committed when the title was told: either its register was
//! among those kept, or something kept had pushed it out. For a later entry that says nothing.

use std::collections::BTreeSet;

use crate::{
    crdt::{Dot, TitleId, VersionVector},
    zoo::{Bug, planted},
};

/// How many titles are remembered: 2 MiB at the greatest length of their names. When full, all are
/// forgotten, and told once more where an entry asks for them.
const TITLES_MAX: usize = 4_096;

/// What one subscription has told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What was committed before the first of the titles was told.
    since: VersionVector,
    titles: BTreeSet<TitleId>,
}

impl Told {
    /// Says whether a title must be told in the place of an entry, and takes note that it is.
    pub(super) fn tell(&mut self, title: &TitleId, entry: Dot, vector: &VersionVector) -> bool {
        let is_later = !self.since.covers(entry) && !planted(Bug::ToldOnceForAll);
        if is_later || self.titles.len() >= TITLES_MAX {
            self.since = vector.clone();
            self.titles.clear();
        }
        self.titles.insert(title.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::{Origin, Timestamp};

    fn dot(version: u64) -> Dot {
        Dot { origin: Origin::from_random(1), version: Timestamp::from_u64(version) }
    }

    fn upto(version: u64) -> VersionVector {
        let mut vector = VersionVector::default();
        vector.advance(dot(version).origin, dot(version).version);
        vector
    }

    #[test]
    fn a_title_is_told_once_for_all_that_was_committed_then_and_again_for_what_came_later() {
        let title = TitleId::parse("ada", "film").expect("an id");
        let mut told = Told::default();
        assert!(told.tell(&title, dot(3), &upto(5)));
        assert!(!told.tell(&title, dot(5), &upto(9)));
        assert!(told.tell(&title, dot(6), &upto(9)), "it may have gained what pushed this one out");
        assert!(!told.tell(&title, dot(9), &upto(9)));
    }

    #[test]
    fn when_full_all_is_told_once_more() {
        let mut told = Told::default();
        let title = |number| TitleId::parse("ada", &format!("film {number}")).expect("an id");
        for number in 0..TITLES_MAX {
            assert!(told.tell(&title(number), dot(1), &upto(1)));
        }
        assert!(told.tell(&title(TITLES_MAX), dot(1), &upto(1)));
        assert!(told.titles.len() <= TITLES_MAX && told.tell(&title(0), dot(1), &upto(1)));
    }
}
