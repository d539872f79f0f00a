//! How long a write that was acknowledged in one region takes to be seen in another, less the way there.
//!
//! `cargo bench -p cluster --bench lag`, with `PLAYMARK_BIN` naming a release build: a player reports in eu, and as soon
//! as that is acknowledged asks us for an answer that knows of it. The relay delays each packet by the same time and
//! loses none; that time, which no protocol can spare, is taken off.
#![expect(
    clippy::disallowed_methods,
    reason = "it tells how long something takes; no run of it sees the time"
)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cluster::{
    api::{Event, Heartbeat},
    lab::Lab,
    topology::Topology,
};

/// How many reports are followed.
const REPORTS: u32 = 400;

/// How long a packet is under way from eu to us.
const DELAY: Duration = Duration::from_millis(45);

#[tokio::main]
async fn main() -> Result<()> {
    let mut topology = Topology::load("three-regions")?;
    topology.viewers.count = 0;
    for line in &mut topology.lines {
        (line.delay_ms, line.jitter_ms, line.loss_percent) = (DELAY.as_secs_f64() * 1e3, 0.0, 0.0);
    }
    let lab = Lab::start_scratch(topology).await?;
    let lags = follow(&lab).await;
    lab.end().await;
    let mut lags = lags?;
    lags.sort_unstable();
    let at = |percent: usize| lags[(lags.len() * percent / 100).min(lags.len() - 1)];
    println!("{REPORTS} reports from eu, seen in us, less {DELAY:?} one way:");
    println!("p50 {:?}, p99 {:?}, most {:?}", at(50), at(99), at(100));
    Ok(())
}

/// Reports again and again, and takes for each how long after its acknowledgement it was seen.
async fn follow(lab: &Lab) -> Result<Vec<Duration>> {
    let (api, eu, us) = (lab.api(), lab.url("eu")?, lab.url("us")?);
    let began = Instant::now();
    let opened = api.open(&eu, "ada", "film", "TV").await?;
    let mut lags = Vec::new();
    for seq in 1..=REPORTS {
        let elapsed_ms = u64::try_from(began.elapsed().as_millis())?;
        let heartbeat = Heartbeat {
            token: opened.token.clone(),
            seq,
            elapsed_ms,
            sent_elapsed_ms: elapsed_ms,
            position_ms: 60_000 + elapsed_ms,
            duration_ms: 7_200_000,
            event: Event::Playing,
            played_ms: elapsed_ms,
            deliberate: false,
        };
        let dot = api.heartbeat(&eu, &heartbeat).await?.dot.context("a write has a dot")?;
        let acknowledged = Instant::now();
        let found = api.resume_point(&us, "ada", "film", Some(&dot)).await?;
        ensure!(!found.stale, "us did not hear of it in time");
        lags.push(acknowledged.elapsed().saturating_sub(DELAY));
    }
    Ok(lags)
}
