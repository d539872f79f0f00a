//! `GET /v1/admin/shards/…`: what a node's disk really holds, for whoever compares nodes.
//!
//! Read from the registers themselves and not from what is kept of them, so that a row which vanished behind the node's
//! back is missing here too. Each answer names the vector that the node claimed *before* it read: what that covers,
//! the registers must have.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use serde::{Deserialize, Serialize};

use crate::{
    crdt::{Key, Register, SHARDS, Slot},
    http::{App, Problem},
    playback::SlotKind,
};

/// How many shards are summed up for one answer.
pub const SHARDS_PER_GROUP: u16 = 64;

/// How many registers of a shard are listed; of 10^7 registers each shard has about 2,400.
pub const REGISTERS_LISTED_MAX: usize = 16_384;

/// What a group of shards comes to.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ShardSums)]
pub struct SumsView {
    /// The node's name.
    pub name: String,
    /// One for each shard of the group; equal at nodes that hold the same.
    pub shards: Vec<SumView>,
}

/// What one shard comes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ShardSum)]
pub struct SumView {
    /// Which, from 0.
    pub shard: u16,
    /// How many registers there are.
    pub registers: u64,
    /// What their hashes come to.
    pub sum: String,
}

/// What stands in a shard.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Shard)]
pub struct ShardView {
    /// The node's name.
    pub name: String,
    /// The version of each origin up to which the node claimed to hold everything, before it read.
    pub vector: BTreeMap<String, u64>,
    /// Its registers, in the order of their keys.
    pub registers: Vec<RegisterView>,
    /// There are more than are listed.
    pub partial: bool,
}

/// A register, without its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ShardRegister)]
pub struct RegisterView {
    /// Who watches.
    pub profile: String,
    /// What; empty where it concerns the whole profile.
    pub content: String,
    /// What kind of thing is said, and of which session where it is of one.
    pub slot: String,
    /// When the viewer did it, in milliseconds.
    pub time_ms: u64,
    /// The order within it.
    pub counter: u32,
    /// Who did it; the three together are the stamp, of which the greater stands.
    pub writer: String,
    /// The life that accepted it.
    pub origin: String,
    /// And as which version.
    pub version: u64,
    /// Stands for its key, stamp and value.
    pub check: String,
}

#[utoipa::path(
    get,
    path = "/v1/admin/shard-sums/{group}",
    tag = "operating",
    operation_id = "readShardSums",
    summary = "Read what a group of shards comes to",
    description = "Profiles fall into 4,096 shards, and these into 64 groups of 64. Added up from the disk while the answer is made.",
    params(("group" = u16, Path, description = "Which group, from 0.", maximum = 63)),
    responses((status = 200, description = "The sums.", body = SumsView)),
    extensions(("x-problems" = json!(["no-such-path"]))),
)]
pub(super) async fn sums(
    State(app): State<App>,
    group: Result<Path<u16>, PathRejection>,
) -> Result<Json<SumsView>, Problem> {
    let Path(group) = group.map_err(|_| Problem::NoSuchPath)?;
    if group >= SHARDS / SHARDS_PER_GROUP {
        return Err(Problem::NoSuchPath);
    }
    let _turn = app.look().await;
    let mut shards = Vec::new();
    for shard in group * SHARDS_PER_GROUP..(group + 1) * SHARDS_PER_GROUP {
        let sum = app.node().shard_sum(shard).await?;
        shards.push(SumView { shard, registers: sum.count(), sum: sum.to_string() });
    }
    Ok(Json(SumsView { name: app.node().name().name().to_owned(), shards }))
}

#[utoipa::path(
    get,
    path = "/v1/admin/shards/{shard}",
    tag = "operating",
    operation_id = "readShard",
    summary = "Read what stands in a shard",
    description = "Every register of the profiles that fall into it, without values.",
    params(("shard" = u16, Path, description = "Which, from 0.", maximum = 4095)),
    responses((status = 200, description = "The registers.", body = ShardView)),
    extensions(("x-problems" = json!(["no-such-path"]))),
)]
pub(super) async fn read(
    State(app): State<App>,
    shard: Result<Path<u16>, PathRejection>,
) -> Result<Json<ShardView>, Problem> {
    let Path(shard) = shard.map_err(|_| Problem::NoSuchPath)?;
    if shard >= SHARDS {
        return Err(Problem::NoSuchPath);
    }
    let _turn = app.look().await;
    let claimed = app.node().vector();
    let vector = claimed.iter().map(|(origin, version)| (origin.to_string(), version.as_u64())).collect();
    let registers = app.node().shard(shard).await?;
    let partial = registers.len() > REGISTERS_LISTED_MAX;
    let registers = registers.iter().take(REGISTERS_LISTED_MAX).map(view).collect();
    Ok(Json(ShardView { name: app.node().name().name().to_owned(), vector, registers, partial }))
}

fn view((key, register): &(Key, Register)) -> RegisterView {
    RegisterView {
        profile: key.title.profile.to_string(),
        content: key.title.content.to_string(),
        slot: slot_name(key.slot),
        time_ms: register.stamp.time.as_ms(),
        counter: register.stamp.counter,
        writer: id(register.stamp.writer),
        origin: register.dot.origin.to_string(),
        version: register.dot.version.as_u64(),
        check: format!("{:016x}", register.check),
    }
}

/// `session 0f8f…`, or the kind alone where there is one of it.
fn slot_name(slot: Slot) -> String {
    let kind = match SlotKind::of(slot) {
        Some(kind) => format!("{kind:?}").to_lowercase(),
        None => format!("kind {}", slot.kind),
    };
    if slot.id == [0; 16] { kind } else { format!("{kind} {}", id(slot.id)) }
}

fn id(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}
