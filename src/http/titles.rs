//! The titles that a request is about, as they stand after its turn, each read once.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    crdt::{Dot, TitleId},
    http::App,
    node::ReadError,
    playback::{ResumePoint, SessionId, Title},
};

/// One title's committed state, and what it comes to.
pub(super) struct Found {
    pub(super) title: Title,
    pub(super) point: Option<ResumePoint>,
}

/// The titles read so far.
#[derive(Default)]
pub(super) struct Titles(BTreeMap<TitleId, Found>);

impl Titles {
    pub(super) fn read(&mut self, app: &App, title: &TitleId) -> Result<&Found, ReadError> {
        match self.0.entry(title.clone()) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(vacant) => {
                let title = app.node().title(title)?;
                let point = title.resume(app.policy());
                Ok(vacant.insert(Found { title, point }))
            }
        }
    }
}

impl Found {
    /// The dot of what stands for a session; where nothing does, of the winner.
    pub(super) fn standing(&self, session: SessionId) -> Option<Dot> {
        let own = self.title.of_session(session).map(|register| register.dot);
        own.or_else(|| self.point.as_ref().map(|point| point.place.dot))
    }
}
