//! What operators and machines ask of a node.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    crdt::WallTime,
    http::{App, Problem},
    node::{MemberView, OriginView, PeerView, Snapshot},
};

#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operating",
    operation_id = "healthz",
    summary = "Ask whether the process runs",
    responses((status = 200, description = "It does.", content_type = "text/plain", body = String)),
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operating",
    operation_id = "readyz",
    summary = "Ask whether requests are taken",
    responses((status = 200, description = "They are.", content_type = "text/plain", body = String)),
    extensions(("x-problems" = json!(["not-ready", "catching-up"]))),
)]
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    let readiness = app.node().readiness();
    if !app.node().is_ready() {
        Err(Problem::NotReady)
    } else if readiness.is_caught_up() {
        Ok("ready\n")
    } else {
        Err(Problem::CatchingUp(readiness))
    }
}

/// How a node stands.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Status)]
pub struct StatusView {
    /// The node's name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// To which cluster it belongs.
    pub cluster: String,
    /// The replica it holds.
    pub replica: String,
    /// The replica's present life.
    pub origin: String,
    /// `caught-up`, or what keeps it from answering: `catching-up`, `searching`, `unfounded`.
    pub readiness: String,
    /// The build.
    pub version: String,
    /// How long this life has lasted.
    pub uptime_ms: u64,
    /// The node's system time.
    pub now_ms: u64,
    /// What is held of each origin.
    pub vector: Vec<OriginStatus>,
    /// Everybody it replicates with.
    pub peers: Vec<PeerStatusView>,
    /// Every replica that this one has met, directly or through others; none where it does not replicate.
    #[serde(default)]
    pub members: Vec<MemberStatus>,
    /// By how much this node's clock is off, where its peers agree that it is: above 0 where it is ahead. It then takes no
    /// writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_off_ms: Option<i64>,
    /// Whether the disk is full but for the reserve. It then takes no writes but erasures, and nothing from its peers.
    #[serde(default)]
    pub disk_full: bool,
    /// What the driver has been at for more than five seconds, where it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<StallView>,
    /// Heartbeats acknowledged in this life.
    pub heartbeats_total: u64,
    /// Writes turned away in this life because the inbox was full.
    pub turned_away_total: u64,
    /// Links closed in this life because their peer broke the protocol.
    pub misbehaved_total: u64,
    /// Frames dropped in this life because a link's queue was full.
    pub frames_dropped_total: u64,
    /// Registers met in this life that fail their check.
    pub rotten_total: u64,
    /// Comparisons with peers that came to an end in this life.
    pub compared_total: u64,
    /// Registers that differed from a peer's with no reason for it, and were mended in this life.
    pub differing_total: u64,
    /// Shards whose registers were changed behind the node's back in this life.
    pub miscounted_total: u64,
    /// How full the inbox is.
    pub inbox: InboxView,
    /// A hash of the vector: equal on nodes that hold the same.
    pub digest: String,
}

/// A step of the driver's turn that does not come to an end.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Stall)]
pub struct StallView {
    /// `staging`, `committing`, `answering`, `sending` or `syncing`.
    pub step: String,
    /// For how long.
    pub lasting_ms: u64,
}

/// What is held of one origin.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OriginStatus {
    /// Which.
    pub origin: String,
    /// The version up to which it is held.
    pub version: u64,
    /// The same as a time.
    pub wall_ms: u64,
    /// How far behind the newest that any peer has told of.
    pub lag_ms: u64,
    /// Whether it is this node's own.
    pub own: bool,
    /// Which peer feeds it to this node; of what lives in another region that is one of this region, its gateway, save for the
    /// gateway itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fed_by: Option<String>,
    /// Where it is, of a life that is known to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whose it is, of a life that is known to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A replica that has been met.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MemberStatus {
    /// Its node's name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// Which replica.
    pub replica: String,
    /// Its latest life.
    pub origin: String,
    /// Where it says that others reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether it answers somebody: `alive`, `suspect` or `down`.
    pub reach: String,
    /// Since when it does or does not.
    pub since_ms: u64,
}

/// A peer and its link.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PeerStatus)]
pub struct PeerStatusView {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// Where it is dialled; absent for who only dials in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// Its present life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// `up`, `down` or `dialing`.
    pub state: String,
    /// The round trip, of a link that is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u64>,
    /// Since when it has been in this state.
    pub since_ms: u64,
    /// In this life.
    pub bytes_sent: u64,
    /// In this life.
    pub bytes_received: u64,
    /// What last went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How full the inbox is, in writes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Inbox)]
pub struct InboxView {
    /// How many wait.
    pub len: usize,
    /// How many may.
    pub max: usize,
}

#[utoipa::path(
    get,
    path = "/v1/admin/status",
    tag = "operating",
    operation_id = "readStatus",
    summary = "Ask how the node stands",
    description = "What it holds of each origin, its peers and its queues.",
    responses((status = 200, description = "How it stands.", body = StatusView)),
)]
pub(super) async fn status(State(app): State<App>) -> Result<Json<StatusView>, Problem> {
    status_of(&app).await.map(Json)
}

/// How a node stands.
pub(super) async fn status_of(app: &App) -> Result<StatusView, Problem> {
    let node = app.node();
    let Snapshot { name, origins, peers, members } = node.look().await?;
    let (now, counters, inbox) = (node.now(), node.counters(), node.inbox());
    let own = node.origin();
    let name_of = |source| {
        let peer = peers.iter().find(|peer| peer.life.is_some_and(|(replica, _)| replica == source));
        peer.map(|peer| peer.name.name.clone())
    };
    let vector = origins.iter().map(|held| {
        let owner = peers.iter().find(|peer| peer.life.is_some_and(|(_, origin)| origin == held.origin));
        let is_own = held.origin == own;
        let owner = owner.map(|peer| &peer.name).or(is_own.then_some(&name));
        OriginStatus {
            origin: held.origin.to_string(),
            version: held.version.as_u64(),
            wall_ms: held.version.wall().as_ms(),
            lag_ms: whole_ms(held.lag),
            own: is_own,
            fed_by: held.source.and_then(name_of),
            region: owner.map(|owner| owner.region.to_string()),
            name: owner.map(|owner| owner.name.clone()),
        }
    });
    Ok(StatusView {
        vector: vector.collect(),
        digest: digest(&origins),
        name: name.name,
        region: name.region.to_string(),
        cluster: name.cluster,
        replica: node.replica().to_string(),
        origin: own.to_string(),
        readiness: node.readiness().as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_ms: whole_ms(node.uptime()),
        now_ms: now.wall.as_ms(),
        peers: peers.into_iter().map(|peer| peer_view(peer, now.wall)).collect(),
        members: members.into_iter().map(member_view).collect(),
        clock_off_ms: node.clock_off_ms(),
        disk_full: node.disk_is_full(),
        stalled: node.stall().map(|stall| StallView {
            step: stall.step.as_str().to_owned(),
            lasting_ms: whole_ms(stall.lasting),
        }),
        heartbeats_total: counters.heartbeats.total(),
        turned_away_total: counters.turned_away.total(),
        misbehaved_total: counters.misbehaved.total(),
        frames_dropped_total: counters.frames_dropped.total(),
        rotten_total: node.rotten(),
        compared_total: counters.compared.total(),
        differing_total: counters.differing.total(),
        miscounted_total: counters.miscounted.total(),
        inbox: InboxView { len: inbox.len, max: inbox.max },
    })
}

fn peer_view(peer: PeerView, now: WallTime) -> PeerStatusView {
    PeerStatusView {
        name: peer.name.name,
        region: peer.name.region.to_string(),
        address: peer.address,
        replica: peer.life.map(|(replica, _)| replica.to_string()),
        origin: peer.life.map(|(_, origin)| origin.to_string()),
        state: peer.state.to_owned(),
        rtt_ms: peer.rtt.map(whole_ms),
        since_ms: now.minus_ms(whole_ms(peer.lasting)).as_ms(),
        bytes_sent: peer.bytes_sent,
        bytes_received: peer.bytes_received,
        last_error: peer.last_error,
    }
}

fn member_view(member: MemberView) -> MemberStatus {
    MemberStatus {
        name: member.name,
        region: member.region.to_string(),
        replica: member.replica.to_string(),
        origin: member.origin.to_string(),
        address: member.address,
        reach: member.reach.to_owned(),
        since_ms: member.since.as_ms(),
    }
}

pub(super) fn digest(origins: &[OriginView]) -> String {
    let mut hash = Xxh3::new();
    for view in origins {
        hash.update(view.origin.as_bytes());
        hash.update(&view.version.as_u64().to_be_bytes());
    }
    format!("{:016x}", hash.digest())
}

pub(super) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
