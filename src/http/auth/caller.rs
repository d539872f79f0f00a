//! Who asks, and what they may.

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::crdt::{ProfileId, WallTime};

/// One kind of thing that a caller may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// What a player does: open sessions, report, and ask where to go on.
    Play,
    /// Ask for anything that is kept of a profile.
    Read,
    /// Command: set, mark, dismiss, erase.
    Write,
    /// Follow what changes.
    Events,
    /// What operators do.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Play, Self::Read, Self::Write, Self::Events, Self::Admin];

    /// Its name in a credential.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Play => "play",
            Self::Read => "read",
            Self::Write => "write",
            Self::Events => "events",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The profiles that a caller may speak for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Profiles {
    /// Every one: a service of the operator's own.
    All,
    /// These.
    Only(BTreeSet<ProfileId>),
}

impl Profiles {
    /// Takes ids, or the single `*`. A star beside ids, or inside one, is not a pattern.
    ///
    /// # Errors
    /// What is none of both, in words.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let names: Vec<_> = names.into_iter().collect();
        if names == ["*"] {
            return Ok(Self::All);
        }
        let ids = names.into_iter().map(|name| match name {
            "*" => Err("\"*\" stands for every profile, and so stands alone".to_owned()),
            id => ProfileId::parse(id).map_err(|why| why.to_string()),
        });
        Ok(Self::Only(ids.collect::<Result<_, _>>()?))
    }

    fn include(&self, profile: &ProfileId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(profile),
        }
    }
}

/// By whose name a caller's requests are counted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// The subject of a bearer token: most often one viewer's account.
    Token(Arc<str>),
    /// The name of a key: most often a gateway, behind which stand many viewers.
    Key(Arc<str>),
}

/// Whoever sent a request, once it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A node that asks nobody who they are.
    Anyone,
    /// A holder of a credential.
    Named(Arc<Named>),
}

/// What a credential says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// By whose name requests are counted.
    pub subject: Subject,
    /// What they may do.
    pub scopes: BTreeSet<Scope>,
    /// For whom.
    pub profiles: Profiles,
    /// When their credential was issued, where it says so.
    pub issued: Option<WallTime>,
    /// From when on their credential is none, where it says so.
    pub expires: Option<WallTime>,
}

impl Caller {
    /// When their credential was issued, by the clock of whoever issued it.
    pub(in crate::http) fn issued(&self) -> Option<WallTime> {
        match self {
            Self::Anyone => None,
            Self::Named(named) => named.issued,
        }
    }

    /// From when on their credential is none, by the node's clock.
    pub(in crate::http) fn expires(&self) -> Option<WallTime> {
        match self {
            Self::Anyone => None,
            Self::Named(named) => named.expires,
        }
    }

    /// Whose requests these are; nobody's in particular where nobody is asked.
    pub(in crate::http) fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Anyone => None,
            Self::Named(named) => Some(&named.subject),
        }
    }

    /// Whether they have one of these scopes.
    pub(in crate::http) fn has(&self, scopes: &[Scope]) -> bool {
        match self {
            Self::Anyone => true,
            Self::Named(named) => scopes.iter().any(|scope| named.scopes.contains(scope)),
        }
    }

    /// Whether they may speak for a profile.
    pub(in crate::http) fn speaks_for(&self, profile: &ProfileId) -> bool {
        match self {
            Self::Anyone => true,
            Self::Named(named) => named.profiles.include(profile),
        }
    }

    /// Whether they may speak for every profile.
    pub(in crate::http) fn speaks_for_all(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::Named(named) => named.profiles == Profiles::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(id: &str) -> ProfileId {
        ProfileId::parse(id).expect("an id")
    }

    #[test]
    fn a_star_stands_for_every_profile_and_only_alone() {
        assert_eq!(Profiles::parse(["*"]), Ok(Profiles::All));
        assert!(Profiles::parse(["ada", "*"]).is_err());
        assert!(Profiles::parse([""]).is_err());
        let some = Profiles::parse(["ada", "a*"]).expect("both are ids");
        assert!(some.include(&profile("ada")) && some.include(&profile("a*")));
        assert!(!some.include(&profile("abe")), "a star inside an id is a letter");
        assert!(!Profiles::parse([]).expect("nobody").include(&profile("ada")));
    }

    #[test]
    fn a_scope_is_found_by_its_name_alone() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::parse("Play"), None);
    }
}
