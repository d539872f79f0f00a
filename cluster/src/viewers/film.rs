//! What is watched: each viewer has a few films of its own, and nobody else watches them.

use std::time::Duration;

use crate::agreement::Title;

/// What a viewer has begun; a small number, so that it comes back to what it left.
pub(super) const FILMS: u8 = 4;

/// One film of one viewer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Film {
    pub(super) viewer: u32,
    /// Below [`FILMS`].
    pub(super) number: u8,
}

impl Film {
    /// The viewer's name.
    pub(super) fn profile(self) -> String {
        format!("viewer-{}", self.viewer)
    }

    /// The film's.
    pub(super) fn content(self) -> String {
        format!("film-{}", self.number)
    }

    /// Both, as questions are put.
    pub(super) fn title(self) -> Title {
        Title { profile: self.profile(), content: self.content() }
    }

    /// Between 20 minutes and two hours.
    pub(super) fn length(self) -> Duration {
        Duration::from_mins(20 + u64::from(self.number) * 33)
    }
}
