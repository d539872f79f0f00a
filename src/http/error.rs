//! Every failure as problem details (RFC 9457), by one exhaustive map.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{
    crdt::IdError,
    http::{
        BODY_BYTES_MAX, BODY_WITHIN, HEARTBEATS_MAX, REQUEST_WITHIN,
        auth::Denied,
        limits::Exceeded,
        problems::{Type, types as t},
    },
    node::{ReadError, Readiness, WriteError},
    playback::{CountsWrongly, HeartbeatError, NoSuchPlace, OutOfOrder, Refused, TokenError},
};

/// How long a player is asked to wait before it sends the same again, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// Why a request, or one of its heartbeats, has no other answer.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A caller who is turned away.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A request by a name that is not this node's.
    #[error("this node is not asked by that name; use one of its own, or list it in http.allowed_hosts")]
    Misdirected,
    /// A page of an origin that may not ask.
    #[error("pages of this origin may not ask this node; list it in http.cors_origins")]
    ForeignOrigin,
    /// More than a rate allows.
    #[error("more than {} requests in {:?} (\"{}\"); wait {:?}", .0.quota, .0.window, .0.policy, .0.wait)]
    TooManyRequests(Exceeded),
    /// A title beyond those that a profile may have.
    #[error("the profile has the {most} titles that it may have; erase some")]
    TooManyContents {
        /// How many.
        most: u32,
    },
    /// No route.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// A route, and not for this method.
    #[error("the path does not take this method; the Allow header names those it does")]
    NoSuchMethod,
    /// A body of another type.
    #[error("the body must be {wanted}, as its Content-Type says")]
    MediaType {
        /// What is taken.
        wanted: &'static str,
    },
    /// A body beyond its bound.
    #[error("the body has more than {BODY_BYTES_MAX} bytes; send it in parts")]
    BodyTooLarge,
    /// A body that did not come.
    #[error("the body did not come within {BODY_WITHIN:?}")]
    BodyTooSlow,
    /// A body that ended early.
    #[error("the body could not be read: {0}")]
    BodyUnreadable(String),
    /// Too many heartbeats in one request.
    #[error("the request has {count} heartbeats, and at most {HEARTBEATS_MAX} may be; send it in parts")]
    TooManyHeartbeats {
        /// How many came.
        count: usize,
    },
    /// No JSON.
    #[error("{0}")]
    NotJson(String),
    /// A heartbeat whose members are missing or wrong.
    #[error(transparent)]
    Heartbeat(#[from] HeartbeatError),
    /// A member, a path's part or a query's value that is wrong.
    #[error("`{field}`: {fix}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What to send instead.
        fix: String,
    },
    /// A request whose samples are not in order.
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
    /// A token that is not the replica set's.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A heartbeat turned away at the door.
    #[error("{why}")]
    Refused {
        /// Why.
        why: Refused,
        /// A fresh token and its anchor, where one helps.
        fresh: Option<(String, u64)>,
    },
    /// A session whose player counts more than goes by: no token makes its samples right.
    #[error(transparent)]
    CountsWrongly(#[from] CountsWrongly),
    /// Nobody has left a place in the title.
    #[error("nothing is known of this title; begin at 0, under the token that comes with this")]
    NoResumePoint {
        /// To report under.
        token: String,
        /// The token's anchor.
        anchor_ms: u64,
        /// Whether the node could not wait for what was asked for.
        stale: bool,
        /// Why not, where that was asked for.
        explanation: Option<Value>,
        /// Whether the title is watched, by hand or to an end whose place has gone.
        watched: bool,
        /// How many of its sessions have reached the end.
        plays: usize,
    },
    /// What stands is not what the request's conditions say.
    #[error("what stands here is not what the request's conditions say; read it, and decide again")]
    NotAsSaid {
        /// The tag of what stands, if anything does.
        etag: Option<HeaderValue>,
    },
    /// A dot of which this node has not heard.
    #[error("this node has not heard of such a write; ask again later, or the node that took it")]
    UnknownDot,
    /// Nobody has left such a place in the title.
    #[error(transparent)]
    NoSuchPlace(#[from] NoSuchPlace),
    /// A cursor whose place nobody here can find.
    #[error("what lies behind this cursor cannot be told apart any more; begin again without one")]
    CursorGone,
    /// Streams at their bound.
    #[error("this node has as many streams as it may; ask another, or again after a pause")]
    StreamsFull,
    /// A write without an acknowledgement.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A store that cannot be read.
    #[error("the store cannot be read; ask another node")]
    Read(#[from] ReadError),
    /// The bound on a request's time.
    #[error("no answer within {REQUEST_WITHIN:?}; what was sent may or may not stand, and may be sent again")]
    TookTooLong,
    /// The node is not ready.
    #[error("this node takes no requests")]
    NotReady,
    /// The node does not know enough to answer.
    #[error("{}", waits_for(*.0))]
    CatchingUp(Readiness),
    /// The operator has not said where backups go.
    #[error("no `backup.dir` is configured here: say where backups go, and start the node again")]
    NoBackupDir,
    /// One backup at a time.
    #[error("a backup is being made; the next one can begin when it is whole")]
    BackupRunning,
    /// There is too little room on the node's disk.
    #[error("this node's disk is full, and it takes no writes until there is room; write to another node")]
    DiskFull,
    /// The node's clock is wrong.
    #[error("this node's clock is off by {off_ms} ms, its peers agree; write to another node")]
    ClockUnsynced {
        /// By how much; above 0 where it is ahead.
        off_ms: i64,
    },
}

impl Problem {
    /// What it is to a machine and to a person.
    pub(super) fn kind(&self) -> &'static Type {
        match self {
            Self::Denied(why) => denied(why),
            Self::Misdirected => &t::MISDIRECTED,
            Self::ForeignOrigin => &t::FOREIGN_ORIGIN,
            Self::TooManyRequests(_) => &t::TOO_MANY_REQUESTS,
            Self::TooManyContents { .. } => &t::TOO_MANY_CONTENTS,
            Self::NoSuchPath => &t::NO_SUCH_PATH,
            Self::NoSuchMethod => &t::NO_SUCH_METHOD,
            Self::MediaType { .. } => &t::MEDIA_TYPE,
            Self::BodyTooLarge => &t::BODY_TOO_LARGE,
            Self::TooManyHeartbeats { .. } => &t::TOO_MANY_HEARTBEATS,
            Self::BodyTooSlow => &t::BODY_TOO_SLOW,
            Self::BodyUnreadable(_) => &t::BODY_UNREADABLE,
            Self::NotJson(_) | Self::Heartbeat(HeartbeatError::NotJson { .. }) => &t::NOT_JSON,
            Self::Heartbeat(
                HeartbeatError::Missing { .. }
                | HeartbeatError::Wrong { .. }
                | HeartbeatError::NotAnId { .. },
            )
            | Self::Invalid { .. } => &t::INVALID,
            Self::OutOfOrder(_) => &t::OUT_OF_ORDER,
            Self::Token(TokenError::Malformed | TokenError::BadSignature) => &t::BAD_TOKEN,
            Self::Token(TokenError::UnknownEpoch { .. }) => &t::UNKNOWN_EPOCH,
            Self::Refused { why, .. } => refused(*why),
            Self::CountsWrongly(_) => &t::COUNTS_WRONGLY,
            Self::NoResumePoint { .. } => &t::NO_RESUME_POINT,
            Self::NotAsSaid { .. } => &t::PRECONDITION_FAILED,
            Self::NoSuchPlace(_) => &t::NO_SUCH_PLACE,
            Self::UnknownDot => &t::UNKNOWN_DOT,
            Self::CursorGone => &t::CURSOR_GONE,
            Self::Write(WriteError::Full) | Self::StreamsFull => &t::FULL,
            Self::Write(WriteError::Leaving) | Self::NotReady => &t::NOT_READY,
            Self::CatchingUp(_) => &t::CATCHING_UP,
            Self::DiskFull => &t::DISK_FULL,
            Self::ClockUnsynced { .. } => &t::CLOCK_UNSYNCED,
            Self::NoBackupDir => &t::NO_BACKUP_DIR,
            Self::BackupRunning => &t::BACKUP_RUNNING,
            Self::Write(WriteError::Unknown) | Self::TookTooLong => &t::UNKNOWN,
            Self::Write(WriteError::ValueTooLong { .. }) => &t::INTERNAL,
            Self::Read(_) => &t::STORE,
        }
    }

    /// The document without its envelope, as a batch carries it for one heartbeat.
    pub(super) fn document(&self) -> Value {
        let kind = self.kind();
        let mut members = Map::new();
        members.insert("type".into(), json!(kind.uri()));
        members.insert("title".into(), json!(kind.title));
        members.insert("status".into(), json!(kind.status));
        members.insert("detail".into(), json!(self.to_string()));
        self.extend(&mut members);
        Value::Object(members)
    }

    /// The members that a program can act on.
    fn extend(&self, members: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| members.insert(name.into(), value);
        match self {
            Self::Heartbeat(why) => {
                if let Some(field) = why.field() {
                    put("field", json!(field));
                }
            }
            Self::Invalid { field, .. } | Self::Refused { why: Refused::NotTheTokens { field }, .. } => {
                put("field", json!(field));
            }
            Self::OutOfOrder(OutOfOrder { index, field }) => {
                put("index", json!(index));
                put("field", json!(field));
            }
            Self::Refused { fresh: Some((token, anchor_ms)), .. } => {
                put("token", json!(token));
                put("anchor_ms", json!(anchor_ms));
            }
            Self::NoResumePoint { token, anchor_ms, stale, watched, plays, explanation } => {
                put("token", json!(token));
                put("anchor_ms", json!(anchor_ms));
                put("watched", json!(watched));
                put("plays", json!(plays));
                if *stale {
                    put("stale", json!(true));
                }
                if let Some(explanation) = explanation {
                    put("explanation", explanation.clone());
                }
            }
            Self::NotAsSaid { etag: Some(etag) } => {
                put("etag", json!(etag.to_str().unwrap_or_default()));
            }
            Self::Denied(Denied::NoScope { needed }) => {
                put("scopes", json!(needed.iter().map(|scope| scope.as_str()).collect::<Vec<_>>()));
            }
            Self::TooManyRequests(exceeded) => {
                put("policy", json!(exceeded.policy));
            }
            Self::TooManyContents { most } => {
                put("most", json!(most));
            }
            Self::CatchingUp(readiness) => {
                put("readiness", json!(readiness.as_str()));
            }
            Self::ClockUnsynced { off_ms } => {
                put("off_ms", json!(off_ms));
            }
            Self::Denied(_)
            | Self::Misdirected
            | Self::ForeignOrigin
            | Self::NoSuchPath
            | Self::NoBackupDir
            | Self::BackupRunning
            | Self::NoSuchMethod
            | Self::NotAsSaid { etag: None }
            | Self::NoSuchPlace(_)
            | Self::UnknownDot
            | Self::MediaType { .. }
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyUnreadable(_)
            | Self::TooManyHeartbeats { .. }
            | Self::NotJson(_)
            | Self::Token(_)
            | Self::Refused { fresh: None, .. }
            | Self::CountsWrongly(_)
            | Self::CursorGone
            | Self::StreamsFull
            | Self::Write(_)
            | Self::Read(_)
            | Self::TookTooLong
            | Self::DiskFull
            | Self::NotReady => {}
        }
    }

    /// Says that an id is none.
    pub(super) fn id(field: &'static str, why: IdError) -> Self {
        Self::Invalid { field, fix: why.to_string() }
    }
}

/// What a node waits for that has not caught up, and what whoever asks it can do.
fn waits_for(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::CaughtUp | Readiness::CatchingUp => {
            "this node does not know yet what its peers know; ask another node, or this one after a pause"
        }
        Readiness::Searching => {
            "this node was away, and looks for a peer that knows what happened meanwhile; \
             ask another node, or this one after a pause"
        }
        Readiness::Unfounded => {
            "this node is fresh, and no node that it reaches has caught up: ask another node; \
             if the cluster is new, start exactly one of its nodes with --found"
        }
    }
}

fn denied(why: &Denied) -> &'static Type {
    match why {
        Denied::Nobody => &t::UNAUTHENTICATED,
        Denied::Invalid(_) => &t::BAD_CREDENTIAL,
        Denied::Expired => &t::CREDENTIAL_EXPIRED,
        Denied::KeysUnknown => &t::KEYS_UNKNOWN,
        Denied::NoScope { .. } => &t::NO_SCOPE,
        Denied::NotForProfile | Denied::NotForEverybody => &t::NOT_YOUR_PROFILE,
    }
}

fn refused(why: Refused) -> &'static Type {
    match why {
        Refused::NotTheTokens { .. } => &t::NOT_THE_TOKENS,
        Refused::NoRight => &t::NO_RIGHT,
        Refused::Erased => &t::ERASED,
        Refused::ClockRunsWild { .. } => &t::CLOCK_RUNS_WILD,
        Refused::Expired => &t::TOKEN_EXPIRED,
        Refused::BeyondYear2200 => &t::BEYOND_2200,
        Refused::TooOld { .. } => &t::TOO_OLD,
    }
}

/// When to come again, in the fields of HTTP and in those of its draft on rates
/// (draft-ietf-httpapi-ratelimit-headers).
fn tell_rate(headers: &mut HeaderMap, exceeded: &Exceeded) {
    let &Exceeded { policy, quota, window, wait } = exceeded;
    let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let window_s = window.as_secs();
    headers.insert(header::RETRY_AFTER, wait_s.into());
    for (name, text) in [
        ("ratelimit-policy", format!("\"{policy}\";q={quota};w={window_s}")),
        ("ratelimit", format!("\"{policy}\";r=0;t={wait_s}")),
    ] {
        let value = HeaderValue::from_str(&text).expect("names of policies and numbers are ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Self {
        Self::TooManyRequests(exceeded)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind().code();
        if let Self::Read(why) = &self {
            tracing::error!(%why, "the store cannot be read");
        }
        let mut response = (status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let challenge = if let Self::Denied(why) = &self {
            why.challenge()
        } else {
            (status == StatusCode::UNAUTHORIZED).then(|| "Playmark-Token".to_owned())
        };
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::TooManyRequests(exceeded) = &self {
            tell_rate(headers, exceeded);
        }
        if let Self::NotAsSaid { etag: Some(etag) } = self {
            headers.insert(header::ETAG, etag);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }
}
