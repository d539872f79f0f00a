//! `GET /v1/admin/picture`: a cluster at one moment, as this node knows it, for whoever watches.
//!
//! The console draws it, and a laboratory draws the same of a whole cluster under the same path; so whoever reads
//! one reads both. What is not known is absent and never a guess. A laboratory adds what
//! viewers see and what orders said. As server-sent events it comes once a second, with
//! what passed since the one before.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::{sync::OwnedSemaphorePermit, time::sleep};

use crate::{
    http::{
        App, InboxView, Problem,
        admin::{digest, whole_ms},
        auth::{Lease, Visitor},
        events::NO_BUFFER,
    },
    node::{PeerView, Snapshot},
};

/// How often a picture is drawn for whoever watches.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// A cluster at one moment.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(super) struct Picture {
    /// The system time of who draws, in milliseconds.
    at_ms: u64,
    /// The name of who draws.
    drawn_by: String,
    /// The cluster's name.
    cluster: String,
    /// Every node that is known.
    nodes: Vec<NodePicture>,
    /// What nodes say of their links, one entry a direction.
    links: Vec<LinkPicture>,
    /// The network as it is made to be; a node knows nothing of that.
    #[schema(value_type = Vec<Object>)]
    lines: [(); 0],
    /// How far this node is behind each of its peers.
    divergence: Vec<Divergence>,
}

/// A node, as far as it is known.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct NodePicture {
    /// Its name.
    name: String,
    /// Where it stands.
    region: String,
    /// The base of its HTTP API.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// `up`, `starting`, `paused`, `down` or `unknown`.
    state: String,
    /// `caught-up`, or what keeps it from answering; `unknown` of a peer.
    readiness: String,
    /// Heartbeats acknowledged a second, since the picture before.
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeats_per_s: Option<f64>,
    /// How long its life has lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_ms: Option<u64>,
    /// Its system time less that of who draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_ms: Option<i64>,
    /// How full its inbox is.
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox: Option<InboxView>,
    /// What it keeps on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_bytes: Option<u64>,
    /// Equal on nodes that hold the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// What an operator should look at, in words.
    alarms: Vec<String>,
    /// How far it is behind others.
    lag: Vec<Lag>,
}

/// How far a node is behind another.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = LagBehind)]
struct Lag {
    /// Whose writes.
    from: String,
    /// The time of the newest of them less the time of the newest that is held.
    lag_ms: u64,
}

/// A link, as the node at one end tells.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct LinkPicture {
    /// Who tells.
    from: String,
    /// Its peer.
    to: String,
    /// `up`, `dialing` or `down`.
    state: String,
    /// The round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<u64>,
    /// Bytes sent a second, since the picture before.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_s: Option<f64>,
    /// What last went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

/// How far apart two nodes are.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Divergence {
    /// One.
    a: String,
    /// The other.
    b: String,
    /// By how much the one is behind; 0 where it holds all that the other has told of.
    behind_ms: u64,
    /// How many writes that is; a node does not count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    writes: Option<u64>,
}

/// What was counted at the picture before.
#[derive(Clone, Debug, Default)]
struct Before {
    uptime: Duration,
    heartbeats: u64,
    sent: Vec<(String, u64)>,
}

#[utoipa::path(
    get,
    path = "/v1/admin/picture",
    tag = "operating",
    operation_id = "readPicture",
    summary = "Ask for a picture of the cluster, as this node knows it",
    description = "What the console draws: nodes, links, and how far each is behind. Rates are in the stream alone.",
    responses((status = 200, description = "The picture.", body = Picture)),
)]
pub(super) async fn read(State(app): State<App>) -> Result<Json<Picture>, Problem> {
    Ok(Json(draw(&app, None).await?.0))
}

#[utoipa::path(
    get,
    path = "/v1/admin/picture/events",
    tag = "operating",
    operation_id = "watchPicture",
    summary = "Watch the cluster, as this node knows it",
    description = "Server-sent events, without an end: `picture`, at once and then once a second.",
    responses((status = 200, description = "The stream.", content_type = "text/event-stream", body = String)),
    extensions(("x-problems" = json!(["full", "not-ready"]))),
)]
pub(super) async fn watch(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !app.node().is_ready() {
        return Err(Problem::NotReady);
    }
    let permit = app.stream()?;
    let lease = Lease::of(&app, &visitor, &headers, None);
    let watching = Watching { app, before: None, lease, _permit: permit };
    let pieces = unfold(watching, async |mut watching| {
        let piece = watching.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), watching))
    });
    let head =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store"), (NO_BUFFER, "no")];
    Ok((head, Body::from_stream(pieces)).into_response())
}

/// One stream.
struct Watching {
    app: App,
    before: Option<Before>,
    lease: Lease,
    _permit: OwnedSemaphorePermit,
}

impl Watching {
    /// The next picture; `None` where the node leaves, or the credential is over.
    async fn next(&mut self) -> Option<String> {
        if self.before.is_some() {
            sleep(DRAW_EVERY).await;
        }
        if !self.app.node().is_ready() || self.lease.check().is_err() {
            return None;
        }
        let (picture, counted) = draw(&self.app, self.before.as_ref()).await.ok()?;
        self.before = Some(counted);
        let picture = serde_json::to_string(&picture).expect("a picture is texts and numbers");
        Some(format!("event: picture\ndata: {picture}\n\n"))
    }
}

async fn draw(app: &App, before: Option<&Before>) -> Result<(Picture, Before), Problem> {
    let node = app.node();
    let Snapshot { name, origins, peers, .. } = node.look().await?;
    let counted = Before {
        uptime: node.uptime(),
        heartbeats: node.counters().heartbeats.total(),
        sent: peers.iter().map(|peer| (peer.name.name.clone(), peer.bytes_sent)).collect(),
    };
    let lag_of = |peer: &PeerView| {
        let (_, life) = peer.life?;
        let held = origins.iter().find(|held| held.origin == life)?;
        Some(Lag { from: peer.name.name.clone(), lag_ms: whole_ms(held.lag) })
    };
    let lag: Vec<_> = peers.iter().filter_map(lag_of).collect();
    let divergence = lag.iter().map(|lag| Divergence {
        a: name.name.clone(),
        b: lag.from.clone(),
        behind_ms: lag.lag_ms,
        writes: None,
    });
    let links = peers.iter().map(|peer| LinkPicture {
        from: name.name.clone(),
        to: peer.name.name.clone(),
        state: peer.state.to_owned(),
        rtt_ms: peer.rtt.map(whole_ms),
        bytes_per_s: before.and_then(|before| before.sent_per_s(&counted, &peer.name.name)),
        last_error: peer.last_error.clone(),
    });
    let (divergence, links) = (divergence.collect(), links.collect());
    let inbox = node.inbox();
    let own = NodePicture {
        name: name.name.clone(),
        region: name.region.to_string(),
        url: None,
        state: if node.readiness().is_caught_up() { "up" } else { "starting" }.to_owned(),
        readiness: node.readiness().as_str().to_owned(),
        heartbeats_per_s: before
            .and_then(|before| before.per_s(&counted, before.heartbeats, counted.heartbeats)),
        uptime_ms: Some(whole_ms(counted.uptime)),
        clock_offset_ms: Some(0),
        inbox: Some(InboxView { len: inbox.len, max: inbox.max }),
        storage_bytes: node.storage_bytes(),
        digest: Some(digest(&origins)),
        alarms: alarms(app),
        lag,
    };
    let nodes = std::iter::once(own).chain(peers.into_iter().map(peer_picture)).collect();
    let at_ms = node.now().wall.as_ms();
    let (drawn_by, cluster) = (name.name, name.cluster);
    let picture = Picture { at_ms, drawn_by, cluster, nodes, links, lines: [], divergence };
    Ok((picture, counted))
}

/// A peer, of which a node knows little more than its link.
fn peer_picture(peer: PeerView) -> NodePicture {
    NodePicture {
        name: peer.name.name,
        region: peer.name.region.to_string(),
        url: None,
        state: if peer.state == "up" { "up" } else { "unknown" }.to_owned(),
        readiness: "unknown".to_owned(),
        heartbeats_per_s: None,
        uptime_ms: None,
        clock_offset_ms: None,
        inbox: None,
        storage_bytes: None,
        digest: None,
        alarms: peer.last_error.into_iter().collect(),
        lag: Vec::new(),
    }
}

/// What should never be, in words.
fn alarms(app: &App) -> Vec<String> {
    let (node, counters) = (app.node(), app.node().counters());
    let counted = [
        (node.rotten(), "registers on disk fail their check"),
        (counters.differing.total(), "registers differed from a peer's, and are mended"),
        (counters.miscounted.total(), "shards were changed behind the node's back: look at the disk"),
        (counters.misbehaved.total(), "links were closed because their peer broke the protocol"),
        (counters.turned_away.total(), "writes were turned away because the inbox was full"),
    ];
    let clock = node.clock_off_ms();
    let clock =
        clock.map(|off_ms| format!("its clock is off its peers' by {off_ms} ms, and it takes no writes"));
    let counted =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    clock.into_iter().chain(counted).collect()
}

impl Before {
    fn per_s(&self, now: &Self, before: u64, after: u64) -> Option<f64> {
        let passed = now.uptime.checked_sub(self.uptime)?.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate that is shown with a digit or two")]
        let more = after.saturating_sub(before) as f64;
        (passed > 0.0).then(|| more / passed)
    }

    fn sent_per_s(&self, now: &Self, peer: &str) -> Option<f64> {
        let sent = |of: &Self| of.sent.iter().find(|(name, _)| name == peer).map(|(_, sent)| *sent);
        self.per_s(now, sent(self)?, sent(now)?)
    }
}
