//! Whoever is at the gate with one request: who they are, or why that cannot be told.

use std::sync::Arc;

use super::{Caller, Denied, Scope, need::Need};
use crate::{crdt::ProfileId, http::Problem, playback::Rights};

/// What a handler knows of who sent its request.
///
/// A credential that is none is an error only where one is needed: a report under a session's token is
/// taken from whoever brings it.
#[derive(Clone, Debug)]
pub(in crate::http) struct Visitor(Arc<Result<Caller, Denied>>);

impl Visitor {
    pub(in crate::http) fn new(caller: Result<Caller, Denied>) -> Self {
        Self(Arc::new(caller))
    }

    /// Who they are, where they have said so.
    pub(in crate::http) fn caller(&self) -> Result<&Caller, Denied> {
        self.0.as_ref().as_ref().map_err(Clone::clone)
    }

    /// Lets them do this for a profile.
    pub(in crate::http) fn may(
        &self,
        needed: &'static [Scope],
        profile: &ProfileId,
    ) -> Result<&Caller, Problem> {
        let caller = self.has(needed)?;
        if caller.speaks_for(profile) { Ok(caller) } else { Err(Denied::NotForProfile.into()) }
    }

    /// What a token that is given to them allows: who may only read is given one that only reads.
    pub(in crate::http) fn rights(&self, profile: &ProfileId) -> Rights {
        Rights { read: true, write: self.may(&[Scope::Play], profile).is_ok() }
    }

    /// Holds them against what a route asks for; `profile` is that of the path.
    pub(in crate::http) fn meets(&self, need: Need, profile: Option<&str>) -> Result<(), Problem> {
        match need {
            Need::Nothing | Need::Handlers => Ok(()),
            Need::Scope(needed) => self.has(needed).map(|_| ()),
            Need::Everybody(needed) => {
                let for_all = self.has(needed)?.speaks_for_all();
                if for_all { Ok(()) } else { Err(Denied::NotForEverybody.into()) }
            }
            Need::Profile(needed) => {
                let caller = self.has(needed)?;
                if *caller == Caller::Anyone {
                    return Ok(());
                }
                // What is no id is nobody's.
                let profile = profile.and_then(|id| ProfileId::parse(id).ok());
                self.may(needed, &profile.ok_or(Denied::NotForProfile)?).map(|_| ())
            }
        }
    }

    fn has(&self, needed: &'static [Scope]) -> Result<&Caller, Problem> {
        let caller = self.caller()?;
        if caller.has(needed) { Ok(caller) } else { Err(Denied::NoScope { needed }.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::{Named, Profiles, Subject};

    fn visitor(scopes: &[Scope], profiles: Profiles) -> Visitor {
        let scopes = scopes.iter().copied().collect();
        let named = Named { subject: Subject::Token("ada".into()), scopes, profiles, issued: None };
        Visitor::new(Ok(Caller::Named(Arc::new(named))))
    }

    #[test]
    fn a_visitor_needs_the_scope_and_the_profile() {
        use Scope::{Events, Play, Read};
        let ada = || Profiles::parse(["ada"]).expect("an id");
        let both: &'static [Scope] = &[Play, Read];
        let check = |visitor: &Visitor, need, profile: Option<&str>, expected| {
            assert_eq!(visitor.meets(need, profile).is_ok(), expected, "{visitor:?} {need:?} {profile:?}");
        };
        check(&visitor(&[Read], ada()), Need::Profile(both), Some("ada"), true);
        check(&visitor(&[Events], ada()), Need::Profile(both), Some("ada"), false);
        check(&visitor(&[Read], ada()), Need::Profile(both), Some("eve"), false);
        check(&visitor(&[Read], Profiles::All), Need::Profile(both), Some("eve"), true);
        check(&visitor(&[Read], Profiles::All), Need::Profile(both), Some(""), false);
        check(&visitor(&[Read], Profiles::All), Need::Profile(both), None, false);
        check(&visitor(&[Events], ada()), Need::Everybody(&[Events]), None, false);
        check(&visitor(&[Events], Profiles::All), Need::Everybody(&[Events]), None, true);
        check(&visitor(&[Events], Profiles::All), Need::Scope(&[Scope::Admin]), None, false);
        let nobody = Visitor::new(Err(Denied::Nobody));
        check(&nobody, Need::Profile(both), Some("ada"), false);
        check(&nobody, Need::Handlers, None, true);
        check(&nobody, Need::Nothing, None, true);
        check(&Visitor::new(Ok(Caller::Anyone)), Need::Profile(both), Some("anyone"), true);
    }
}
