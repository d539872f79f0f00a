//! Who asks, and whether they may.
//!
//! The problem: what a viewer watches is nobody else's business, and a place in a film is easily spoilt by
//! whoever may write it; yet a player that is being closed can send one request without a header and no
//! more. The mechanism: a credential in `Authorization: Bearer` is a bearer token of the operator's issuer
//! or a static key, says its scopes and its profiles, and is held against what the route asks for (`need`,
//! one table that asks for the most where a route is not named). A session's token, which the replica set
//! has signed, is by itself the right to report for that session, and so needs no header (R17).
//!
//! Whoever is let in once is let in with one request. Where an answer goes on, it goes on for as long as the
//! credential is one: a `Lease` ends a stream or a wait with the token's time, and when its key is withdrawn.
//!
//! What was refused: sessions and passwords of our own (whoever has viewers has an issuer), a call to
//! the issuer in a request's way (its keys are fetched beside it), and algorithms that a token may choose.

mod caller;
mod denied;
mod issuer;
mod jwks;
mod jwt;
mod keys;
mod lease;
mod need;
mod signatures;
mod visitor;
mod watched;

pub use caller::{Caller, Named, Profiles, Scope, Subject};
pub use denied::Denied;
pub use issuer::{ASK_EVERY, FETCH_WITHIN, JWKS_BYTES_MAX, JWKS_LIFETIME, JwksUrl};
pub use jwks::JWKS_KEYS_MAX;
pub use jwt::{JWT_SECRET_BYTES_MIN, LEEWAY};
pub use keys::{KEY_PREFIX, KEYS_MAX, NewKey};
pub use watched::{FILE_BYTES_MAX, RELOAD_EVERY};

pub(super) use lease::Lease;
pub(super) use need::{Need, writes};
pub(super) use visitor::Visitor;

use std::{path::PathBuf, sync::Arc};

use axum::http::{HeaderMap, header};
use tokio::sync::watch;

use self::{
    jwt::{PublicKeys, Rules, Secret, Tokens},
    keys::Keys,
    watched::Watched,
};
use crate::crdt::WallTime;

/// What credentials are taken; with none of them, nobody is asked who they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The file of static keys.
    pub keys_file: Option<PathBuf>,
    /// The file with the secret of HS256.
    pub jwt_secret_file: Option<PathBuf>,
    /// The public keys of the issuer.
    pub jwks: Option<Jwks>,
    /// Whose tokens are taken; with none, whoever's key verifies.
    pub issuers: Vec<String>,
    /// For whom tokens must be meant; with none, for anyone.
    pub audiences: Vec<String>,
}

/// Where public keys come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Jwks {
    /// A file, read again when it changes.
    File(PathBuf),
    /// The issuer itself.
    Url {
        /// Where.
        url: JwksUrl,
        /// The authorities by which the issuer is believed; the system's where there is none.
        ca: Option<PathBuf>,
    },
}

impl Options {
    /// Whether anybody is asked who they are.
    pub fn asks(&self) -> bool {
        self.keys_file.is_some() || self.jwt_secret_file.is_some() || self.jwks.is_some()
    }
}

/// What tells who sent a request.
#[derive(Debug)]
pub struct Auth {
    keys: Option<Watched<Keys>>,
    tokens: Option<Tokens>,
    /// Told whenever a credential that was good may be none.
    changed: watch::Sender<()>,
}

impl Auth {
    /// Reads all files, and begins to watch them and to fetch; on the runtime that serves players.
    ///
    /// # Errors
    /// The operator's, in words: a file that cannot be read, or is not what it should be.
    pub fn start(options: &Options) -> Result<Self, String> {
        signatures::install();
        let changed = watch::Sender::new(());
        let keys = options.keys_file.as_deref();
        let keys = keys.map(|path| Watched::start(path, Keys::parse, &changed)).transpose()?;
        let secret = options.jwt_secret_file.as_deref();
        let secret = secret.map(|path| Watched::start(path, Secret::parse, &changed)).transpose()?;
        let public = options.jwks.as_ref().map(|jwks| PublicKeys::start(jwks, &changed)).transpose()?;
        let rules = Rules { issuers: options.issuers.clone(), audiences: options.audiences.clone() };
        let takes_tokens = secret.is_some() || public.is_some();
        let tokens = takes_tokens.then_some(Tokens { secret, keys: public, rules });
        Ok(Self { keys, tokens, changed })
    }

    /// Tells who sent a request with these headers.
    pub(super) fn caller(&self, headers: &HeaderMap, now: WallTime) -> Result<Caller, Denied> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let value = given.next().ok_or(Denied::Nobody)?;
        if given.next().is_some() {
            return Err(Denied::Invalid("there are two of them"));
        }
        let credential = value.to_str().ok().and_then(bearer).ok_or(Denied::Invalid("it is no Bearer"))?;
        if credential.starts_with(KEY_PREFIX) {
            let keys = self.keys.as_ref().ok_or(Denied::Invalid("keys are not taken"))?;
            return Ok(Caller::Named(keys.current().find(credential)?));
        }
        let tokens = self.tokens.as_ref().ok_or(Denied::Invalid("it is no key, and tokens are not taken"))?;
        Ok(Caller::Named(Arc::new(tokens.read(credential, now)?)))
    }
}

/// The credential after the scheme, whose letters' case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, credential) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim_matches(' '))
}
