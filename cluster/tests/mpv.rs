//! A real player against real nodes: mpv plays a file that ffmpeg made, and goes on where it was in another region.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cluster::{
    lab::{Lab, Ways},
    topology::Topology,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

const PROFILE: &str = "ada";
const CONTENT: &str = "film";
/// How near to the place where it was left a film has to go on.
const NEAR_MS: u64 = 1_000;
/// Generous, since it only bounds a test that fails: two loaded cores start a player in seconds.
const WITHIN: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_film_watched_through_eu_goes_on_through_us_after_eu_was_killed() -> Result<()> {
    let lab = lab().await?;
    let film = film(lab.dir()).await?;
    let mut tv = Mpv::start(&lab, &film, "tv", &["eu", "us"])?;
    known(&lab, "us", 2_000).await?;
    tv.seek(120_000).await?;
    known(&lab, "us", 122_000).await?;

    lab.kill("eu").await?;
    let at_the_kill = tv.place().await?;
    known(&lab, "us", at_the_kill + 1_000).await.context("the player did not fail over to us")?;
    let left = tv.quit().await?;

    let mut phone = Mpv::start(&lab, &film, "phone", &["us"])?;
    near(phone.first_place().await?, left)?;
    phone.quit().await?;
    lab.end().await;
    Ok(())
}

#[tokio::test]
async fn a_film_watched_in_a_region_that_was_cut_off_goes_on_elsewhere_after_the_heal() -> Result<()> {
    let lab = lab().await?;
    let film = film(lab.dir()).await?;
    let mut tv = Mpv::start(&lab, &film, "tv", &["eu"])?;
    let before = known(&lab, "us", 2_000).await?;

    lab.cut("eu", "us", Ways::Both)?;
    lab.cut("eu", "ap", Ways::Both)?;
    tv.seek(200_000).await?;
    known(&lab, "eu", 202_000).await?;
    let left = tv.quit().await?;
    let meanwhile = place(&lab, "us").await?.context("us forgot what it knew")?;
    ensure!(meanwhile < before + 60_000, "us knows {meanwhile} ms, though eu was cut off");

    lab.heal_all().expect("a relay heals");
    known(&lab, "us", left.saturating_sub(NEAR_MS)).await?;
    let mut phone = Mpv::start(&lab, &film, "phone", &["us"])?;
    near(phone.first_place().await?, left)?;
    phone.quit().await?;
    lab.end().await;
    Ok(())
}

/// Three regions without any other viewer.
async fn lab() -> Result<Lab> {
    let mut topology = Topology::load("three-regions")?;
    topology.viewers.count = 0;
    Lab::start_scratch(topology).await
}

/// Five minutes of test card, at ten frames a second, so that two cores can play it beside three nodes.
async fn film(dir: &Path) -> Result<PathBuf> {
    let film = dir.join("film.mkv");
    let card = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10", "-t", "300"];
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(card).args(["-c:v", "mpeg4", "-g", "10"]).arg(&film).stdin(Stdio::null());
    let made = ffmpeg.status().await.context("ffmpeg is needed to make a film (Debian's package ffmpeg)")?;
    ensure!(made.success(), "ffmpeg ended with {made}");
    Ok(film)
}

/// The place that a region answers with.
async fn place(lab: &Lab, region: &str) -> Result<Option<u64>> {
    let node = lab.url(region)?;
    let point = lab.api().resume_point(&node, PROFILE, CONTENT, None).await;
    Ok(point.ok().and_then(|found| found.point).map(|point| point.position_ms))
}

/// Waits until a region answers with a place at or beyond `position_ms`.
async fn known(lab: &Lab, region: &str, position_ms: u64) -> Result<u64> {
    let deadline = Instant::now() + WITHIN;
    loop {
        let place = place(lab, region).await?;
        if let Some(place) = place.filter(|&place| place >= position_ms) {
            return Ok(place);
        }
        ensure!(Instant::now() < deadline, "{region} answers {place:?}, and {position_ms} ms was expected");
        sleep(LOOK_AGAIN).await;
    }
}

fn near(place: u64, left: u64) -> Result<()> {
    ensure!(place.abs_diff(left) <= NEAR_MS, "left at {left} ms, and it goes on at {place} ms");
    Ok(())
}

/// A headless player with the script, remote-controlled through its socket.
struct Mpv {
    process: Child,
    socket: PathBuf,
}

impl Mpv {
    fn start(lab: &Lab, film: &Path, name: &str, regions: &[&str]) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/mpv/playmark.lua");
        let socket = lab.dir().join(format!("{name}.sock"));
        let servers = regions.iter().map(|region| lab.url(region)).collect::<Result<Vec<_>>>()?.join("+");
        let options = format!(
            "playmark-servers={servers},playmark-profile={PROFILE},playmark-content={CONTENT},playmark-device={name}"
        );
        let mut mpv = Command::new("mpv");
        mpv.args(["--no-config", "--vo=null", "--ao=null", "--really-quiet", "--load-scripts=no"])
            .arg(format!("--script={}", script.display()))
            .arg(format!("--script-opts={options}"))
            .arg(format!("--input-ipc-server={}", socket.display()))
            .arg(film)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let process = mpv.spawn().context("mpv is needed to play a film (Debian's package mpv)")?;
        Ok(Self { process, socket })
    }

    async fn seek(&self, position_ms: u64) -> Result<()> {
        let seconds = Duration::from_millis(position_ms).as_secs();
        self.ask(&json!(["seek", seconds, "absolute+exact"])).await.map(drop)
    }

    async fn place(&self) -> Result<u64> {
        let seconds = self.ask(&json!(["get_property", "time-pos"])).await?;
        let seconds = seconds.as_f64().context("time-pos is no number")?;
        Ok(u64::try_from(Duration::from_secs_f64(seconds.max(0.0)).as_millis())?)
    }

    /// Where it starts to play; it has no place until the file is open.
    async fn first_place(&self) -> Result<u64> {
        let deadline = Instant::now() + WITHIN;
        loop {
            match self.place().await {
                Ok(place) => return Ok(place),
                Err(why) => ensure!(Instant::now() < deadline, "mpv does not play: {why:#}"),
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Closes it as a viewer would, and tells where it was.
    async fn quit(&mut self) -> Result<u64> {
        let place = self.place().await?;
        self.ask(&json!(["quit"])).await?;
        let ended = tokio::time::timeout(WITHIN, self.process.wait()).await.context("mpv does not end")??;
        ensure!(ended.success(), "mpv ended with {ended}");
        Ok(place)
    }

    async fn ask(&self, command: &Value) -> Result<Value> {
        let mut stream = UnixStream::connect(&self.socket).await.context("mpv does not listen")?;
        stream.write_all(format!("{}\n", json!({ "command": command, "request_id": 1 })).as_bytes()).await?;
        let mut lines = BufReader::new(stream).lines();
        while let Some(line) = lines.next_line().await? {
            let answer: Value = serde_json::from_str(&line)?;
            if answer["request_id"] == 1 && answer.get("error").is_some() {
                ensure!(answer["error"] == "success", "mpv answers {command} with {}", answer["error"]);
                return Ok(answer["data"].clone());
            }
        }
        anyhow::bail!("mpv closed its socket")
    }
}
