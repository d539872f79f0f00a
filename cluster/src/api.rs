//! The node's HTTP API as a player and an operator see it.
//!
//! Written from the API's description alone: what is not described here is not relied on.

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{
    body::Bytes,
    http::{HeaderName, Request, Response, StatusCode, header},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    http::{Http, Unreachable},
    web::Picture,
};

/// A client of any node's API. Cheap to clone; connections are shared.
#[derive(Clone, Default, Debug)]
pub struct Api {
    http: Http,
}

/// A session just opened.
#[derive(Clone, Debug, Deserialize)]
pub struct Opened {
    /// The session's id.
    pub session: String,
    /// What its heartbeats carry.
    pub token: Arc<str>,
    /// When its time line begins, on that of the replica set.
    pub anchor_ms: u64,
    /// Where the title stands.
    pub resume: Option<ResumePoint>,
}

/// Where a title stands.
#[derive(Clone, Debug, Deserialize)]
pub struct ResumePoint {
    /// Where the viewer was last.
    pub position_ms: u64,
    /// Where to go on: 0 after the end.
    pub resume_position_ms: u64,
    /// The node has not yet seen what the question demanded.
    #[serde(default)]
    stale: bool,
}

/// What a node answers when it is asked where a title stands.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where; nowhere, as far as this node knows.
    pub point: Option<ResumePoint>,
    /// The node has not yet seen what the question demanded, and says so.
    pub stale: bool,
}

/// One report of a player.
#[derive(Clone, Debug, Serialize)]
pub struct Heartbeat {
    /// The session's token at the time of the sample.
    pub token: Arc<str>,
    /// Counts the session's reports.
    pub seq: u32,
    /// From the asking for the token to the sample, or to the last movement.
    pub elapsed_ms: u64,
    /// From the asking for the token to the sending.
    pub sent_elapsed_ms: u64,
    /// The playhead.
    pub position_ms: u64,
    /// The length of the title.
    pub duration_ms: u64,
    /// What happened.
    pub event: Event,
    /// How long the session has played in all.
    pub played_ms: u64,
    /// The viewer chose this place.
    pub deliberate: bool,
}

/// What a heartbeat reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The playhead moves.
    Playing,
    /// It rests.
    Paused,
    /// The viewer moved it.
    Seeked,
    /// The viewer left.
    Stopped,
    /// The title is over.
    Ended,
    /// The player gives up.
    Failed,
}

/// What a node answers a heartbeat.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Acknowledged {
    /// `stored`, `acknowledged` or `superseded`.
    pub result: Option<String>,
    /// The dot a later read can demand.
    pub dot: Option<String>,
    /// A token to go on with.
    pub token: Option<Arc<str>>,
}

/// What a device says that was away.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Away {
    /// Whose it is.
    pub profile: String,
    /// What its clocks say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<AwayClocks>,
    /// The sessions that began without a token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<AwaySession>,
    /// What was reported in sessions that have one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heartbeats: Vec<Heartbeat>,
}

/// The clocks of a device.
#[derive(Clone, Debug, Serialize)]
pub struct AwayClocks {
    /// `boot` counts while it sleeps, `active` does not.
    pub clock: &'static str,
    /// What its wall clock says now.
    pub sent_at_ms: i64,
}

/// A session that began without a node.
#[derive(Clone, Debug, Serialize)]
pub struct AwaySession {
    /// What was watched.
    pub content: String,
    /// An id that the device made.
    pub session: String,
    /// On what.
    pub device: String,
    /// From its beginning to its last sample.
    pub elapsed_ms: u64,
    /// From its beginning to now.
    pub sent_elapsed_ms: u64,
    /// What the wall clock said when it began.
    pub occurred_at_ms: i64,
}

/// What a node answers a device that was away.
#[derive(Clone, Debug, Deserialize)]
pub struct WhatHappened {
    /// The node's system time.
    pub now_ms: u64,
    /// One for each session.
    #[serde(default)]
    pub tokens: Vec<AwayToken>,
    /// What became of the heartbeats.
    pub heartbeats: Option<Results>,
}

/// A token for a session, or why there is none.
#[derive(Clone, Debug, Deserialize)]
pub struct AwayToken {
    /// The token.
    pub token: Option<Arc<str>>,
    /// Why there is none.
    pub problem: Option<Document>,
}

/// What became of several heartbeats, in their order.
#[derive(Clone, Debug, Deserialize)]
pub struct Results {
    /// One for each.
    pub results: Vec<Acknowledged>,
}

/// A problem document, as far as anybody here cares.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Document {
    readiness: Option<String>,
    /// What kind of problem, in words.
    pub title: Option<String>,
    /// This one.
    pub detail: Option<String>,
    token: Option<Arc<str>>,
    #[serde(default)]
    stale: bool,
}

/// What a node says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// The origin it writes under.
    pub origin: String,
    /// `caught-up`, or what keeps it from answering.
    pub readiness: String,
    /// How long this life has lasted.
    pub uptime_ms: u64,
    /// Its system time.
    pub now_ms: u64,
    /// What it holds of each origin.
    pub vector: Vec<Held>,
    /// The peers it knows.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// Heartbeats acknowledged in this life.
    pub heartbeats_total: u64,
    /// How full its inbox is.
    pub inbox: Option<Inbox>,
    /// Equal on nodes that hold the same.
    pub digest: Option<String>,
}

/// How full a node's inbox is, in writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Inbox {
    /// How many wait.
    pub len: u64,
    /// How many may.
    pub max: u64,
}

/// What a node holds of one origin.
#[derive(Clone, Debug, Deserialize)]
pub struct Held {
    /// Whose writes.
    pub origin: String,
    /// Up to where.
    pub version: u64,
    /// The same as a time.
    pub wall_ms: u64,
    /// Where it lives, of a life that is known to go on.
    pub region: Option<String>,
    /// Which peer feeds it to the node.
    pub fed_by: Option<String>,
}

/// A peer as a node sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// `up`, `down` or `dialing`.
    pub state: String,
    /// The round trip, of a link that is up.
    pub rtt_ms: Option<u64>,
    /// In this life.
    pub bytes_sent: u64,
    /// What last went wrong.
    pub last_error: Option<String>,
}

/// Whether a node takes requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// It does.
    Yes,
    /// Not yet: it learns what it has missed.
    CatchingUp,
    /// It does not answer, or says no more than that.
    No,
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub enum ApiError {
    /// Nobody answered, or not to the end: whether a write stands is unknown. Worth a retry, at any node.
    Unreachable(Unreachable),
    /// The node answered and declined.
    Refused(Problem),
}

/// Why a node declined.
#[derive(Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What a node waits for that has not caught up.
    pub readiness: String,
    /// What it says of itself.
    pub detail: String,
    /// A token to go on with.
    pub token: Option<Arc<str>>,
    /// The node has not yet seen what the question demanded.
    pub stale: bool,
}

impl Api {
    /// Opens a session; the answer says where to go on.
    pub async fn open(
        &self,
        node: &str,
        profile: &str,
        content: &str,
        device: &str,
    ) -> Result<Opened, ApiError> {
        let body = BTreeMap::from([("profile", profile), ("content", content), ("device", device)]);
        read(&self.post(node, "/v1/sessions", &body).await?)
    }

    /// Sends one heartbeat.
    pub async fn heartbeat(&self, node: &str, heartbeat: &Heartbeat) -> Result<Acknowledged, ApiError> {
        let response = self.post(node, "/v1/heartbeats", heartbeat).await?;
        let dot = text_of(&response, &DOT);
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Acknowledged { dot, ..Acknowledged::default() });
        }
        let said: Acknowledged = read(&response)?;
        Ok(Acknowledged { dot: said.dot.or(dot), ..said })
    }

    /// Sends many heartbeats, one a line.
    pub async fn heartbeats(&self, node: &str, lines: String) -> Result<Results, ApiError> {
        read(&self.send(node, "/v1/heartbeats", "application/x-ndjson", lines.into()).await?)
    }

    /// Says what a device did while it was away.
    pub async fn sync(&self, node: &str, away: &Away) -> Result<WhatHappened, ApiError> {
        read(&self.post(node, "/v1/sync", away).await?)
    }

    /// Asks where a title stands, of a node that should have seen `after`, and waits for it a little.
    pub async fn resume_point(
        &self,
        node: &str,
        profile: &str,
        content: &str,
        after: Option<&str>,
    ) -> Result<Found, ApiError> {
        let after = after.map(|dot| format!("?after={dot}")).unwrap_or_default();
        let answer = self.get(node, &(resume_point_path(profile, content) + &after)).await;
        match answer.and_then(|answer| read::<ResumePoint>(&answer)) {
            Ok(point) => Ok(Found { stale: point.stale, point: Some(point) }),
            Err(ApiError::Refused(problem)) if problem.status == StatusCode::NOT_FOUND => {
                Ok(Found { point: None, stale: problem.stale })
            }
            Err(error) => Err(error),
        }
    }

    /// The validator of where a title stands: equal exactly where the answers are, their tokens aside.
    pub async fn resume_point_tag(
        &self,
        node: &str,
        profile: &str,
        content: &str,
    ) -> Result<Option<String>, ApiError> {
        match self.get(node, &resume_point_path(profile, content)).await {
            Ok(response) => Ok(text_of(&response, &header::ETAG)),
            Err(ApiError::Refused(problem)) if problem.status == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks a node about itself.
    pub async fn status(&self, node: &str) -> Result<NodeStatus, ApiError> {
        read(&self.get(node, "/v1/admin/status").await?)
    }

    /// Asks a node for the picture that it draws itself.
    pub async fn picture(&self, node: &str) -> Result<Picture, ApiError> {
        read(&self.get(node, "/v1/admin/picture").await?)
    }

    /// Asks a node for a file of its own, as it is.
    pub async fn file(&self, node: &str, path: &str) -> Result<Response<Bytes>, ApiError> {
        self.get(node, path).await
    }

    /// Says whether a node takes requests; one that catches up says so, and takes none.
    pub async fn ready(&self, node: &str) -> Ready {
        match self.get(node, "/readyz").await {
            Ok(_) => Ready::Yes,
            Err(ApiError::Refused(problem)) if problem.readiness == CATCHING_UP => Ready::CatchingUp,
            Err(_) => Ready::No,
        }
    }

    async fn get(&self, node: &str, path: &str) -> Result<Response<Bytes>, ApiError> {
        let request = Request::get(path).body(Bytes::new().into()).expect("paths are made of plain names");
        self.ask(node, request).await
    }

    async fn post(
        &self,
        node: &str,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<Response<Bytes>, ApiError> {
        let body = serde_json::to_vec(body).expect("what is sent can be written as JSON");
        self.send(node, path, "application/json", body.into()).await
    }

    async fn send(
        &self,
        node: &str,
        path: &'static str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<Response<Bytes>, ApiError> {
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        self.ask(node, request.body(body.into()).expect("a path and a header")).await
    }

    async fn ask(
        &self,
        node: &str,
        request: Request<http_body_util::Full<Bytes>>,
    ) -> Result<Response<Bytes>, ApiError> {
        let response = self.http.exchange(node, request).await.map_err(ApiError::Unreachable)?;
        if response.status().is_success() { Ok(response) } else { Err(ApiError::Refused(problem(&response))) }
    }
}

const CATCHING_UP: &str = "catching-up";

const DOT: HeaderName = HeaderName::from_static("dot");

/// Where a title's resume point is found.
pub fn resume_point_url(node: &str, profile: &str, content: &str) -> String {
    format!("{node}{}", resume_point_path(profile, content))
}

fn resume_point_path(profile: &str, content: &str) -> String {
    format!("/v1/profiles/{profile}/resume-points/{content}")
}

fn read<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, ApiError> {
    serde_json::from_slice(response.body())
        .map_err(|why| ApiError::Unreachable(Unreachable::BrokeOff(Box::new(why))))
}

fn problem(response: &Response<Bytes>) -> Problem {
    // A body that is no problem document leaves the status to speak for itself.
    let said: Document = serde_json::from_slice(response.body()).unwrap_or_default();
    Problem {
        status: response.status(),
        readiness: said.readiness.unwrap_or_default(),
        detail: said.detail.or(said.title).unwrap_or_default(),
        token: said.token,
        stale: said.stale,
    }
}

fn text_of(response: &Response<Bytes>, name: &HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => why.fmt(f),
            Self::Refused(problem) => write!(f, "{}: {}", problem.status.as_u16(), problem.detail),
        }
    }
}

impl std::error::Error for ApiError {}
