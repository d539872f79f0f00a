//! Chromium, remote-controlled.
#![allow(dead_code, reason = "each of the tests that share it uses a part of it")]

use std::{
    process::{Command as Program, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::{Instant, sleep},
};

/// Generous, since it only bounds a test that fails: two loaded cores start a browser in seconds.
const WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many drivers are started before none is expected to find a port any more.
const DRIVERS_MAX: usize = 5;

/// Whether a browser has a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Network {
    Online,
    Offline,
}

/// A browser with an empty profile; dropped, it is ended.
pub(super) struct Browser {
    client: Client,
    /// The driver's.
    address: String,
    process: Option<u64>,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    pub(super) async fn start() -> Self {
        let profile = TempDir::new().expect("a directory can be made");
        let (driver, port) = drive().await;
        let address = format!("http://127.0.0.1:{port}");
        let mut client = ClientBuilder::new(HttpConnector::new());
        client.capabilities(capabilities(&profile));
        let client = client.connect(&address).await.expect("Chromium starts");
        let told = client.capabilities();
        let process = told.and_then(|told| told.get("goog:processID").and_then(Value::as_u64));
        Self { client, address, process, driver, _profile: profile }
    }

    pub(super) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Goes back to the page before.
    pub(super) async fn back(&self) {
        self.client.back().await.expect("there is one");
    }

    /// Evaluates an expression in the page.
    pub(super) async fn look(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.client.execute(&script, Vec::new()).await.unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    /// Waits until an expression is true.
    pub(super) async fn until(&self, expression: &str) {
        let deadline = Instant::now() + WITHIN;
        while self.look(&format!("Boolean({expression})")).await != json!(true) {
            let heard =
                self.look("[window.heard, window.video?.currentTime, window.video?.error?.message]").await;
            assert!(Instant::now() < deadline, "never: {expression}; heard {heard}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Opens a page that follows the film, and plays it until it is there.
    pub(super) async fn play(&self, url: &str, until_ms: u64) {
        self.open(url).await;
        self.until("window.session?.id").await;
        self.play_until(until_ms).await;
    }

    /// Plays on until the film is there.
    pub(super) async fn play_until(&self, place_ms: u64) {
        self.look("void video.play()").await;
        self.until(&format!("video.currentTime * 1000 >= {place_ms}")).await;
    }

    /// Pauses, and waits until the module has heard of it.
    pub(super) async fn pause(&self) {
        self.look("void video.pause()").await;
        self.until("video.rests").await;
    }

    /// Seeks, as a viewer does.
    pub(super) async fn seek(&self, place_s: u64) {
        self.look(&format!("void (video.currentTime = {place_s})")).await;
        self.until(&format!("!video.seeking && video.currentTime >= {place_s}")).await;
    }

    /// The kinds of problems that the page has heard of.
    pub(super) async fn problems(&self) -> Value {
        self.look("heard.filter(([name]) => name === 'problem').map(([, it]) => it.kind)").await
    }

    /// How many samples are kept for other pages.
    pub(super) async fn kept(&self) -> u64 {
        let count = "target.result.transaction('samples').objectStore('samples').count()";
        let told = format!("{count}.onsuccess = (it) => (window.kept = it.target.result)");
        self.look(&format!(
            "void (delete window.kept, indexedDB.open('playmark').onsuccess = ({{ target }}) => ({told}))"
        ))
        .await;
        self.until("window.kept !== undefined").await;
        self.look("window.kept").await.as_u64().expect("a number")
    }

    /// Takes the network away from the browser, or gives it back, and tells its pages.
    pub(super) async fn go(&self, network: Network) {
        let offline = network == Network::Offline;
        let conditions =
            json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.tell("Network.enable", json!({})).await;
        self.tell("Network.emulateNetworkConditions", conditions).await;
        self.until(&format!("navigator.onLine === {}", !offline)).await;
    }

    /// Tells the browser what only Chromium understands.
    async fn tell(&self, cmd: &str, params: Value) {
        let session = self.client.session_id().await.expect("it is there").expect("it has begun");
        let url = format!("{}/session/{session}/goog/cdp/execute", self.address);
        let told = json!({"cmd": cmd, "params": params}).to_string();
        let answer = reqwest::Client::new().post(url).body(told).send().await.expect("it answers");
        assert!(answer.status().is_success(), "{cmd}: {answer:?}");
    }

    /// Where the film is.
    pub(super) async fn place_ms(&self) -> u64 {
        self.look("Math.round(video.currentTime * 1000)").await.as_u64().expect("a place")
    }

    /// Runs a script that calls its last argument when it is done, and gives what that is called with.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap_or_else(|why| panic!("{script}: {why}"))
    }

    /// Makes the window so large.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.expect("a window has a size");
    }

    /// A picture of the window, as PNG.
    pub(super) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("it can be drawn")
    }

    /// What pages have said on the console since it was last asked, of warnings and worse.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let session = self.client.session_id().await.expect("it is there").expect("it has begun");
        let url = format!("{}/session/{session}/se/log", self.address);
        let answer =
            reqwest::Client::new().post(url).body(json!({"type": "browser"}).to_string()).send().await;
        let told: Value = answer.expect("it answers").json().await.expect("it is JSON");
        let entries = told["value"].as_array().cloned().unwrap_or_else(|| panic!("{told}"));
        let bad = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// Closes the tab that is open, as a viewer does, and leaves the browser with an empty one.
    pub(super) async fn close_tab(&self) {
        let page = self.client.window().await.expect("a tab is open");
        let empty = self.client.new_window(true).await.expect("a tab can be opened").handle;
        self.client.switch_to_window(page).await.expect("it is still there");
        self.client.close_window().await.expect("it can be closed");
        self.client.switch_to_window(empty).await.expect("it was opened");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser first: a driver that is killed leaves it running.
        if let Some(process) = self.process {
            let _ =
                Program::new("sh").args(["-c", "kill -s KILL \"$1\"", "sh", &process.to_string()]).status();
        }
        let _ = self.driver.start_kill();
    }
}

/// Starts a driver on a port that it chooses itself. It listens at both loopbacks, and gives up where somebody has
/// taken that port at the other one.
async fn drive() -> (Child, u16) {
    for _ in 0..DRIVERS_MAX {
        let mut driver = Command::new("chromedriver");
        driver
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut driver =
            driver.spawn().expect("chromedriver is installed (Debian's package chromium-driver)");
        let said = BufReader::new(driver.stdout.take().expect("it is piped"));
        let port = tokio::time::timeout(WITHIN, port_of(said)).await.expect("chromedriver starts in time");
        if let Some(port) = port {
            return (driver, port);
        }
    }
    panic!("chromedriver says where it listens")
}

/// Where a driver says that it listens; `None` where it ends without a word of it.
async fn port_of(said: BufReader<ChildStdout>) -> Option<u16> {
    let mut lines = said.lines();
    while let Some(line) = lines.next_line().await.expect("it is text") {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return Some(port.trim_end_matches('.').parse().expect("a port"));
        }
    }
    None
}

fn capabilities(profile: &TempDir) -> Capabilities {
    let profile = format!("--user-data-dir={}", profile.path().display());
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--autoplay-policy=no-user-gesture-required",
        &profile,
    ];
    let logs = json!({ "browser": "ALL" });
    let Value::Object(capabilities) =
        json!({ "goog:chromeOptions": { "args": flags }, "goog:loggingPrefs": logs })
    else {
        unreachable!("it is written as an object")
    };
    capabilities
}
