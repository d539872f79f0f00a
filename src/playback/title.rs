//! A title as it stands: its registers, under what its profile says.

use crate::{
    crdt::{ProfileId, Register, Slot, Stamp, TitleId},
    playback::{Policy, ResumePoint, SessionId, Shown, greatest_fence, resume, slot::FENCE},
    store::{Read, StoreError},
};

/// What a profile says of all its titles.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Everything of the profile at or below it is erased, for ever.
    pub fence: Option<Stamp>,
}

impl Scope {
    /// Reads it from committed state.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn read<S: Read>(store: &S, profile: &ProfileId) -> Result<Self, StoreError> {
        let fence = store.register(&profile.scope().key(FENCE))?;
        Ok(Self { fence: fence.map(|register| register.stamp) })
    }
}

/// A title's committed state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title {
    /// In the order of slots.
    pub registers: Vec<(Slot, Register)>,
    /// What its profile says of it.
    pub scope: Scope,
}

impl Title {
    /// Reads it from committed state.
    ///
    /// These are two looks. A fence that comes between them takes out what it erases in the same commit, so
    /// either order of looking gives a state that was, or is one fence ahead.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn read<S: Read>(store: &S, title: &TitleId) -> Result<Self, StoreError> {
        let registers = store.title(title)?;
        Ok(Self { registers, scope: Scope::read(store, &title.profile)? })
    }

    /// Reads it from committed state where its profile has been read before.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn read_in<S: Read>(store: &S, title: &TitleId, scope: &Scope) -> Result<Self, StoreError> {
        Ok(Self { registers: store.title(title)?, scope: scope.clone() })
    }

    /// The slots and stamps of its registers.
    pub fn stamps(&self) -> Vec<(Slot, Stamp)> {
        self.registers.iter().map(|(slot, register)| (*slot, register.stamp)).collect()
    }

    /// The greater of its own and its profile's fence.
    pub fn fence(&self) -> Option<Stamp> {
        greatest_fence(&self.stamps(), self.scope.fence)
    }

    /// What it shows to a session.
    pub fn shown_to(&self, session: SessionId) -> Shown {
        Shown::to(session, &self.stamps(), self.scope.fence)
    }

    /// Where to go on; `None` where nothing is known.
    pub fn resume(&self, policy: &Policy) -> Option<ResumePoint> {
        resume(&self.registers, self.scope.fence, policy)
    }
}
