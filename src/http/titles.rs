//! The titles that a request is about, as they stand after its turn, each read once.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    crdt::{Dot, Register, Slot, TitleId},
    http::App,
    node::ReadError,
    playback::{ResumePoint, SessionId, resume, slot},
};

/// One title's committed state.
pub(super) struct Title {
    pub(super) registers: Vec<(Slot, Register)>,
    pub(super) point: Option<ResumePoint>,
}

/// The titles read so far.
#[derive(Default)]
pub(super) struct Titles(BTreeMap<TitleId, Title>);

impl Titles {
    pub(super) fn read(&mut self, app: &App, title: &TitleId) -> Result<&Title, ReadError> {
        match self.0.entry(title.clone()) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(vacant) => {
                let registers = app.node().title(title)?;
                let point = resume(&registers, None, app.policy());
                Ok(vacant.insert(Title { registers, point }))
            }
        }
    }
}

impl Title {
    /// The dot of what stands for a session; where nothing does, of the winner.
    pub(super) fn standing(&self, session: SessionId) -> Option<Dot> {
        let slots = [slot::session(session), slot::glimpse(session)];
        let own = self.registers.iter().filter(|(slot, _)| slots.contains(slot));
        let own = own.max_by_key(|(_, register)| register.stamp).map(|(_, register)| register.dot);
        own.or_else(|| self.point.as_ref().map(|point| point.place.dot))
    }
}
