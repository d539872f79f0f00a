//! What requests bring, as the contract says it.
//!
//! A body is read member by member, so that a refusal can name the one that is wrong, and there is no type of
//! ours that looks as a body does. These do. That each says what is read, no more and no less, is held by a
//! test that sends every member of each, right and wrong.

#![expect(dead_code, reason = "they are shapes, of which nothing is made")]
#![expect(unused_qualifications, reason = "what is derived names types as it finds them")]

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Array, ArrayBuilder, OneOfBuilder, Ref, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

use super::kinds::{
    Clock, Content, Count, Device, EngagedMs, Event, Moment, Percent, Profile, Rate, Recording, Series,
    Session, Span, Token,
};
use crate::http::{BATCH_CONTENTS_MAX, HEARTBEATS_MAX, SYNC_COMMANDS_MAX, SYNC_SESSIONS_MAX};

/// A session to open.
#[derive(ToSchema)]
#[schema(example = json!({"profile": "ada", "content": "metropolis", "device": "TV", "series": "silent films", "incognito": false}))]
pub(in crate::http) struct OpenSession {
    profile: Profile,
    content: Content,
    device: Option<Device>,
    series: Option<Series>,
    /// The session's reports are acknowledged, and nothing of them is kept.
    incognito: Option<bool>,
}

/// A player's report of where it is. Without a `token`, `profile` and `content` are the least that it says; with
/// a token and `elapsed_ms` it needs a `seq`.
#[derive(ToSchema)]
#[schema(example = json!({
    "profile": "ada", "content": "metropolis", "session": "0f8fad5b-d9cb-469f-a165-70867728950e", "device": "TV",
    "seq": 1, "elapsed_ms": 20, "sent_elapsed_ms": 25, "position_ms": 61_000, "duration_ms": 9_180_000,
    "credits_ms": 9_000_000, "event": "playing", "rate": 1.0, "played_ms": 60_000, "deliberate": false,
    "series": "silent films",
}))]
pub(in crate::http) struct Heartbeat {
    /// The token under which the sample was taken, whatever token came later.
    token: Option<Token>,
    profile: Option<Profile>,
    content: Option<Content>,
    session: Option<Session>,
    device: Option<Device>,
    seq: Option<Count>,
    /// From asking for the token to taking the sample.
    elapsed_ms: Option<Span>,
    /// The same clock at this sending.
    sent_elapsed_ms: Option<Span>,
    /// The playhead.
    position_ms: Span,
    /// How long the title is.
    duration_ms: Option<Span>,
    /// Where its credits begin.
    credits_ms: Option<Span>,
    event: Event,
    rate: Option<Rate>,
    /// How long this session has played in all.
    played_ms: Option<Span>,
    /// The viewer sought or restarted on purpose in this session.
    deliberate: Option<bool>,
    series: Option<Series>,
}

/// One report, or many. Of many a bad one is refused alone, and the others stand.
pub(in crate::http) struct Heartbeats;

impl PartialSchema for Heartbeats {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(Heartbeat::name());
        let said = "One report, or many. Of many a bad one is refused alone, and the others stand.";
        OneOfBuilder::new().item(one).item(list("Heartbeat", HEARTBEATS_MAX)).description(Some(said)).into()
    }
}

impl ToSchema for Heartbeats {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Heartbeat::name().into(), Heartbeat::schema()));
    }
}

/// Contents whose places are wanted.
#[derive(ToSchema)]
#[schema(example = json!({"contents": ["metropolis", "nosferatu"], "tokens": true}))]
pub(in crate::http) struct Batch {
    #[schema(schema_with = contents)]
    contents: Vec<Content>,
    /// Whether each place comes with a token to report under.
    tokens: Option<bool>,
}

fn contents() -> Array {
    list("Content", BATCH_CONTENTS_MAX).build()
}

/// A place that the viewer sets by hand.
#[derive(ToSchema)]
#[schema(example = json!({
    "position_ms": 300_000, "duration_ms": 9_180_000, "credits_ms": 9_000_000, "device": "TV",
    "series": "silent films", "session": "import of Tuesday",
}))]
pub(in crate::http) struct SetPlace {
    position_ms: Span,
    duration_ms: Option<Span>,
    credits_ms: Option<Span>,
    device: Option<Device>,
    series: Option<Series>,
    /// A name, under which the same place sent again is the one that was set before.
    session: Option<Session>,
}

/// How far a client has come that has neither a clock nor a count.
#[derive(ToSchema)]
#[schema(example = json!({"position_ms": 4_100_000, "duration_ms": 9_180_000, "device": "reader"}))]
pub(in crate::http) struct PutProgress {
    position_ms: Span,
    duration_ms: Option<Span>,
    device: Option<Device>,
    series: Option<Series>,
    /// Whose place it is; without it, the device's.
    session: Option<Session>,
    /// The token that came with the answer that was read last. Without it the client has read nothing.
    read: Option<Token>,
}

/// Whether the viewer has seen a title.
#[derive(ToSchema)]
#[schema(example = json!({"watched": true}))]
pub(in crate::http) struct MarkWatched {
    watched: bool,
}

/// An object, whose members are passed over.
#[derive(ToSchema)]
#[schema(example = json!({}))]
pub(in crate::http) struct Nothing {}

/// A place to go back to.
#[derive(ToSchema)]
#[schema(example = json!({"restore": "0f8fad5b-d9cb-469f-a165-70867728950e"}))]
pub(in crate::http) struct Restore {
    /// The session that left the place.
    restore: Session,
}

/// What counts for a profile, all of it: what is left out is the node's again.
#[derive(ToSchema)]
#[schema(example = json!({"recording": "on", "completed_percent": 90, "engaged_ms": 5_000}))]
pub(in crate::http) struct Settle {
    recording: Option<Recording>,
    /// From which share of its length on a title counts as completed.
    completed_percent: Option<Percent>,
    engaged_ms: Option<EngagedMs>,
}

/// What a device did that was away, and from where on it wants to hear what it missed.
#[derive(ToSchema)]
#[schema(example = json!({
    "profile": "ada",
    "clocks": {"clock": "active", "sent_at_ms": 1_780_000_000_000_u64, "last_server_time_ms": 1_779_990_000_000_u64},
    "sessions": [{
        "content": "metropolis", "session": "0f8fad5b-d9cb-469f-a165-70867728950e", "device": "Phone",
        "elapsed_ms": 3_600_000, "occurred_at_ms": 1_779_992_000_000_u64,
    }],
    "heartbeats": [],
    "commands": [],
    "cursor": "now",
}))]
pub(in crate::http) struct Sync {
    profile: Profile,
    clocks: Option<Clocks>,
    /// Sessions that began without a token, for each of which one is wanted.
    #[schema(schema_with = offline_sessions)]
    sessions: Option<Vec<OfflineSession>>,
    /// Reports, each with the `token` and the `elapsed_ms` under which it was taken.
    #[schema(schema_with = reports)]
    heartbeats: Option<Vec<Heartbeat>>,
    /// Commands, each with the token under which it was given.
    #[schema(schema_with = commands)]
    commands: Option<Vec<Command>>,
    /// From where on changes are wanted: empty for the beginning, `now` for none yet, or a cursor.
    cursor: Option<super::kinds::Cursor>,
}

fn offline_sessions() -> Array {
    perhaps("OfflineSession", SYNC_SESSIONS_MAX)
}

fn reports() -> Array {
    perhaps("Heartbeat", HEARTBEATS_MAX)
}

fn commands() -> Array {
    perhaps("Command", SYNC_COMMANDS_MAX)
}

/// What the clocks of a device say.
#[derive(ToSchema)]
#[schema(example = json!({"clock": "active", "sent_at_ms": 1_780_000_000_000_u64, "last_server_time_ms": 1_779_990_000_000_u64}))]
pub(in crate::http) struct Clocks {
    clock: Option<Clock>,
    /// What its wall clock says, however wrong.
    sent_at_ms: Option<Moment>,
    /// The latest time of a node's that it had heard of when its sessions began.
    last_server_time_ms: Option<Moment>,
}

/// A session that began without a token.
#[derive(ToSchema)]
#[schema(example = json!({
    "content": "metropolis", "session": "0f8fad5b-d9cb-469f-a165-70867728950e", "elapsed_ms": 3_600_000,
    "sent_elapsed_ms": 3_600_000, "occurred_at_ms": 1_779_992_000_000_u64,
    "last_server_time_ms": 1_779_990_000_000_u64, "device": "Phone", "series": "silent films",
}))]
pub(in crate::http) struct OfflineSession {
    content: Content,
    session: Session,
    /// That of its latest sample.
    elapsed_ms: Span,
    /// The same clock at this sending, unless the device was restarted.
    sent_elapsed_ms: Option<Span>,
    /// The device's wall clock when the count began.
    occurred_at_ms: Option<Moment>,
    last_server_time_ms: Option<Moment>,
    device: Option<Device>,
    series: Option<Series>,
}

/// What a viewer ordered: exactly one of `watched`, `dismissed` and `place`.
#[derive(ToSchema)]
#[schema(example = json!({
    "token": "pm1.…", "content": "metropolis", "elapsed_ms": 3_600_000, "sent_elapsed_ms": 3_600_000, "seq": 2,
    "watched": true,
}))]
pub(in crate::http) struct Command {
    token: Token,
    content: Option<Content>,
    elapsed_ms: Span,
    sent_elapsed_ms: Option<Span>,
    seq: Count,
    watched: Option<bool>,
    /// `true` only: a title is back in the row when it is played again.
    dismissed: Option<bool>,
    place: Option<CommandedPlace>,
}

/// A place that was set by hand.
#[derive(ToSchema)]
pub(in crate::http) struct CommandedPlace {
    position_ms: Span,
    duration_ms: Option<Span>,
    credits_ms: Option<Span>,
    device: Option<Device>,
    series: Option<Series>,
}

fn list(item: &str, max: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(Ref::from_schema_name(item)).max_items(Some(max))
}

/// A list that may be `null`, as every member that is not required.
fn perhaps(item: &str, max: usize) -> Array {
    list(item, max).schema_type(SchemaType::Array(vec![Type::Array, Type::Null])).build()
}
