//! Whoever is at the gate with one request: who they are, or why that cannot be told.

use std::sync::Arc;

use super::{Caller, Denied, Scope, need::Need};
use crate::{crdt::ProfileId, http::Problem, playback::Rights};

/// What a handler knows of who sent its request.
///
/// A credential that is none is an error only where one is needed: a report under a session's token is
/// taken from whoever brings it.
#[derive(Clone, Debug)]
pub(in crate::http) struct Visitor {
    caller: Arc<Result<Caller, Denied>>,
    need: Need,
}

impl Visitor {
    /// Whoever asks for a route that has this need.
    pub(in crate::http) fn new(caller: Result<Caller, Denied>, need: Need) -> Self {
        Self { caller: Arc::new(caller), need }
    }

    /// Who they are, where they have said so.
    pub(in crate::http) fn caller(&self) -> Result<&Caller, Denied> {
        self.caller.as_ref().as_ref().map_err(Clone::clone)
    }

    /// What their request's route asks for.
    pub(super) fn need(&self) -> Need {
        self.need
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

    /// Holds them against what the route asks for; `profile` is that of the path.
    pub(in crate::http) fn is_let_in(&self, profile: Option<&str>) -> Result<(), Problem> {
        match self.need {
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

    fn named(scopes: &[Scope], profiles: Profiles) -> Caller {
        let (subject, scopes) = (Subject::Token("ada".into()), scopes.iter().copied().collect());
        Caller::Named(Arc::new(Named { subject, scopes, profiles, issued: None, expires: None }))
    }

    #[test]
    fn a_visitor_needs_the_scope_and_the_profile() {
        use Scope::{Events, Play, Read};
        let ada = || Profiles::parse(["ada"]).expect("an id");
        let both: &'static [Scope] = &[Play, Read];
        let check = |caller: Result<Caller, Denied>, need, profile: Option<&str>, expected| {
            let visitor = Visitor::new(caller, need);
            assert_eq!(visitor.is_let_in(profile).is_ok(), expected, "{visitor:?} {profile:?}");
        };
        check(Ok(named(&[Read], ada())), Need::Profile(both), Some("ada"), true);
        check(Ok(named(&[Events], ada())), Need::Profile(both), Some("ada"), false);
        check(Ok(named(&[Read], ada())), Need::Profile(both), Some("eve"), false);
        check(Ok(named(&[Read], Profiles::All)), Need::Profile(both), Some("eve"), true);
        check(Ok(named(&[Read], Profiles::All)), Need::Profile(both), Some(""), false);
        check(Ok(named(&[Read], Profiles::All)), Need::Profile(both), None, false);
        check(Ok(named(&[Events], ada())), Need::Everybody(&[Events]), None, false);
        check(Ok(named(&[Events], Profiles::All)), Need::Everybody(&[Events]), None, true);
        check(Ok(named(&[Events], Profiles::All)), Need::Scope(&[Scope::Admin]), None, false);
        let nobody = || Err(Denied::Nobody);
        check(nobody(), Need::Profile(both), Some("ada"), false);
        check(nobody(), Need::Handlers, None, true);
        check(nobody(), Need::Nothing, None, true);
        check(Ok(Caller::Anyone), Need::Profile(both), Some("anyone"), true);
    }
}
