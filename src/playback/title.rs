//! A title as it stands: its registers, under what its profile says.

use std::borrow::Cow;

use crate::{
    crdt::{Register, Slot, Stamp},
    playback::{Policy, ResumePoint, SessionId, Settings, Shown, greatest_fence, resume, slot},
};

/// What a profile says of all its titles.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Everything of the profile at or below it is erased, for ever.
    pub fence: Option<Stamp>,
    /// What its viewer has settled.
    pub settings: Settings,
}

impl Scope {
    /// Takes what stands under the profile's scope: its fence.
    pub fn of(fence: Option<&Register>) -> Self {
        Self { fence: fence.map(|register| register.stamp), settings: Settings::default() }
    }

    /// Takes what else stands there: its settings, which hold as far as this build can read them.
    #[must_use]
    pub fn settled(self, settings: Option<&Register>) -> Self {
        let settings = settings.and_then(|register| Settings::decode(&register.value).ok());
        Self { settings: settings.unwrap_or_default(), ..self }
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
    /// The slots and stamps of its registers.
    pub fn stamps(&self) -> Vec<(Slot, Stamp)> {
        self.registers.iter().map(|(slot, register)| (*slot, register.stamp)).collect()
    }

    /// The greater register of a session: the one by which it is judged.
    pub fn of_session(&self, session: SessionId) -> Option<&Register> {
        let slots = [slot::session(session), slot::glimpse(session)];
        let own = self.registers.iter().filter(|(slot, _)| slots.contains(slot));
        own.map(|(_, register)| register).max_by_key(|register| register.stamp)
    }

    /// The greater of its own and its profile's fence.
    pub fn fence(&self) -> Option<Stamp> {
        greatest_fence(&self.stamps(), self.scope.fence)
    }

    /// What it shows to a session.
    pub fn shown_to(&self, session: SessionId) -> Shown {
        Shown::to(session, &self.stamps(), self.scope.fence)
    }

    /// Where to go on, if the node's own policy is `policy`; `None` where nothing is known.
    pub fn resume(&self, policy: &Policy) -> Option<ResumePoint> {
        resume(&self.registers, self.scope.fence, &self.policy(policy))
    }

    /// The policy by which the title is judged, where the node's own is `policy`.
    pub fn policy<'a>(&self, policy: &'a Policy) -> Cow<'a, Policy> {
        self.scope.settings.over(policy)
    }
}
