//! `playmark status`: a node's own account, for people.

use std::{net::SocketAddr, path::Path};

use playmark::{
    http::{MemberStatus, PeerStatusView, StatusView},
    node::Readiness,
};

use super::{
    Failure,
    ask::{ask, key_in},
};

pub(super) fn run(http: SocketAddr, key_file: Option<&Path>) -> Result<(), Failure> {
    let key = key_in(key_file)?;
    let status: StatusView = ask(http, key.as_deref(), "/v1/admin/status").map_err(Failure::Running)?;
    print!("{}", text(&status));
    Ok(())
}

fn text(status: &StatusView) -> String {
    let StatusView { name, region, cluster, version, replica, origin, digest, .. } = status;
    let mut lines = vec![
        format!("{name}.{region}.{cluster}  playmark {version}  up {}", span(status.uptime_ms)),
        format!("replica {replica}  origin {origin}"),
        format!(
            "heartbeats {}  inbox {}/{}  turned away {}  digest {digest}",
            status.heartbeats_total, status.inbox.len, status.inbox.max, status.turned_away_total
        ),
    ];
    if status.misbehaved_total + status.frames_dropped_total + status.rotten_total > 0 {
        lines.push(format!(
            "links closed {}  frames dropped {}  rotten registers {}",
            status.misbehaved_total, status.frames_dropped_total, status.rotten_total
        ));
    }
    if status.differing_total + status.miscounted_total > 0 {
        lines.push(format!(
            "registers that differed from a peer's {}  changed behind the node's back in {} shards",
            status.differing_total, status.miscounted_total
        ));
    }
    if let Some(off_ms) = status.clock_off_ms {
        lines.push(format!("the clock is off its peers' by {off_ms} ms: no writes are taken"));
    }
    if status.disk_full {
        lines.push("the disk is full but for the reserve: no writes are taken".to_owned());
    }
    if let Some(stall) = &status.stalled {
        lines.push(format!("the driver stands still: {} for {}", stall.step, span(stall.lasting_ms)));
    }
    if status.readiness != Readiness::CaughtUp.as_str() {
        lines.push(format!("{}: players are turned away", status.readiness));
    }
    lines.extend(status.peers.iter().map(|peer| peer_line(peer, status.now_ms)));
    lines.extend(status.members.iter().map(|member| member_line(member, status.now_ms)));
    for held in &status.vector {
        let owner = match (&held.name, &held.region) {
            (Some(name), Some(region)) => format!("{name}.{region}"),
            _ => "an earlier life".to_owned(),
        };
        let lag = if held.lag_ms == 0 { String::new() } else { format!("  {} behind", span(held.lag_ms)) };
        let by = held.fed_by.as_deref().map(|name| format!("  fed by {name}")).unwrap_or_default();
        let age = span(status.now_ms.saturating_sub(held.wall_ms));
        lines.push(format!(
            "origin {}  last write {age} ago{lag}{by}  {owner}",
            &held.origin[..8.min(held.origin.len())]
        ));
    }
    lines.join("\n") + "\n"
}

fn peer_line(peer: &PeerStatusView, now_ms: u64) -> String {
    let rtt = peer.rtt_ms.map(|ms| format!("  rtt {ms} ms")).unwrap_or_default();
    let address = peer.address.as_deref().map(|address| format!("  {address}")).unwrap_or_default();
    let error = peer.last_error.as_deref().map(|error| format!("  last error: {error}")).unwrap_or_default();
    format!(
        "peer {}.{}  {} for {}{rtt}{address}  sent {} B  received {} B{error}",
        peer.name,
        peer.region,
        peer.state,
        span(now_ms.saturating_sub(peer.since_ms)),
        peer.bytes_sent,
        peer.bytes_received,
    )
}

fn member_line(member: &MemberStatus, now_ms: u64) -> String {
    let MemberStatus { name, region, reach, .. } = member;
    let address = member.address.as_deref().map(|address| format!("  {address}")).unwrap_or_default();
    format!("member {name}.{region}  {reach} for {}{address}", span(now_ms.saturating_sub(member.since_ms)))
}

fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}
