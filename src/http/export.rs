//! `GET /v1/profiles/{profile}/export`: everything that is held of a profile, one title a line.
//!
//! The first line is the profile itself: what its viewer has settled, and up to when everything was erased. An
//! erasure is held for ever, so that it holds against whatever still comes, and is a part of what is exported.
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
    Extension,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::body::Frame;
use serde::Serialize;

use crate::{
    crdt::{ContentId, ProfileId, Register, Slot, TitleId, WallTime},
    http::{
        App, Problem,
        auth::{Lease, Visitor},
        contract::{answers::ExportLines, params::OfProfile},
        lists,
        profiles::{CountingView, recording},
        view::{ResumeView, StampView},
    },
    node::ReadError,
    playback::{Sample, SessionId, Settings, SlotKind, Title, Watched, is_watched, slot::FENCE},
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
    description = "A line for the profile, one for each title, and a last line that says how many titles there were. Without it the export is not whole.",
    params(OfProfile),
    responses((status = 200, description = "The lines.", content_type = "application/x-ndjson", body = ExportLines)),
)]
pub(super) async fn read(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let profile = lists::profile(path)?;
    let lease = Lease::of(&app, &visitor, &headers, Some(&profile));
    let at = At::Profile;
    let mut lines = Lines { app, profile, lease, at, after: None, ahead: VecDeque::new(), titles: 0 };
    // A store that cannot be read is told of while there is a status to tell it by.
    let first = lines.piece()?;
    let body = Body::new(Pieces { first, lines });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// The lines that are still to come.
struct Lines {
    app: App,
    profile: ProfileId,
    lease: Lease,
    at: At,
    after: Option<ContentId>,
    ahead: VecDeque<TitleId>,
    titles: usize,
}

/// What the next line is about.
#[derive(PartialEq, Eq)]
enum At {
    Profile,
    Titles,
    End,
}

/// A body that is read while it is sent.
struct Pieces {
    first: Option<Bytes>,
    lines: Lines,
}

impl axum::body::HttpBody for Pieces {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        let piece = self.first.take().map_or_else(|| self.lines.piece(), |first| Ok(Some(first)));
        // After an error the connection is closed without an end, which the client sees.
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }
}

impl Lines {
    /// The next piece; `None` after the last.
    fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        self.lease.check()?;
        let mut piece = Vec::new();
        if self.at == At::Profile {
            write_line(&mut piece, &ProfileLine::read(&self.app, &self.profile)?);
            self.at = At::Titles;
        }
        while self.at == At::Titles && piece.len() < EXPORT_PIECE_BYTES {
            let Some(title) = self.next_title()? else {
                self.at = At::End;
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

/// All that is held of a profile and of none of its titles.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExportedProfile)]
pub(super) struct ProfileLine {
    profile: String,
    /// When the export was begun.
    exported_ms: u64,
    settings: CountingView,
    /// Everything up to it has been erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<StampView>,
    registers: Vec<RegisterView>,
}

/// All that is held of a title.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExportedTitle)]
pub(super) struct TitleLine {
    content: String,
    watched: bool,
    /// Everything up to it has been erased, by an order for this title.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<StampView>,
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
    Settled {
        recording: &'static str,
        completed_percent: Option<u8>,
        engaged_ms: Option<u64>,
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
    /// The latest of the title that its writer had been shown.
    seen: Option<StampView>,
    /// Whether it was only heard of, standing still, and wins over nothing.
    bystander: bool,
}

impl ProfileLine {
    fn read(app: &App, profile: &ProfileId) -> Result<Self, ReadError> {
        let Title { registers, scope } = app.node().title(&profile.scope())?;
        Ok(Self {
            profile: profile.as_str().to_owned(),
            exported_ms: app.node().now().wall.as_ms(),
            settings: CountingView::new(&scope.settings, app.policy()),
            erased: erased(&registers),
            registers: registers.iter().map(|(slot, register)| RegisterView::new(*slot, register)).collect(),
        })
    }
}

fn erased(registers: &[(Slot, Register)]) -> Option<StampView> {
    registers.iter().find(|(slot, _)| *slot == FENCE).map(|(_, register)| register.stamp.into())
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
            erased: erased(registers),
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
            Some(SlotKind::Settings) => Settings::decode(value).ok().map(Self::from),
            None => None,
        };
        said.unwrap_or_else(|| Self::Value { value_base64url: URL_SAFE_NO_PAD.encode(value) })
    }
}

impl From<Settings> for Said {
    fn from(settings: Settings) -> Self {
        let recording = recording(&settings);
        let Settings { completed_percent, engaged_ms, .. } = settings;
        Self::Settled { recording, completed_percent, engaged_ms }
    }
}

impl From<Sample> for SampleView {
    fn from(sample: Sample) -> Self {
        // Each member by its name, so that none is forgotten that comes later.
        let Sample {
            seq,
            elapsed_ms,
            position_ms,
            duration_ms,
            credits_ms,
            event,
            rate_thousandths,
            played_ms,
            deliberate,
            device,
            quality,
            seen,
            opened,
            bystander,
            series,
        } = sample;
        Self {
            seq,
            elapsed_ms,
            position_ms,
            duration_ms,
            credits_ms,
            event: event.as_str(),
            rate: f64::from(rate_thousandths) / 1_000.0,
            played_ms,
            deliberate,
            device: device.map(Into::into),
            series: series.map(Into::into),
            time_quality: quality.as_str(),
            opened_ms: opened.map(WallTime::as_ms),
            seen: seen.map(Into::into),
            bystander,
        }
    }
}
