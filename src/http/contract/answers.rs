//! What answers bring, where that is put together from the answers of several rooms.

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, Ref, RefOr, Schema, schema::Type},
};

use super::requests::Heartbeat;
use crate::http::{
    changes::Line,
    explain::ExplanationView,
    export::{EndLine, ProfileLine, TitleLine},
    heartbeats::{Told, ToldMany},
    sync::Derived,
};

/// A refusal (RFC 9457). Which of the other members it has depends on its type.
#[derive(ToSchema, Serialize)]
#[schema(as = Problem)]
pub(in crate::http) struct ProblemDocument {
    /// The path of the page that explains it, by which programs tell it from others.
    r#type: String,
    /// The same for people.
    title: String,
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// Which member, part of the path or value of the query is wrong.
    field: Option<String>,
    /// Which of the samples is the first that is not in order.
    index: Option<usize>,
    /// A session's token, to go on under.
    token: Option<String>,
    /// The moment from which that token counts.
    anchor_ms: Option<u64>,
    /// What a credential must allow, one of them.
    #[schema(value_type = Option<Vec<super::kinds::Scopes>>)]
    scopes: Option<Vec<String>>,
    /// Which rate is exceeded.
    policy: Option<String>,
    /// How many titles a profile may have.
    most: Option<u32>,
    /// The tag of what stands.
    etag: Option<String>,
    /// What the node waits for before it answers.
    readiness: Option<String>,
    /// By how many milliseconds the node's clock is off; above 0 where it is ahead.
    off_ms: Option<i64>,
    /// Whether the title is watched.
    watched: Option<bool>,
    /// How many of its sessions have reached the end.
    plays: Option<usize>,
    /// Whether the node could not wait for what was asked for.
    stale: Option<bool>,
    explanation: Option<ExplanationView>,
}

/// What became of a report or a command.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a shape, of which nothing is made")]
pub(in crate::http) enum ReportItem {
    Taken(Box<Told>),
    Refused(Box<Refusal>),
}

/// What a session is given that began without a token.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a shape, of which nothing is made")]
pub(in crate::http) enum TokenItem {
    Given(Derived),
    Refused(Box<Refusal>),
}

/// An item that is refused alone.
#[derive(ToSchema, Serialize)]
pub(in crate::http) struct Refusal {
    result: Refused,
    problem: ProblemDocument,
}

/// The word that says it.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is a shape, of which nothing is made")]
enum Refused {
    Refused,
}

/// The answer to one report, or to many.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a shape, of which nothing is made")]
pub(in crate::http) enum Answered {
    One(Box<Told>),
    Many(ToldMany),
}

/// A line of an export.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a shape, of which nothing is made")]
pub(in crate::http) enum ExportLine {
    Profile(Box<ProfileLine>),
    Title(Box<TitleLine>),
    End(EndLine),
}

/// Makes a type of each row that stands for lines, each of which is an item as JSON.
macro_rules! lines {
    ($($name:ident of $item:ty;)*) => {
        $(
            pub(in crate::http) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    lines_of(&<$item>::name()).into()
                }
            }

            impl ToSchema for $name {
                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    schemas.push((<$item>::name().into(), <$item>::schema()));
                    <$item>::schemas(schemas);
                }
            }
        )*
    };
}

lines! {
    HeartbeatLines of Heartbeat;
    ChangeLines of Line<'_>;
    ExportLines of ExportLine;
}

fn lines_of(item: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("One JSON object a line, each as the content's schema says."))
        .content_media_type("application/x-ndjson")
        .content_schema(Some(Ref::from_schema_name(item)))
}
