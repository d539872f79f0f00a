//! One refusal of each type, as this build makes it.

use std::time::Duration;

use axum::http::HeaderValue;
use serde_json::json;

use crate::{
    http::{
        HEARTBEATS_MAX, Problem,
        auth::{Denied, Scope},
        limits::Exceeded,
    },
    node::{ReadError, Readiness, WriteError},
    playback::{CountsWrongly, NoSuchPlace, OutOfOrder, Refused, TokenError},
};

/// A moment in 2026.
const ANCHOR_MS: u64 = 1_780_000_000_000;

/// Stands where a token would.
const TOKEN: &str = "pm1.…";

pub(super) fn all() -> Vec<Problem> {
    let mut all = of_the_door();
    all.extend(of_requests());
    all.extend(of_reports());
    all.extend(of_the_node());
    all
}

fn of_the_door() -> Vec<Problem> {
    let window = Duration::from_secs(1);
    let wait = Duration::from_millis(10);
    vec![
        Denied::Nobody.into(),
        Denied::Invalid("it is no Bearer").into(),
        Denied::Expired.into(),
        Denied::KeysUnknown.into(),
        Denied::NoScope { needed: &[Scope::Play, Scope::Read] }.into(),
        Denied::NotForProfile.into(),
        Problem::ForeignOrigin,
        Problem::Misdirected,
        Problem::TooManyRequests(Exceeded { policy: "subject", quota: 100, window, wait }),
        Problem::TooManyContents { most: 10_000 },
    ]
}

fn of_requests() -> Vec<Problem> {
    vec![
        Problem::NoSuchPath,
        Problem::NoSuchMethod,
        Problem::MediaType { wanted: "application/json" },
        Problem::BodyTooLarge,
        Problem::TooManyHeartbeats { count: HEARTBEATS_MAX + 1 },
        Problem::BodyTooSlow,
        Problem::BodyUnreadable("connection closed before the body was whole".into()),
        Problem::NotJson("the body must be a JSON object".into()),
        Problem::Invalid {
            field: "position_ms",
            fix: "is missing: send the playhead in whole milliseconds".into(),
        },
        OutOfOrder { index: 3, field: "seq" }.into(),
        Problem::NotAsSaid { etag: Some(HeaderValue::from_static("\"3f2a9c41d06e5b7788c1a0e4f59d2b63\"")) },
        Problem::UnknownDot,
        NoSuchPlace.into(),
        Problem::CursorGone,
        Problem::NoResumePoint {
            token: TOKEN.into(),
            anchor_ms: ANCHOR_MS,
            stale: true,
            explanation: Some(json!({
                "thresholds": {"engaged_ms": 3_000, "completed_percent": 95}, "row": "not-started", "sessions": [],
            })),
            watched: false,
            plays: 0,
        },
    ]
}

fn of_reports() -> Vec<Problem> {
    let refused = |why| Problem::Refused { why, fresh: None };
    vec![
        TokenError::BadSignature.into(),
        refused(Refused::Expired),
        TokenError::UnknownEpoch { epoch: 20_602, today: 20_601 }.into(),
        refused(Refused::NotTheTokens { field: "content" }),
        refused(Refused::NoRight),
        refused(Refused::Erased),
        Problem::Refused {
            why: Refused::ClockRunsWild { beyond_ms: 5_000 },
            fresh: Some((TOKEN.into(), ANCHOR_MS)),
        },
        CountsWrongly { beyond_ms: 5_000 }.into(),
        refused(Refused::BeyondYear2200),
        refused(Refused::TooOld { age_ms: 7_776_000_001 }),
    ]
}

fn of_the_node() -> Vec<Problem> {
    vec![
        WriteError::Full.into(),
        Problem::NotReady,
        Problem::CatchingUp(Readiness::CatchingUp),
        Problem::DiskFull,
        Problem::ClockUnsynced { off_ms: 3_600_000 },
        Problem::NoBackupDir,
        Problem::BackupRunning,
        Problem::TookTooLong,
        ReadError::failed("the disk").into(),
        WriteError::ValueTooLong { bytes: 577 }.into(),
    ]
}
