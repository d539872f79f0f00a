//! `GET /v1/profiles/{profile}/export`: everything that is held of a profile, one title a line.
//!
//! A profile may hold more than a request should: so the answer is made while it is sent, a piece at a
//! time, and the next piece is read when the connection has room for it. What was refused is a file that
//! is written first and fetched later: it would be one more place where a viewer's history lies.
//!
//! The last line says how many titles there were. Without it the export is not whole.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::body::Frame;
use serde::Serialize;

use crate::{
    crdt::{ContentId, ProfileId, Register, Slot, TitleId, WallTime},
    http::{
        App, Problem,
        contract::{answers::ExportLines, params::OfProfile},
        lists,
        view::{ResumeView, StampView},
    },
    node::ReadError,
    playback::{Sample, SessionId, SlotKind, Title, Watched, is_watched, slot::FENCE},
};

/// When a piece is sent: it has so many bytes, and at most one title's lines more.
pub const EXPORT_PIECE_BYTES: usize = 64 * 1024;

/// How many titles' names are read ahead.
const NAMES_AHEAD: usize = 64;

#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/export",
    tag = "profiles",
    operation_id = "exportProfile",
    summary = "Read everything that is held of a profile",
    description = "One title a line, and a last line that says how many there were. Without it the export is not whole.",
    params(OfProfile),
    responses((status = 200, description = "The lines.", content_type = "application/x-ndjson", body = ExportLines)),
)]
pub(super) async fn read(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let profile = lists::profile(path)?;
    let mut lines = Lines { app, profile, after: None, ahead: VecDeque::new(), titles: 0, is_over: false };
    // A store that cannot be read is told of while there is a status to tell it by.
    let first = lines.piece()?;
    let body = Body::new(Pieces { first, lines });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// The lines that are still to come.
struct Lines {
    app: App,
    profile: ProfileId,
    after: Option<ContentId>,
    ahead: VecDeque<TitleId>,
    titles: usize,
    is_over: bool,
}

/// A body that is read while it is sent.
struct Pieces {
    first: Option<Bytes>,
    lines: Lines,
}

impl axum::body::HttpBody for Pieces {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        let piece = self.first.take().map_or_else(|| self.lines.piece(), |first| Ok(Some(first)));
        // After an error the connection is closed without an end, which the client sees.
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }
}

impl Lines {
    /// The next piece; `None` after the last.
    fn piece(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut piece = Vec::new();
        while !self.is_over && piece.len() < EXPORT_PIECE_BYTES {
            let Some(title) = self.next_title()? else {
                self.is_over = true;
                write_line(&mut piece, &EndLine { end: true, titles: self.titles });
                break;
            };
            let found = self.app.node().title(&title)?;
            if let Some(line) = TitleLine::new(&self.app, &title, &found) {
                self.titles += 1;
                write_line(&mut piece, &line);
            }
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    fn next_title(&mut self) -> Result<Option<TitleId>, ReadError> {
        if self.ahead.is_empty() {
            self.ahead = self.app.node().titles(&self.profile, self.after.as_ref(), NAMES_AHEAD)?.into();
            self.after = self.ahead.back().map(|title| title.content.clone());
        }
        Ok(self.ahead.pop_front())
    }
}

fn write_line(piece: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *piece, line).expect("a line is texts, numbers and flags");
    piece.push(b'\n');
}

/// All that is held of a title.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExportedTitle)]
pub(super) struct TitleLine {
    content: String,
    watched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_point: Option<ResumeView>,
    registers: Vec<RegisterView>,
}

/// The last line.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct EndLine {
    end: bool,
    /// How many titles there were.
    titles: usize,
}

/// A register as it stands.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Register)]
pub(super) struct RegisterView {
    slot: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    stamp: StampView,
    dot: String,
    #[serde(flatten)]
    said: Said,
}

/// What a register says.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum Said {
    Sample(Box<SampleView>),
    Watched {
        watched: bool,
    },
    Nothing {},
    /// What this build cannot read, as it stands.
    Value {
        value_base64url: String,
    },
}

/// A sample with everything that it holds.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Sample)]
pub(super) struct SampleView {
    seq: u32,
    elapsed_ms: Option<u64>,
    position_ms: u64,
    duration_ms: Option<u64>,
    credits_ms: Option<u64>,
    event: &'static str,
    rate: f64,
    played_ms: u64,
    deliberate: bool,
    device: Option<String>,
    series: Option<String>,
    time_quality: &'static str,
    opened_ms: Option<u64>,
}

impl TitleLine {
    /// `None` of a title of which everything is erased, its fence included.
    fn new(app: &App, title: &TitleId, found: &Title) -> Option<Self> {
        let (registers, fence) = (&found.registers, found.fence());
        let is_held = |slot: Slot, register: &Register| slot == FENCE || Some(register.stamp) > fence;
        let held = registers.iter().filter(|(slot, register)| is_held(*slot, register));
        let held: Vec<_> = held.map(|(slot, register)| RegisterView::new(*slot, register)).collect();
        let point = found.resume(app.policy());
        (!held.is_empty()).then(|| Self {
            content: title.content.as_str().to_owned(),
            watched: is_watched(registers, found.scope.fence),
            resume_point: point.map(|point| ResumeView::new(title, &point)),
            registers: held,
        })
    }
}

impl RegisterView {
    fn new(slot: Slot, register: &Register) -> Self {
        let kind = SlotKind::of(slot);
        let of_session = matches!(kind, Some(SlotKind::Glimpse | SlotKind::Session | SlotKind::Completed));
        Self {
            slot: match kind {
                Some(SlotKind::Glimpse) => "glimpse",
                Some(SlotKind::Session) => "session",
                Some(SlotKind::Completed) => "completed",
                Some(SlotKind::Watched) => "watched",
                Some(SlotKind::Dismissed) => "dismissed",
                Some(SlotKind::Fence) => "fence",
                Some(SlotKind::Settings) => "settings",
                None => "of-a-later-build",
            },
            session: of_session.then(|| SessionId::from_bytes(slot.id).to_string()),
            stamp: register.stamp.into(),
            dot: register.dot.to_string(),
            said: Said::of(kind, &register.value),
        }
    }
}

impl Said {
    fn of(kind: Option<SlotKind>, value: &[u8]) -> Self {
        let said = match kind {
            Some(SlotKind::Glimpse | SlotKind::Session) => {
                Sample::decode(value).ok().map(|sample| Self::Sample(Box::new(sample.into())))
            }
            Some(SlotKind::Watched) => {
                Watched::decode(value).ok().map(|Watched(watched)| Self::Watched { watched })
            }
            Some(SlotKind::Completed | SlotKind::Dismissed | SlotKind::Fence) => Some(Self::Nothing {}),
            Some(SlotKind::Settings) | None => None,
        };
        said.unwrap_or_else(|| Self::Value { value_base64url: URL_SAFE_NO_PAD.encode(value) })
    }
}

impl From<Sample> for SampleView {
    fn from(sample: Sample) -> Self {
        Self {
            seq: sample.seq,
            elapsed_ms: sample.elapsed_ms,
            position_ms: sample.position_ms,
            duration_ms: sample.duration_ms,
            credits_ms: sample.credits_ms,
            event: sample.event.as_str(),
            rate: f64::from(sample.rate_thousandths) / 1_000.0,
            played_ms: sample.played_ms,
            deliberate: sample.deliberate,
            device: sample.device.map(Into::into),
            series: sample.series.map(Into::into),
            time_quality: sample.quality.as_str(),
            opened_ms: sample.opened.map(WallTime::as_ms),
        }
    }
}
