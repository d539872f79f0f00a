//! What is told of the viewers: one flat record, the same for a terminal, a page and a test.

use serde::{Deserialize, Serialize};

/// What the viewers have seen, as docs/VIEWERS.md defines it member by member.
///
/// A member is absent while nothing is known of it.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Viewers at a screen that plays.
    pub watching: u64,
    /// Heartbeats acknowledged in a second, over the last few.
    pub heartbeats_per_s: f64,
    /// Heartbeats acknowledged since the start.
    pub acknowledged: u64,
    /// How often a player turned to another region than its own.
    pub failed_over: u64,
    /// Sessions that came to nothing.
    pub failed_starts: u64,
    /// Devices that were watched while they were offline.
    pub watched_offline: u64,
    /// Reports that were sent, and acknowledged, once more.
    pub repeated: u64,
    /// From when a heartbeat was due to its acknowledgement, in milliseconds, over the last half minute or more.
    pub ack_ms: Option<AckMs>,
    /// How often a viewer who had a place asked where to go on.
    pub resumes: u64,
    /// Of these, answered with another place by a node that claimed to have seen the viewer's last report.
    pub wrong_resumes: u64,
    /// The same of a hundred resumes.
    pub wrong_percent: Option<f64>,
    /// Answered by a node that said that it had not seen the last report.
    pub stale_resumes: u64,
    /// How far the answers were from where the viewer was, right and stale ones included, in seconds.
    pub wrong_seconds: Option<Quantiles>,
    /// Acknowledged reports that a region did not hold when last it was asked at rest.
    pub acknowledged_lost: Option<u64>,
    /// From an acknowledgement to the first answer of another region that knows the report, in milliseconds.
    pub visible_ms: Vec<VisibleMs>,
}

/// How long acknowledgements took, in milliseconds.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct AckMs {
    /// Half of them at most.
    pub p50: f64,
    /// 99 of a hundred at most.
    pub p99: f64,
    /// 999 of a thousand at most.
    pub p999: f64,
}

/// What half of all, and 99 of a hundred, do not exceed.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half of them at most.
    pub p50: f64,
    /// 99 of a hundred at most.
    pub p99: f64,
}

/// How long a report takes from one region to another, in milliseconds.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct VisibleMs {
    /// Where it was acknowledged.
    pub from: String,
    /// Where it was read.
    pub to: String,
    /// Half of them at most.
    pub p50: f64,
    /// 99 of a hundred at most.
    pub p99: f64,
}
