//! Chromium, remote-controlled.

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
    process::{Child, Command},
    time::{Instant, sleep},
};

/// Generous, since it only bounds a test that fails: two loaded cores start a browser in seconds.
const WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A browser with an empty profile; dropped, it is ended.
pub(super) struct Browser {
    client: Client,
    process: Option<u64>,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    pub(super) async fn start() -> Self {
        let profile = TempDir::new().expect("a directory can be made");
        let (driver, port) = drive().await;
        let mut client = ClientBuilder::new(HttpConnector::new());
        client.capabilities(capabilities(&profile));
        let client = client.connect(&format!("http://127.0.0.1:{port}")).await.expect("Chromium starts");
        let told = client.capabilities();
        let process = told.and_then(|told| told.get("goog:processID").and_then(Value::as_u64));
        Self { client, process, driver, _profile: profile }
    }

    pub(super) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
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
            let heard = self.look("[window.heard, video.currentTime, video.error?.message]").await;
            assert!(Instant::now() < deadline, "never: {expression}; heard {heard}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Where the film is.
    pub(super) async fn place_ms(&self) -> u64 {
        self.look("Math.round(video.currentTime * 1000)").await.as_u64().expect("a place")
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

/// Starts a driver on a port that it chooses itself.
async fn drive() -> (Child, u16) {
    let mut driver = Command::new("chromedriver");
    driver
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut driver = driver.spawn().expect("chromedriver is installed (Debian's package chromium-driver)");
    let mut said = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
    let port = async {
        while let Some(line) = said.next_line().await.expect("it is text") {
            let port = line.split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
            if let Some(port) = port {
                return Some(port.parse().expect("a port"));
            }
        }
        None
    };
    let port = tokio::time::timeout(WITHIN, port).await.expect("chromedriver starts in time");
    (driver, port.expect("chromedriver says where it listens"))
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
    let Value::Object(capabilities) = json!({ "goog:chromeOptions": { "args": flags } }) else {
        unreachable!("it is written as an object")
    };
    capabilities
}
