//! `?explain=1`: why the answer is this one, as clients see it.

use serde::Serialize;
use serde_json::Value;

use crate::{
    crdt::Stamp,
    http::{
        Problem,
        view::{PlaceView, StampView},
    },
    playback::{Considered, End, Explanation, InRow, Policy},
};

/// An answer's reasons.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Explanation)]
pub(super) struct ExplanationView {
    thresholds: Thresholds,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<StampView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dismissed: Option<StampView>,
    /// By what the place is past the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<&'static str>,
    sessions: Vec<ConsideredView>,
}

/// What the sessions were judged by.
#[derive(Serialize, utoipa::ToSchema)]
struct Thresholds {
    engaged_ms: u64,
    completed_percent: u8,
}

/// A session that was looked at, the winner first.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConsideredSession)]
struct ConsideredView {
    session: String,
    verdict: &'static str,
    stamp: StampView,
    #[serde(skip_serializing_if = "Option::is_none")]
    played_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliberate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engaged: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceView>,
}

impl ExplanationView {
    pub(super) fn new(explanation: &Explanation, policy: &Policy) -> Self {
        let engaged_ms = u64::try_from(policy.engaged().as_millis()).unwrap_or(u64::MAX);
        let stamp = |stamp: Option<Stamp>| stamp.map(Into::into);
        Self {
            thresholds: Thresholds { engaged_ms, completed_percent: policy.completed_percent() },
            fence: stamp(explanation.fence),
            dismissed: stamp(explanation.dismissed),
            completed_by: explanation.end.map(|end| match end {
                End::Credits => "credits",
                End::Threshold => "threshold",
                End::Told => "ended",
            }),
            row: explanation.row.map(|row| match row {
                InRow::Shown => "shown",
                InRow::NotStarted => "not-started",
                InRow::Completed => "completed",
                InRow::MarkedWatched => "marked-watched",
                InRow::Dismissed => "dismissed",
            }),
            sessions: explanation.sessions.iter().map(Into::into).collect(),
        }
    }

    /// As a member of a problem.
    pub(super) fn into_value(self) -> Value {
        serde_json::to_value(self).expect("an explanation is texts, numbers and flags")
    }
}

impl From<&Considered> for ConsideredView {
    fn from(Considered { session, stamp, place, verdict }: &Considered) -> Self {
        Self {
            session: session.to_string(),
            verdict: verdict.as_str(),
            stamp: (*stamp).into(),
            played_ms: place.as_ref().map(|place| place.sample.played_ms),
            deliberate: place.as_ref().map(|place| place.sample.deliberate),
            engaged: place.as_ref().map(|place| place.engaged),
            place: place.as_ref().map(Into::into),
        }
    }
}

/// Reads the query's `explain`.
pub(super) fn is_asked(text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(Problem::Invalid { field: "explain", fix: "must be 1 or 0".into() }),
    }
}
