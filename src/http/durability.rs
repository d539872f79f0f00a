//! What an acknowledgement must survive, as a caller asks for it, and what it says of itself.

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;

use crate::{
    crdt::Dot,
    http::{Problem, contract::kinds},
    node::Assurance,
};

const DOT: HeaderName = HeaderName::from_static("dot");
const DURABILITY: HeaderName = HeaderName::from_static("durability");

/// `?durability=`
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// What the acknowledgement must survive at least.
    #[param(value_type = Option<kinds::Durability>)]
    durability: Option<String>,
}

/// What the caller asks for; the least where it says nothing.
pub(super) fn assurance(query: Result<Query<Asked>, QueryRejection>) -> Result<Assurance, Problem> {
    let Query(asked) = query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
    match asked.durability.as_deref() {
        None | Some("process") => Ok(Assurance::Process),
        Some("synced") => Ok(Assurance::Synced),
        Some("replicated") => Ok(Assurance::Replicated),
        Some(_) => {
            let fix = "must be process, synced or replicated";
            Err(Problem::Invalid { field: "durability", fix: fix.into() })
        }
    }
}

/// Says in an answer's headers what stands there, and what it has survived.
pub(super) fn headers(dot: Option<Dot>, survived: Assurance) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(DURABILITY, HeaderValue::from_static(survived.as_str()));
    if let Some(dot) = dot {
        headers.insert(DOT, HeaderValue::try_from(dot.to_string()).expect("digits and a colon"));
    }
    headers
}
