//! What the answer must be, by someone who has seen it all.

use playmark::{
    crdt::{Stamp, TitleId},
    playback::{ENGAGED, SessionId},
};

use super::{Fate, Players, Sample, Session};
use crate::time::Moment;

/// Where a viewer left a title.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    pub(crate) session: SessionId,
    pub(crate) stamp: Stamp,
    pub(crate) position_ms: u64,
    /// Whether the truth is that this was the last activity, and clocks were good enough to tell.
    pub(crate) is_truth: bool,
}

/// A session's last word.
#[derive(Clone, Copy, Debug)]
struct LastWord {
    engaged: bool,
    stamp: Stamp,
    session: SessionId,
    position_ms: u64,
    moved: Moment,
}

impl Players {
    /// What every node must answer once all is quiet: for each title that the viewers touched, the place,
    /// or `None` where nobody left one. Titles are left out of which a sample was turned away, or whose
    /// greatest may have been lost to a power cut.
    ///
    /// `skew_ms` is how far two nodes' clocks may be apart; `None` if they jumped.
    pub(crate) fn expected(&self, skew_ms: Option<u64>) -> Vec<(TitleId, Result<Option<Expected>, String>)> {
        let titles = self.left.keys().filter(|&title| !self.gave_up(title) && !self.may_be_lost(title));
        titles.map(|title| (title.clone(), self.expected_of(title, skew_ms))).collect()
    }

    fn gave_up(&self, title: &TitleId) -> bool {
        self.sessions_of(title)
            .any(|session| session.samples.iter().any(|sample| sample.fate == Fate::GivenUp))
    }

    /// Whether a session's greatest sample is one that a power cut may take: a session that was renewed at
    /// a node behind the others goes on below what it has said, and its last word is not its greatest.
    fn may_be_lost(&self, title: &TitleId) -> bool {
        self.sessions_of(title).filter_map(greatest).any(|sample| !sample.is_synced())
    }

    fn sessions_of(&self, title: &TitleId) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| session.title == *title)
    }

    fn expected_of(&self, title: &TitleId, skew_ms: Option<u64>) -> Result<Option<Expected>, String> {
        let words: Vec<_> = self.sessions_of(title).filter_map(last_word).collect();
        let Some(winner) = words.iter().max_by_key(|word| (word.engaged, word.stamp, word.session)) else {
            return Ok(None);
        };
        let last = words.iter().filter(|word| word.engaged).max_by_key(|word| word.moved);
        let is_truth = match (last, skew_ms) {
            (Some(last), Some(skew_ms)) => {
                let margin_ms = skew_ms + self.slowest_opening_ms(title) + 2;
                let others = words.iter().filter(|word| word.engaged && word.session != last.session);
                let clear = others
                    .into_iter()
                    .all(|word| last.moved.as_ms().saturating_sub(word.moved.as_ms()) > margin_ms);
                if clear && last.session != winner.session {
                    return Err(format!(
                        "{last:?} was the last activity, and by the stamps it is {winner:?}"
                    ));
                }
                clear
            }
            _ => false,
        };
        let LastWord { session, stamp, position_ms, .. } = *winner;
        Ok(Some(Expected { session, stamp, position_ms, is_truth }))
    }

    /// How much later than the asking an anchor may be.
    fn slowest_opening_ms(&self, title: &TitleId) -> u64 {
        let tokens = self.sessions_of(title).flat_map(|session| &session.tokens);
        tokens.map(|token| token.delay_ms).max().unwrap_or_default()
    }
}

fn greatest(session: &Session) -> Option<&Sample> {
    session.samples.iter().max_by_key(|sample| session.stamp(sample))
}

fn last_word(session: &Session) -> Option<LastWord> {
    let last = greatest(session)?;
    let engaged = last.deliberate || u128::from(last.played_ms) >= ENGAGED.as_millis();
    Some(LastWord {
        engaged,
        stamp: session.stamp(last),
        session: session.id,
        position_ms: last.position_ms,
        moved: last.moved,
    })
}
