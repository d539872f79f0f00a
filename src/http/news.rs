//! A title's state as those hear of it who follow what changes, and what they were last told.

use std::time::Duration;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::{
    crdt::{TitleId, VersionVector},
    http::{App, view::ResumeView},
    node::{MARKS_MAX, ReadError},
    playback::{Title, is_watched, slot},
};

/// How often one title is told at most: as often as players report.
pub const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A title as it stands.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum News {
    /// Somebody has left a place in it.
    Placed(Box<ResumeView>),
    /// Nobody has, or it is erased.
    Unplaced { profile: String, content: String, watched: bool, erased: bool },
}

/// A title's committed state, and how it is told.
pub(super) struct State {
    pub(super) title: Title,
    pub(super) news: News,
    /// A hash by which it is known again, here or at another node.
    pub(super) mark: u64,
}

impl State {
    pub(super) fn read(app: &App, id: &TitleId) -> Result<Self, ReadError> {
        let title = app.node().title(id)?;
        let (mut news, dot) = match title.resume(app.policy()) {
            Some(point) => {
                let mut view = ResumeView::new(id, &point);
                // Which node took it is no news: a retry elsewhere may change that, and nothing else.
                let dot = view.swap_dot(String::new());
                (News::Placed(Box::new(view)), dot)
            }
            None => (News::unplaced(id, &title), String::new()),
        };
        let mark = mark(id, &serde_json::to_vec(&news).expect("an answer is texts, numbers and flags"));
        if let News::Placed(view) = &mut news {
            view.swap_dot(dot);
        }
        Ok(Self { title, news, mark })
    }

    /// Whether there is nothing in it that somebody who was told all of a vector has not been told.
    pub(super) fn is_covered_by(&self, told: &VersionVector) -> bool {
        self.title.registers.iter().all(|(_, register)| told.covers(register.dot))
    }
}

impl News {
    fn unplaced(id: &TitleId, title: &Title) -> Self {
        Self::Unplaced {
            profile: id.profile.as_str().to_owned(),
            content: id.content.as_str().to_owned(),
            watched: is_watched(&title.registers, title.scope.fence),
            erased: title.registers.iter().any(|(found, _)| *found == slot::FENCE),
        }
    }
}

const TITLE_BITS: u64 = !(u64::MAX >> 16);

/// Sixteen bits of the title, forty-eight of its state.
fn mark(title: &TitleId, state: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(state);
    title_bits(title.content.as_str()) | hash.digest() >> 16
}

fn title_bits(content: &str) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(content.as_bytes());
    hash.digest() & TITLE_BITS
}

/// The states that one who follows was told last, the latest last. Two titles whose bits are the same
/// count as one, which delays one of them, or tells it once more; never less.
#[derive(Default)]
pub(super) struct Told(Vec<Mark>);

struct Mark {
    mark: u64,
    /// When it may be told again, as time since the start of the node; at once, where another node told it.
    due: Duration,
}

impl Told {
    /// As another node has noted it.
    pub(super) fn from_marks(marks: &[u64]) -> Self {
        Self(marks.iter().map(|&mark| Mark { mark, due: Duration::ZERO }).collect())
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|told| told.mark)
    }

    /// Whether a state is the one last told of its title.
    pub(super) fn is_known(&self, mark: u64) -> bool {
        self.0.iter().any(|told| told.mark == mark)
    }

    pub(super) fn tell(&mut self, mark: u64, now: Duration) {
        self.0.retain(|told| told.mark & TITLE_BITS != mark & TITLE_BITS);
        if self.0.len() == MARKS_MAX {
            self.0.remove(0);
        }
        self.0.push(Mark { mark, due: now + TOLD_EVERY });
    }

    /// When a title may be told again; of one that is not among the last, at once.
    pub(super) fn due(&self, content: &str) -> Duration {
        let title = title_bits(content);
        let last = self.0.iter().find(|told| told.mark & TITLE_BITS == title);
        last.map_or(Duration::ZERO, |told| told.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(content: &str) -> TitleId {
        TitleId::parse("ann", content).expect("both are ids")
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_state_is_known_until_its_title_has_another() {
        let [one, other] = [b"one", b"two"].map(|state| mark(&title("film"), state));
        let mut told = Told::from_marks(&[one]);
        assert!(told.is_known(one) && !told.is_known(other));
        assert!(!told.is_known(mark(&title("other film"), b"one")));
        told.tell(other, at(5));
        assert!(told.is_known(other) && !told.is_known(one), "it is news again");
    }

    #[test]
    fn a_title_is_due_a_second_after_it_was_told_here() {
        let mut told = Told::from_marks(&[mark(&title("film"), b"one")]);
        assert_eq!(told.due("film"), at(0));
        told.tell(mark(&title("film"), b"two"), at(700));
        assert_eq!(told.due("film"), at(1_700));
        assert_eq!(told.due("other film"), at(0));
    }

    #[test]
    fn the_oldest_is_forgotten_and_due_at_once() {
        let mut told = Told::default();
        for n in 0..=MARKS_MAX {
            told.tell(mark(&title(&format!("film {n}")), b"one"), at(700));
        }
        assert_eq!(told.marks().count(), MARKS_MAX);
        assert_eq!(told.due("film 0"), at(0));
        assert_eq!(told.due("film 1"), at(1_700));
    }
}
