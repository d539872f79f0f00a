//! Tokens with any claims, signed as the cluster signs them.

use std::{fs, path::Path};

use playmark::{
    crdt::{TitleId, WallTime},
    node::{Clock, identity},
    playback::{Claims, Policy, Rights, SessionId, Shown, TokenKeys},
};

/// Whoever knows a cluster's secret.
pub(crate) struct Mint(TokenKeys);

impl Mint {
    /// Signs as the node does whose home this is.
    pub(crate) fn of(home: &Path) -> Self {
        let secret = fs::read_to_string(home.join("data/cluster.secret")).expect("a node has run here");
        let digits =
            secret.trim().as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("it is ASCII"));
        let bytes: Vec<u8> =
            digits.map(|pair| u8::from_str_radix(pair, 16).expect("it is hexadecimal")).collect();
        Self(TokenKeys::new(&bytes).expect("it is long enough"))
    }

    /// Signs with a secret of its own.
    pub(crate) fn foreign() -> Self {
        Self(TokenKeys::new(&[7; 32]).expect("it is long enough"))
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        self.sign_at(claims, Clock::wall())
    }

    pub(crate) fn sign_at(&self, claims: &Claims, at: WallTime) -> String {
        self.0.sign(claims, at)
    }
}

/// A session of Ada's that was opened at some moment, and had been shown nothing.
pub(crate) fn claims(content: &str, opened: WallTime) -> Claims {
    let title = TitleId::parse("ada", content).expect("both are ids");
    let session = SessionId::from_random(identity::random());
    Claims::open(title, session, None, Rights::ALL, &Shown::default(), opened, &Policy::default())
}

pub(crate) const fn days_ms(days: u64) -> u64 {
    days * 86_400_000
}
