//! Why a caller is turned away.

use super::Scope;

/// Why a request is not answered for whoever sent it. No variant carries anything of the credential.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// No credential at all.
    #[error("say who asks: send `Authorization: Bearer …` with a key or a token")]
    Nobody,
    /// A credential that is none, or not one that this node trusts.
    #[error("the credential is not valid here: {0}")]
    Invalid(&'static str),
    /// A bearer token beyond its time.
    #[error("the bearer token has expired; get a fresh one from whoever issued it")]
    Expired,
    /// The keys of the issuer are not known yet, or not this one: the node's state, and no verdict.
    #[error("the keys of the issuer are being fetched; send the same again")]
    KeysUnknown,
    /// Not that.
    #[error("the credential does not allow this: it needs the scope {}", one_of(.needed))]
    NoScope {
        /// One of these would.
        needed: &'static [Scope],
    },
    /// Not for them.
    #[error("the credential does not speak for this profile")]
    NotForProfile,
    /// Not for everybody.
    #[error("the credential must speak for every profile")]
    NotForEverybody,
}

fn one_of(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" or ")
}

impl Denied {
    /// The challenge that goes with it (RFC 6750, 3): `None` where another credential is no help.
    pub(in crate::http) fn challenge(&self) -> Option<String> {
        match self {
            Self::Nobody => Some("Bearer realm=\"playmark\"".into()),
            Self::Invalid(_) | Self::Expired => {
                Some("Bearer realm=\"playmark\", error=\"invalid_token\"".into())
            }
            Self::NoScope { needed } => {
                let scope = needed.first().map_or("", |scope| scope.as_str());
                Some(format!("Bearer realm=\"playmark\", error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            Self::KeysUnknown | Self::NotForProfile | Self::NotForEverybody => None,
        }
    }
}
