//! How long a node that has missed something, or knows nothing at all, takes to hold everything; and what that costs on the wire.
//!
//! `cargo bench -p cluster --bench catchup [-- REGISTERS…]`, with `PLAYMARK_BIN` naming a release build. For each total (10^5 and 10^6, if none is
//! given): a node with so many registers; a second one with an empty disk, which joins it; then a cut, while 20,000
//! more are written, and the heal. Values are of usual length and differ as those of different sessions do.
#![expect(
    clippy::disallowed_methods,
    reason = "it tells how long something takes; no run of it sees the time"
)]

use std::{
    env,
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::{
    agreement::{self, Vector},
    lab::{Lab, Ways},
    topology::Topology,
};

const TOTALS: [u64; 2] = [100_000, 1_000_000];

/// How many registers are missed by who is cut off.
const MISSED: u64 = 20_000;

/// Reports in one request, which takes 64 KiB at most, and requests at the same time.
const BATCH: u64 = 400;
const AT_ONCE: u64 = 4;

/// Titles of one profile.
const TITLES: u64 = 8;

/// Ten millions on a slow machine.
const PATIENCE: Duration = Duration::from_mins(10);

/// Next to each other: what is measured is the nodes.
const TWO: &str = "cluster = 'bench'\nregions = [{ name = 'eu' }, { name = 'us' }]";

#[tokio::main]
async fn main() -> Result<()> {
    let named: Vec<u64> = env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let totals = if named.is_empty() { TOTALS.to_vec() } else { named };
    println!(
        "| registers | empty disk: s | a second | B each | {MISSED} missed: s after the heal | B each |"
    );
    println!("|---|---|---|---|---|---|");
    for total in totals {
        let lab = Lab::start_scratch(Topology::parse(TWO)?).await?;
        let measured = measure(&lab, total).await;
        lab.end().await;
        println!("{}", measured?);
    }
    Ok(())
}

async fn measure(lab: &Lab, total: u64) -> Result<String> {
    lab.kill("us").await?;
    write(lab, 0..total).await?;
    let everything = Vector::of_all(lab).await;
    let (sent, began) = (sent(lab).await?, Instant::now());
    lab.start_again("us").await?;
    let cold = until_held(lab, &everything, began).await?;
    let cold_bytes = self::sent(lab).await? - sent;

    lab.cut("eu", "us", Ways::Both)?;
    until_parted(lab).await?;
    let sent = self::sent(lab).await?;
    write(lab, total..total + MISSED).await?;
    let everything = Vector::of_all(lab).await;
    lab.heal_all()?;
    let missed = until_held(lab, &everything, Instant::now()).await?;
    let missed_bytes = self::sent(lab).await? - sent;
    let (cold, missed) = (cold.as_secs_f64(), missed.as_secs_f64());
    Ok(format!(
        "| {total} | {cold:.1} | {:.0} | {} | {missed:.2} | {} |",
        count(total) / cold,
        cold_bytes / total,
        missed_bytes / MISSED
    ))
}

async fn until_held(lab: &Lab, everything: &Vector, since: Instant) -> Result<Duration> {
    let held = agreement::until_held(lab, everything, PATIENCE).await;
    held.map_err(|behind| anyhow::anyhow!("{behind}"))?;
    Ok(since.elapsed())
}

/// Waits until the first node has given up its link.
async fn until_parted(lab: &Lab) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = lab.api().status(&lab.url("eu")?).await?;
        if status.peers.iter().all(|peer| peer.state != "up") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the link still stands");
        tokio::task::yield_now().await;
    }
}

/// What the first node has sent to its peers so far.
async fn sent(lab: &Lab) -> Result<u64> {
    let status = lab.api().status(&lab.url("eu")?).await?;
    Ok(status.peers.iter().map(|peer| peer.bytes_sent).sum())
}

/// Writes a report into each of so many titles.
async fn write(lab: &Lab, titles: std::ops::Range<u64>) -> Result<()> {
    let url = lab.url("eu")?;
    let share = (titles.end - titles.start).div_ceil(AT_ONCE);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..AT_ONCE {
        let (api, url) = (lab.api().clone(), url.clone());
        let from = titles.start + writer * share;
        let upto = titles.end.min(from + share);
        writers.spawn(async move {
            let mut first = from;
            while first < upto {
                let end = upto.min(first + BATCH);
                api.heartbeats(&url, batch(first..end)?).await.context("a batch is taken")?;
                first = end;
            }
            anyhow::Ok(())
        });
    }
    writers.join_all().await.into_iter().collect()
}

fn batch(titles: std::ops::Range<u64>) -> Result<String> {
    let mut lines = String::new();
    for title in titles {
        let (profile, content) = (title / TITLES, title % TITLES);
        // A number for each that says nothing of its neighbours'.
        let place = title.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 42;
        writeln!(
            lines,
            r#"{{"profile":"viewer-{profile}","content":"film-{content}","position_ms":{place},"duration_ms":7200000,"event":"playing","played_ms":{}}}"#,
            place / 2 + 3_000
        )?;
    }
    Ok(lines)
}

#[expect(clippy::cast_precision_loss, reason = "a rate that is shown without a fraction")]
fn count(number: u64) -> f64 {
    number as f64
}
