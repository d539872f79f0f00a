//! The node's HTTP API as a player and an operator see it.
//!
//! Written from the API's description alone: what is not described here is not relied on.

use std::{collections::BTreeMap, fmt, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::web::Picture;

/// A node that has not answered by then has failed, for a player. Above the two seconds a node may wait on a `?after=`.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// A local process answers a handshake at once or is not there.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// A client of any node's API. Cheap to clone; connections are shared.
#[derive(Clone, Debug)]
pub struct Api {
    http: Client,
}

/// A session just opened.
#[derive(Clone, Debug, Deserialize)]
pub struct Opened {
    /// The session's id.
    pub session: String,
    /// What its heartbeats carry.
    pub token: String,
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
    pub token: String,
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
}

/// What a node answers a heartbeat.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Acknowledged {
    /// `stored`, `acknowledged` or `superseded`.
    pub result: Option<String>,
    /// The dot a later read can demand.
    pub dot: Option<String>,
    /// A token to go on with.
    pub token: Option<String>,
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
}

/// A peer as a node sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// `up`, `down` or `dialing`.
    pub state: String,
    /// The round trip, of a link that is up.
    pub rtt_ms: Option<u64>,
    /// In this life.
    pub bytes_sent: u64,
    /// What last went wrong.
    pub last_error: Option<String>,
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub enum ApiError {
    /// Nobody answered, or not to the end: whether a write stands is unknown. Worth a retry, at any node.
    Unreachable(reqwest::Error),
    /// The node answered and declined.
    Refused(Problem),
}

/// A problem document, as far as a player cares.
#[derive(Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What it says of itself.
    pub detail: String,
    /// A token to go on with.
    pub token: Option<String>,
    /// The node has not yet seen what the question demanded.
    pub stale: bool,
}

impl Api {
    /// A client that expects every node on this machine.
    pub fn new() -> reqwest::Result<Self> {
        let http =
            Client::builder().no_proxy().connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN).build()?;
        Ok(Self { http })
    }

    /// Opens a session; the answer says where to go on.
    pub async fn open(
        &self,
        node: &str,
        profile: &str,
        content: &str,
        device: &str,
    ) -> Result<Opened, ApiError> {
        let body = BTreeMap::from([("profile", profile), ("content", content), ("device", device)]);
        read(self.http.post(format!("{node}/v1/sessions")).json(&body)).await
    }

    /// Sends one heartbeat.
    pub async fn heartbeat(&self, node: &str, heartbeat: &Heartbeat) -> Result<Acknowledged, ApiError> {
        let response = answer(self.http.post(format!("{node}/v1/heartbeats")).json(heartbeat)).await?;
        let dot = text_of(&response, "dot");
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Acknowledged { dot, ..Acknowledged::default() });
        }
        let said: Acknowledged = response.json().await.map_err(ApiError::Unreachable)?;
        Ok(Acknowledged { dot: said.dot.or(dot), ..said })
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
        match read::<ResumePoint>(self.http.get(resume_point_url(node, profile, content) + &after)).await {
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
        match answer(self.http.get(resume_point_url(node, profile, content))).await {
            Ok(response) => Ok(text_of(&response, header::ETAG.as_str())),
            Err(ApiError::Refused(problem)) if problem.status == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks a node about itself.
    pub async fn status(&self, node: &str) -> Result<NodeStatus, ApiError> {
        read(self.http.get(format!("{node}/v1/admin/status"))).await
    }

    /// Asks a node for the picture that it draws itself.
    pub async fn picture(&self, node: &str) -> Result<Picture, ApiError> {
        read(self.http.get(format!("{node}/v1/admin/picture"))).await
    }

    /// Asks a node for a file of its own, as it is.
    pub async fn file(&self, node: &str, path: &str) -> Result<Response, ApiError> {
        answer(self.http.get(format!("{node}{path}"))).await
    }

    /// Says whether a node takes requests.
    pub async fn ready(&self, node: &str) -> bool {
        answer(self.http.get(format!("{node}/readyz"))).await.is_ok()
    }
}

/// Where a title's resume point is found.
pub fn resume_point_url(node: &str, profile: &str, content: &str) -> String {
    format!("{node}/v1/profiles/{profile}/resume-points/{content}")
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, ApiError> {
    answer(request).await?.json().await.map_err(ApiError::Unreachable)
}

async fn answer(request: RequestBuilder) -> Result<Response, ApiError> {
    let response = request.send().await.map_err(ApiError::Unreachable)?;
    if response.status().is_success() {
        Ok(response)
    } else {
        Err(ApiError::Refused(problem(response).await))
    }
}

async fn problem(response: Response) -> Problem {
    #[derive(Default, Deserialize)]
    struct Document {
        title: Option<String>,
        detail: Option<String>,
        token: Option<String>,
        #[serde(default)]
        stale: bool,
    }

    let status = response.status();
    // A body that is no problem document leaves the status to speak for itself.
    let said: Document = response.json().await.unwrap_or_default();
    Problem {
        status,
        detail: said.detail.or(said.title).unwrap_or_default(),
        token: said.token,
        stale: said.stale,
    }
}

fn text_of(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) if error.is_timeout() => f.write_str("no answer in time"),
            Self::Unreachable(error) if error.is_connect() => f.write_str("nobody listens"),
            Self::Unreachable(error) => write!(f, "the answer broke off: {error}"),
            Self::Refused(problem) => write!(f, "{}: {}", problem.status.as_u16(), problem.detail),
        }
    }
}

impl std::error::Error for ApiError {}
