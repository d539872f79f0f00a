//! `GET /metrics`: how the node stands, for Prometheus.
//!
//! Made from the [status](super::admin) when it is asked for, so that the two never differ, and nothing is counted twice on
//! the way of a heartbeat.

use std::time::Duration;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::{
    http::{App, PeerStatusView, Problem, StatusView, admin::status_of},
    node::Readiness,
};

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4";

#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operating",
    operation_id = "readMetrics",
    summary = "Read the node's figures",
    description = "In the text format of Prometheus: what the status says, as counters and gauges.",
    responses((status = 200, description = "The figures.", content_type = "text/plain", body = String)),
)]
pub(super) async fn read(State(app): State<App>) -> Result<Response, Problem> {
    let status = status_of(&app).await?;
    let storage = app.node().storage_bytes();
    Ok(([(header::CONTENT_TYPE, TEXT)], text(&status, storage)).into_response())
}

/// A fresh recorder for each answer: what is gone is not told for ever.
fn text(status: &StatusView, storage_bytes: Option<u64>) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    with_local_recorder(&recorder, || {
        of_the_node(status);
        totals(status);
        status.peers.iter().for_each(of_a_peer);
        if let Some(bytes) = storage_bytes {
            describe_gauge!("playmark_storage_bytes", Unit::Bytes, "What is kept on disk.");
            gauge!("playmark_storage_bytes").set(float(bytes));
        }
        describe_gauge!(
            "playmark_lag_seconds",
            Unit::Seconds,
            "How far behind the newest write of another node that any peer tells of."
        );
        for held in status.vector.iter().filter(|held| !held.own) {
            if let (Some(name), Some(region)) = (&held.name, &held.region) {
                let labels = [("name", name.clone()), ("region", region.clone())];
                gauge!("playmark_lag_seconds", &labels).set(seconds(held.lag_ms));
            }
        }
    });
    handle.render()
}

fn of_the_node(status: &StatusView) {
    let labels = [
        ("version", status.version.clone()),
        ("name", status.name.clone()),
        ("region", status.region.clone()),
        ("cluster", status.cluster.clone()),
    ];
    describe_gauge!("playmark_info", "1; who it is.");
    gauge!("playmark_info", &labels).set(1.0);
    describe_gauge!("playmark_ready", "1 where the node has caught up, and answers players.");
    gauge!("playmark_ready").set(f64::from(u8::from(status.readiness == Readiness::CaughtUp.as_str())));
    describe_gauge!("playmark_uptime_seconds", Unit::Seconds, "How long this life has lasted.");
    gauge!("playmark_uptime_seconds").set(seconds(status.uptime_ms));
    describe_gauge!("playmark_inbox_writes", "Writes that wait for a turn.");
    gauge!("playmark_inbox_writes").set(float(status.inbox.len as u64));
    describe_gauge!("playmark_inbox_writes_max", "How many may wait.");
    gauge!("playmark_inbox_writes_max").set(float(status.inbox.max as u64));
    describe_gauge!(
        "playmark_clock_off_seconds",
        Unit::Seconds,
        "By how much the node's clock is off, where its peers agree that it is; 0 otherwise."
    );
    describe_gauge!(
        "playmark_disk_full",
        "1 where the disk is full but for the reserve, and no writes are taken."
    );
    gauge!("playmark_disk_full").set(f64::from(u8::from(status.disk_full)));
    describe_gauge!(
        "playmark_stalled_seconds",
        Unit::Seconds,
        "For how long the driver has stood still; 0 where it does not."
    );
    gauge!("playmark_stalled_seconds").set(seconds(status.stalled.as_ref().map_or(0, |it| it.lasting_ms)));
    let off = status.clock_off_ms.unwrap_or_default();
    gauge!("playmark_clock_off_seconds").set(seconds(off.unsigned_abs()).copysign(if off < 0 {
        -1.0
    } else {
        1.0
    }));
}

fn totals(status: &StatusView) {
    let totals = [
        ("playmark_heartbeats_total", status.heartbeats_total, "Heartbeats acknowledged."),
        (
            "playmark_turned_away_total",
            status.turned_away_total,
            "Writes turned away because the inbox was full.",
        ),
        (
            "playmark_misbehaved_total",
            status.misbehaved_total,
            "Links closed because their peer broke the protocol.",
        ),
        (
            "playmark_frames_dropped_total",
            status.frames_dropped_total,
            "Frames dropped because a link's queue was full.",
        ),
        ("playmark_rotten_total", status.rotten_total, "Registers met that fail their check."),
        ("playmark_compared_total", status.compared_total, "Comparisons with peers that came to an end."),
        (
            "playmark_differing_total",
            status.differing_total,
            "Registers that differed from a peer's with no reason for it.",
        ),
        (
            "playmark_miscounted_total",
            status.miscounted_total,
            "Shards whose registers were changed behind the node's back.",
        ),
    ];
    for (name, total, what) in totals {
        describe_counter!(name, what);
        counter!(name).absolute(total);
    }
}

fn of_a_peer(peer: &PeerStatusView) {
    let labels = [("peer", peer.name.clone()), ("region", peer.region.clone())];
    describe_gauge!("playmark_peer_up", "1 where a link stands.");
    gauge!("playmark_peer_up", &labels).set(f64::from(u8::from(peer.state == "up")));
    describe_counter!("playmark_peer_sent_bytes_total", Unit::Bytes, "Sent to a peer, in UDP payload.");
    counter!("playmark_peer_sent_bytes_total", &labels).absolute(peer.bytes_sent);
    describe_counter!(
        "playmark_peer_received_bytes_total",
        Unit::Bytes,
        "Received from a peer, in UDP payload."
    );
    counter!("playmark_peer_received_bytes_total", &labels).absolute(peer.bytes_received);
    if let Some(rtt_ms) = peer.rtt_ms {
        describe_gauge!("playmark_peer_rtt_seconds", Unit::Seconds, "The round trip of a link that stands.");
        gauge!("playmark_peer_rtt_seconds", &labels).set(seconds(rtt_ms));
    }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "figures are floats there")]
fn float(number: u64) -> f64 {
    number as f64
}
