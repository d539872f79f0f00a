//! What a region with several nodes costs on the paths to others, beside one with a single node.
//!
//! `cargo bench -p cluster --bench wan [-- VIEWERS]`, with `PLAYMARK_BIN` naming a release build: three regions of one node each, then of three, with
//! the same viewers (3,000, if no number is given), who report once a second. After all have begun, it counts for half a minute what the nodes send to nodes of other
//! regions, 28 bytes for the headers of each packet included (RFC 791, 768), and the reports that they acknowledge.
#![expect(
    clippy::disallowed_methods,
    reason = "it tells how much is sent in a time; no run of it sees the time"
)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cluster::{lab::Lab, topology::Topology, viewers::Viewers};
use tokio::time::{sleep, sleep_until};

const VIEWERS: usize = 3_000;
const WARM_UP: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(30);

/// Of an IPv4 and a UDP header.
const HEADERS_BYTES: u64 = 28;

/// What has passed between regions, and what for.
#[derive(Clone, Copy)]
struct Count {
    bytes: u64,
    packets: u64,
    reports: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let viewers = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(VIEWERS);
    println!(
        "| nodes | reports/s | KB/s across | packets/s across | bytes a report | beside one node a region |"
    );
    println!("|---|---|---|---|---|---|");
    let mut of_one = None;
    for nodes in [1, 3] {
        let mut topology = Topology::load("three-regions")?;
        topology.viewers.count = viewers;
        topology.regions.iter_mut().for_each(|region| region.nodes = nodes);
        topology.lines.iter_mut().for_each(|line| line.loss_percent = 0.0);
        let lab = Lab::start_scratch(topology).await?;
        let counted = measure(&lab).await;
        lab.end().await;
        let Count { bytes, packets, reports } = counted?;
        let (seconds, each) = (MEASURED.as_secs_f64(), number(bytes) / number(reports));
        let ratio = each / *of_one.get_or_insert(each);
        println!(
            "| 3 × {nodes} | {:.0} | {:.0} | {:.0} | {each:.1} | {ratio:.3} |",
            number(reports) / seconds,
            number(bytes) / seconds / 1e3,
            number(packets) / seconds
        );
    }
    Ok(())
}

async fn measure(lab: &Lab) -> Result<Count> {
    let viewers = Viewers::start(lab);
    sleep(WARM_UP).await;
    let until = Instant::now() + MEASURED;
    let before = count(lab).await?;
    sleep_until(until.into()).await;
    let after = count(lab).await?;
    drop(viewers);
    Ok(Count {
        bytes: after.bytes - before.bytes,
        packets: after.packets - before.packets,
        reports: after.reports - before.reports,
    })
}

async fn count(lab: &Lab) -> Result<Count> {
    let packets = lab.wan().traffic()?.values().map(|way| way.passed).sum();
    let (mut bytes, mut reports) = (packets * HEADERS_BYTES, 0);
    for (node, status) in lab.statuses().await {
        let status = status.with_context(|| node.to_string())?;
        let across = status.peers.iter().filter(|peer| peer.region != node.region().as_str());
        bytes += across.map(|peer| peer.bytes_sent).sum::<u64>();
        reports += status.heartbeats_total;
    }
    Ok(Count { bytes, packets, reports })
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn number(count: u64) -> f64 {
    count as f64
}
