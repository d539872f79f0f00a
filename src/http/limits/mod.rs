//! How much anyone may ask for, so that nobody's share is taken by one.
//!
//! The problem: a player with a bug reports in a loop, a script tries keys, a page opens sessions without
//! end; and one gateway speaks for a hundred thousand players, and is none of these. The mechanism: rates
//! are counted where they say something: by the address of who connects, except for this machine and
//! for proxies that are trusted to name whom they forward; by the subject of a credential; and sessions
//! by caller and profile. What stays is bounded by count: the titles of a profile (R19). All of it is judged
//! at the door and never in a merge, so that replicas agree whatever their limits are.
//!
//! Rates are the generic cell rate algorithm's, as governor has it, with a tenth of a minute of saved-up
//! requests. What was refused: counters shared between nodes, for a limit is no ledger.

mod address;
mod limiter;
mod states;

pub use limiter::{BURST, SHRINK_EVERY};
pub use states::STATES_MAX;

use std::{net::SocketAddr, time::Duration};

use axum::http::HeaderMap;
use ipnet::IpNet;

use self::{
    address::{Neighbourhood, client},
    limiter::{Limiter, Told, Window},
};
use crate::{
    crdt::ProfileId,
    http::auth::{Caller, Subject},
    node::Clock,
};

/// How much is allowed; 0 is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Requests a second from one address. More helps many players behind one address, less hinders who
    /// tries keys.
    pub address_requests_per_s: u32,
    /// Requests a second under one subject of bearer tokens: all screens of an account.
    pub subject_requests_per_s: u32,
    /// Requests a second under one static key: all players behind a gateway.
    pub key_requests_per_s: u32,
    /// Sessions a minute that one caller opens for one profile.
    pub sessions_per_minute: u32,
    /// Titles of one profile: a session for one more is not opened.
    pub contents_per_profile: u32,
}

impl Default for Options {
    /// Far above what players do, far below what a node can.
    fn default() -> Self {
        Self {
            address_requests_per_s: 2_000,
            subject_requests_per_s: 100,
            key_requests_per_s: 200_000,
            sessions_per_minute: 120,
            contents_per_profile: 10_000,
        }
    }
}

/// A request beyond a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    /// Which rate.
    pub policy: &'static str,
    /// How many requests it allows in a window.
    pub quota: u32,
    /// The window.
    pub window: Duration,
    /// When the next would be within it.
    pub wait: Duration,
}

/// The rates as they stand. The default has none.
#[derive(Debug, Default)]
pub(super) struct Limits {
    trusted: Vec<IpNet>,
    addresses: Option<Limiter<Neighbourhood, Told>>,
    subjects: Option<Limiter<Subject, Told>>,
    keys: Option<Limiter<Subject, Told>>,
    sessions: Option<Limiter<(Subject, ProfileId), Told>>,
    pub(super) contents_per_profile: u32,
}

impl Limits {
    pub(super) fn new(options: Options, trusted: Vec<IpNet>) -> Self {
        let clock = Told(Clock::start());
        Self {
            trusted,
            addresses: Limiter::new("address", options.address_requests_per_s, Window::Second, clock),
            subjects: Limiter::new("subject", options.subject_requests_per_s, Window::Second, clock),
            keys: Limiter::new("key", options.key_requests_per_s, Window::Second, clock),
            sessions: Limiter::new("sessions", options.sessions_per_minute, Window::Minute, clock),
            contents_per_profile: options.contents_per_profile,
        }
    }

    /// Counts a request against the address it comes from.
    pub(super) fn address(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), Exceeded> {
        let Some(limiter) = &self.addresses else { return Ok(()) };
        let client = peer.and_then(|peer| client(peer.ip(), headers, &self.trusted));
        client.map_or(Ok(()), |client| limiter.check(&client))
    }

    /// Counts a request against whose it is.
    pub(super) fn caller(&self, caller: &Caller) -> Result<(), Exceeded> {
        let Some(subject) = caller.subject() else { return Ok(()) };
        let limiter = match subject {
            Subject::Token(_) => &self.subjects,
            Subject::Key(_) => &self.keys,
        };
        limiter.as_ref().map_or(Ok(()), |limiter| limiter.check(subject))
    }

    /// Counts a session that a caller opens for a profile.
    pub(super) fn session(&self, caller: &Caller, profile: &ProfileId) -> Result<(), Exceeded> {
        let counted = self.sessions.as_ref().zip(caller.subject());
        counted.map_or(Ok(()), |(limiter, subject)| limiter.check(&(subject.clone(), profile.clone())))
    }
}
