//! A resume point as players see it.

use serde::Serialize;

use crate::{
    crdt::{Stamp, TitleId},
    http::{contract::kinds, explain::ExplanationView},
    playback::{Alternative, Place, ResumePoint, Series},
};

/// When a viewer did something.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Stamp)]
pub(super) struct StampView {
    /// On the time line of the replica set.
    time_ms: u64,
    counter: u32,
}

/// Where one session left the title.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Place)]
pub(super) struct PlaceView {
    /// Whose place it is.
    session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Where the last activity was.
    position_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    #[schema(value_type = kinds::Event)]
    event: &'static str,
    stamp: StampView,
    #[schema(value_type = kinds::TimeQuality)]
    time_quality: &'static str,
}

/// Another session's place.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Alternative)]
struct AlternativeView {
    #[serde(flatten)]
    place: PlaceView,
    /// Whether neither it nor the resume point had seen the other.
    concurrent: bool,
}

/// The answer to "where?".
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ResumePoint)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member that players read")]
pub(super) struct ResumeView {
    profile: String,
    content: String,
    #[serde(flatten)]
    place: PlaceView,
    /// Where to begin: the position, or 0 where the title is completed.
    resume_position_ms: u64,
    /// Past the credits marker or the threshold.
    completed: bool,
    /// Seen, now or before.
    watched: bool,
    /// How many of its sessions have reached the end.
    plays: usize,
    /// Taken out of the row, and not played since.
    dismissed: bool,
    /// The other sessions' places, the latest first.
    alternatives: Vec<AlternativeView>,
    /// The write that stands there.
    dot: String,
    /// Whether the node could not wait for what was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stale: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explanation: Option<ExplanationView>,
    /// Not a part of what is hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) anchor_ms: Option<u64>,
}

impl From<Stamp> for StampView {
    fn from(stamp: Stamp) -> Self {
        Self { time_ms: stamp.time.as_ms(), counter: stamp.counter }
    }
}

impl From<&Place> for PlaceView {
    fn from(Place { session, stamp, sample, .. }: &Place) -> Self {
        Self {
            session: session.to_string(),
            device: sample.device.as_ref().map(|device| device.as_str().to_owned()),
            position_ms: sample.position_ms,
            duration_ms: sample.duration_ms,
            series: sample.series.as_ref().map(|series| series.as_str().to_owned()),
            event: sample.event.as_str(),
            stamp: (*stamp).into(),
            time_quality: sample.quality.as_str(),
        }
    }
}

impl PlaceView {
    /// Says to which series the title belongs, whichever of its places has said so.
    pub(super) fn of_series(self, series: Option<&Series>) -> Self {
        Self { series: series.map(|series| series.as_str().to_owned()), ..self }
    }
}

impl From<&Alternative> for AlternativeView {
    fn from(Alternative { place, concurrent }: &Alternative) -> Self {
        Self { place: place.into(), concurrent: *concurrent }
    }
}

impl ResumeView {
    pub(super) fn new(title: &TitleId, point: &ResumePoint) -> Self {
        Self {
            profile: title.profile.as_str().to_owned(),
            content: title.content.as_str().to_owned(),
            place: PlaceView::from(&point.place).of_series(point.series()),
            resume_position_ms: point.resume_position_ms(),
            completed: point.completed,
            watched: point.watched,
            plays: point.plays,
            dismissed: point.dismissed,
            alternatives: point.alternatives.iter().map(Into::into).collect(),
            dot: point.place.dot.to_string(),
            stale: false,
            explanation: None,
            token: None,
            anchor_ms: None,
        }
    }

    /// Puts another dot into it, and returns the one that it had.
    pub(super) fn swap_dot(&mut self, dot: String) -> String {
        std::mem::replace(&mut self.dot, dot)
    }
}
