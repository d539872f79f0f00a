//! `GET /v1/erasures/{dot}`: who has erased what was to be erased.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use serde::Serialize;

use crate::{
    crdt::Dot,
    http::{App, Problem, contract::kinds},
    node::{Confirmed, Name},
};

/// How far an erasure has got, as far as this node knows.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ErasureProgress)]
pub(super) struct ErasureView {
    erasure: String,
    /// This replica and every peer that is configured or was met in this life have confirmed.
    complete: bool,
    replicas: Vec<ReplicaView>,
}

/// One replica, which may or may not hold the fence where a power cut cannot take it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Replica)]
struct ReplicaView {
    name: String,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    own: bool,
    confirmed: bool,
}

#[utoipa::path(
    get,
    path = "/v1/erasures/{dot}",
    tag = "profiles",
    operation_id = "readErasure",
    summary = "Ask who has erased what was to be erased",
    description = "The dot of any write may be asked for so.",
    params(("dot" = kinds::Dot, Path, description = "`erasure` of the answer, or the dot of any write.")),
    responses((status = 200, description = "Who has confirmed.", body = ErasureView)),
    extensions(("x-problems" = json!(["unknown-dot"]))),
)]
pub(super) async fn read(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ErasureView>, Problem> {
    let Path(text) = path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    let dot: Dot = text.parse().map_err(|_| Problem::Invalid {
        field: "erasure",
        fix: "must be as the answer gave it: 32 hexadecimal digits, a colon, a number".into(),
    })?;
    let Confirmed { name, held, synced, peers } = app.node().confirmed(dot).await?;
    if !held {
        return Err(Problem::UnknownDot);
    }
    let own = view(name, Some(app.node().replica().to_string()), true, synced);
    let others = peers.into_iter().map(|(peer, confirmed)| {
        let replica = peer.life.map(|(replica, _)| replica.to_string());
        view(peer.name, replica, false, confirmed)
    });
    let replicas: Vec<_> = std::iter::once(own).chain(others).collect();
    let complete = replicas.iter().all(|replica| replica.confirmed);
    Ok(Json(ErasureView { erasure: dot.to_string(), complete, replicas }))
}

fn view(name: Name, replica: Option<String>, own: bool, confirmed: bool) -> ReplicaView {
    ReplicaView { name: name.name, region: name.region.to_string(), replica, own, confirmed }
}
