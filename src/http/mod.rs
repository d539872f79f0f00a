//! What players see: JSON over HTTP/1.1.
//!
//! The problem: whoever sends is a TV, a phone or a script, over a network that repeats and loses; it must
//! get one clear answer to each request, and no request may cost more than its bound. The mechanism: a
//! request is parsed once, at the edge, into types that are always valid ([`playback`](crate::playback)); the rules
//! are asked; the [`Handle`] writes and reads; every failure, our own and the framework's, leaves through one
//! exhaustive map to problem details (RFC 9457).
//!
//! What was refused: an answer before the commit, a session table (the token carries the session), and
//! limits that are defaults of a library.

mod admin;
pub mod auth;
mod backups;
mod batch;
mod body;
mod changes;
mod commands;
mod condition;
mod contract;
pub mod cors;
mod door;
mod durability;
mod erasures;
mod error;
mod events;
mod explain;
mod export;
mod gate;
mod heartbeats;
mod history;
mod lanes;
pub mod limits;
mod lists;
mod metrics;
mod news;
mod pages;
mod picture;
mod places;
mod problems;
mod profiles;
mod progress;
mod resume_points;
mod row;
mod sdk;
mod server;
mod sessions;
mod shards;
mod sync;
mod titles;
mod tokens;
mod view;
mod wait;

pub use admin::{InboxView, MemberStatus, OriginStatus, PeerStatusView, StallView, StatusView};
pub use backups::BackupView;
pub use batch::BATCH_CONTENTS_MAX;
pub use body::{BODY_BYTES_MAX, BODY_WITHIN, HEARTBEATS_MAX};
pub use changes::CHANGES_MAX;
pub use contract::text as contract;
pub use error::Problem;
pub use events::{BEAT_EVERY, RECONNECT_TITLES_MAX};
pub use export::EXPORT_PIECE_BYTES;
pub use gate::Gate;
pub use lanes::Lanes;
pub use lists::LISTED_MAX;
pub use news::TOLD_EVERY;
pub use problems::{PROBLEMS, markdown as problems};
pub use server::{CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WITHIN, HEADERS_MAX, LEAVE_WITHIN, serve};
pub use shards::{REGISTERS_LISTED_MAX, RegisterView, SHARDS_PER_GROUP, ShardView, SumView, SumsView};
pub use sync::{SYNC_CHANGES_MAX, SYNC_COMMANDS_MAX, SYNC_SESSIONS_MAX};
pub use tokens::TOKENS_BYTES_MAX;
pub use wait::{WAIT_MAX, WAITS_MAX};

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::HeaderValue,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    crdt::ProfileId,
    node::Handle,
    playback::{Claims, Policy, TokenKeys},
    within::within,
};
use backups::Backups;
use tokens::Tokens;

/// How long a request may take in all: its body, its turn, and a wait for a peer. Whoever asks to wait for
/// news (`Prefer: wait=N`) may take so much longer.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(15);

/// How many streams of events a node has at a time. One more is answered with 503, and finds a place at
/// another node.
pub const STREAMS_MAX: usize = 10_000;

/// How many streams look through their profile at a time: when all of another node's come at once, they
/// must not take every thread from those who report.
const LOOKS_MAX: usize = 2;

/// Where players are served, and which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The TCP address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// What credentials are taken.
    pub auth: auth::Options,
    /// Serves whoever comes, from wherever: said aloud, because it is meant by few.
    pub unauthenticated: bool,
    /// The names, beside those of the loopback, by which a node that asks nobody may be asked.
    pub allowed_hosts: Vec<String>,
    /// The origins whose pages may ask.
    pub cors_origins: cors::Origins,
    /// The proxies that are believed when they say whom they forward.
    pub trusted_proxies: Vec<IpNet>,
    /// How much anyone may ask for.
    pub limits: limits::Options,
}

impl Default for Options {
    /// Port 7080 of this machine alone.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7080)),
            auth: auth::Options::default(),
            unauthenticated: false,
            allowed_hosts: Vec::new(),
            cors_origins: cors::Origins::None,
            trusted_proxies: Vec::new(),
            limits: limits::Options::default(),
        }
    }
}

/// What answers requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    node: Handle,
    tokens: Tokens,
    policy: Policy,
    gate: Gate,
    waits: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    looks: Semaphore,
    beat_every: Duration,
    backups: Backups,
}

impl App {
    /// Makes what answers for a node, to whom the gate lets in.
    pub fn new(node: Handle, keys: TokenKeys, policy: Policy, gate: Gate) -> Self {
        let tokens = Tokens::new(keys);
        let waits = Arc::new(Semaphore::new(WAITS_MAX));
        let (streams, looks) = (Arc::new(Semaphore::new(STREAMS_MAX)), Semaphore::new(LOOKS_MAX));
        let beat_every = BEAT_EVERY;
        Self {
            inner: Arc::new(Inner {
                node,
                tokens,
                policy,
                gate,
                waits,
                streams,
                looks,
                beat_every,
                backups: Backups::default(),
            }),
        }
    }

    /// Has so many streams at most, where that is less than [`STREAMS_MAX`].
    ///
    /// # Panics
    /// Once it is shared.
    #[must_use]
    pub fn with_streams(mut self, max: usize) -> Self {
        self.unshared().streams = Arc::new(Semaphore::new(max.min(STREAMS_MAX)));
        self
    }

    /// Puts backups into a directory, where one is given.
    ///
    /// # Panics
    /// Once it is shared.
    #[must_use]
    pub fn with_backups(mut self, dir: Option<PathBuf>) -> Self {
        self.unshared().backups = Backups::into(dir);
        self
    }

    /// Says a word on a quiet stream so often, where that is more often than [`BEAT_EVERY`].
    ///
    /// # Panics
    /// Once it is shared.
    #[must_use]
    pub fn with_beats(mut self, every: Duration) -> Self {
        self.unshared().beat_every = every.min(BEAT_EVERY);
        self
    }

    fn unshared(&mut self) -> &mut Inner {
        Arc::get_mut(&mut self.inner).expect("it is made ready before it is shared")
    }

    /// Every route, with its fallbacks and the bound on a request's time.
    pub fn router(self) -> Router {
        let cors = self.gate().cors();
        let (router, _) = routes().split_for_parts();
        let router = router
            .fallback(async || Problem::NoSuchPath)
            .method_not_allowed_fallback(async || Problem::NoSuchMethod)
            .layer(middleware::from_fn_with_state(self.clone(), gate::pass))
            .layer(middleware::from_fn(bound))
            .with_state(self);
        // Outermost, so that pages may see refusals too, and need no credential to ask whether they may.
        match cors {
            Some(cors) => router.layer(cors),
            None => router,
        }
    }

    fn node(&self) -> &Handle {
        &self.inner.node
    }

    fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Refuses one more title to a profile that has as many as it may (R19). What was erased counts until
    /// nothing of it is left.
    fn check_room(&self, profile: &ProfileId) -> Result<(), Problem> {
        let most = self.gate().limits().contents_per_profile;
        let max = usize::try_from(most).unwrap_or(usize::MAX);
        if max == 0 || self.node().titles(profile, None, max)?.len() < max {
            Ok(())
        } else {
            Err(Problem::TooManyContents { most })
        }
    }

    fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    fn backups(&self) -> &Backups {
        &self.inner.backups
    }

    fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    /// How long a stream is quiet at most.
    fn beat_every(&self) -> Duration {
        self.inner.beat_every
    }

    /// Takes a stream's place.
    fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.inner.streams).try_acquire_owned().map_err(|_| Problem::StreamsFull)
    }

    /// Takes a turn to look through a profile.
    async fn look(&self) -> SemaphorePermit<'_> {
        self.inner.looks.acquire().await.expect("the semaphore is never closed")
    }

    fn waits(&self) -> &Arc<Semaphore> {
        &self.inner.waits
    }

    fn sign(&self, claims: &Claims) -> String {
        self.tokens().sign(claims, self.node().now().wall)
    }

    /// How often players are asked to report: less often the fuller the inbox is (R14), so that load is
    /// met by fewer heartbeats long before one is turned away.
    fn heartbeat_interval_ms(&self) -> u64 {
        let level = self.node().inbox();
        let factor = match level.len * 8 / level.max {
            0 => 1,
            1 => 2,
            2 | 3 => 4,
            _ => 8,
        };
        u64::try_from(self.policy().heartbeat_interval.as_millis()).unwrap_or(u64::MAX).saturating_mul(factor)
    }
}

/// Every route with what the contract says of it: one list, in which neither stands alone.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(contract::head())
        .routes(routes!(sessions::open))
        .routes(routes!(heartbeats::take))
        .routes(routes!(sync::take))
        .routes(routes!(resume_points::read, commands::place))
        .routes(routes!(batch::read))
        .routes(routes!(places::read, places::back))
        .routes(routes!(progress::put))
        .routes(routes!(row::read))
        .routes(routes!(history::read))
        .routes(routes!(commands::watched))
        .routes(routes!(commands::dismissed))
        .routes(routes!(commands::erase))
        .routes(routes!(profiles::settings, profiles::settle))
        .routes(routes!(export::read))
        .routes(routes!(profiles::erase))
        .routes(routes!(erasures::read))
        .routes(routes!(events::follow))
        .routes(routes!(changes::read))
        .routes(routes!(admin::status))
        .routes(routes!(metrics::read))
        .routes(routes!(admin::healthz))
        .routes(routes!(admin::readyz))
        .routes(routes!(contract::serve))
        .routes(routes!(picture::read))
        .routes(routes!(picture::watch))
        .routes(routes!(backups::make))
        .routes(routes!(backups::read))
        .routes(routes!(shards::sums))
        .routes(routes!(shards::read))
        .routes(routes!(pages::console::read))
        .routes(routes!(pages::console::file))
        .routes(routes!(pages::docs::read))
        .routes(routes!(problems::page::index))
        .routes(routes!(problems::page::read))
        .routes(routes!(sdk::module))
        .routes(routes!(sdk::types))
}

async fn bound(request: Request, next: Next) -> Response {
    let limit = REQUEST_WITHIN + wait::asked(request.headers()).unwrap_or_default();
    let response = within(limit, next.run(request)).await;
    let mut response = response.unwrap_or_else(|| Problem::TookTooLong.into_response());
    let uncached = HeaderValue::from_static("no-store");
    response.headers_mut().entry("cache-control").or_insert(uncached);
    if response.status().is_server_error() {
        tracing::debug!(status = response.status().as_u16(), "request failed");
    }
    response
}
