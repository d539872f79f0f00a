//! A cluster that runs, with a browser that shows its console.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use cluster::lab::{self, Place};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::chromium::Browser;

const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A cluster with a console, and a browser that shows it.
pub(crate) struct Story {
    up: Child,
    pub(crate) browser: Browser,
    pictures: PathBuf,
    dir: PathBuf,
    _place: Place,
}

impl Story {
    /// A cluster of a topology, with arguments of its own, and a browser that looks at it.
    pub(crate) async fn begin((name, topology): (&str, &str), arguments: &[&str]) -> Self {
        let text = topology;
        let place = Place::scratch().expect("the temporary directory takes another");
        let dir = place.path().join("cluster");
        let topology = place.path().join(format!("{name}.toml"));
        fs::write(&topology, text).expect("it is ours");
        let mut up = Command::new(env!("CARGO_BIN_EXE_cluster"));
        up.env("PLAYMARK_CLUSTER_DIR", &dir).arg("up").arg(&topology).args(arguments);
        up.arg("--binary").arg(lab::binary().expect("the binary is built"));
        let mut up = up
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the tool starts");
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
        fs::create_dir_all(&pictures).expect("it is ours");
        let browser = Browser::start().await;
        browser.resize(1_280, 1_400).await;
        browser.open(&until_told(&dir.join("console.url"), &mut up).await).await;
        browser.until("document.querySelector('#live').dataset.state === 'live'").await;
        Self { up, browser, pictures, dir, _place: place }
    }

    pub(crate) async fn keep_picture(&self, name: &str) {
        let file = self.pictures.join(format!("{name}.png"));
        fs::write(file, self.browser.picture().await).expect("it is ours");
    }

    /// Keeps a picture of the tour, and puts it into its page if that is what was asked for.
    pub(crate) async fn keep_tour(&self, name: &str) {
        let picture = self.browser.picture().await;
        let mut homes = vec![self.pictures.clone()];
        if std::env::var_os("UPDATE").is_some() {
            homes.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tour"));
        }
        for home in homes {
            fs::write(home.join(format!("{name}.png")), &picture).expect("it is ours");
        }
    }

    /// Gives an order from a second terminal, which must succeed.
    pub(crate) async fn order(&self, words: &[&str]) {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_cluster"));
        let output = tool.env("PLAYMARK_CLUSTER_DIR", &self.dir).args(words).output().await;
        let output = output.expect("the tool starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    }

    pub(crate) async fn press(&self, selector: &str) {
        let press = format!(
            "void document.querySelector({}).dispatchEvent(new MouseEvent('click', {{ bubbles: true }}))",
            json!(selector)
        );
        self.browser.look(&press).await;
    }

    /// Waits until an element says something.
    pub(crate) async fn until_says(&self, selector: &str, words: &str) {
        let (selector, words) = (json!(selector), json!(words));
        self.browser
            .until(&format!("document.querySelector({selector})?.textContent.includes({words})"))
            .await;
    }

    /// Waits until the line between two regions is so.
    pub(crate) async fn until_line_is(&self, line: &str, state: &str) {
        let line = json!(format!("[data-line=\"{line}\"]"));
        self.browser
            .until(&format!("document.querySelector({line})?.dataset.state === {}", json!(state)))
            .await;
    }

    /// Where a player's film is, in seconds.
    pub(crate) async fn film(&self, side: &str) -> f64 {
        let place = format!("document.querySelector('[data-side={side}] video').currentTime");
        self.browser.look(&place).await.as_f64().expect("a place")
    }

    pub(crate) async fn until_film_is_at(&self, side: &str, seconds: f64) {
        let place = format!("document.querySelector('[data-side={side}] video').currentTime >= {seconds}");
        self.browser.until(&place).await;
    }

    /// What the checker finds that is serious or worse.
    pub(crate) async fn barriers(&self) -> Value {
        let axe = std::env::var("AXE_JS").expect("AXE_JS names axe.min.js; tests/run fetches it");
        let axe = fs::read_to_string(&axe).unwrap_or_else(|why| panic!("{axe}: {why}"));
        let script = format!(
            "{axe}; const done = arguments[arguments.length - 1]; \
             axe.run(document).then(({{ violations }}) => done(violations \
               .filter((it) => ['serious', 'critical'].includes(it.impact)) \
               .map((it) => [it.id, it.help, it.nodes.map((node) => node.html.slice(0, 200))])), (why) => done(String(why)));"
        );
        self.browser.run(&script).await
    }

    pub(crate) async fn end(mut self) {
        let pid = self.up.id().expect("it runs").to_string();
        let told = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid]).status().await;
        assert!(told.expect("every system has a shell").success());
        tokio::time::timeout(PATIENCE, self.up.wait()).await.expect("it ends").expect("it is our child");
    }
}

/// What is written in a file, once it is there and the cluster answers.
async fn until_told(file: &Path, up: &mut Child) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(url) = fs::read_to_string(file)
            && let url = url.trim()
            && reqwest::get(url).await.is_ok_and(|answer| answer.status().is_success())
        {
            return url.to_owned();
        }
        assert!(up.try_wait().expect("it is our child").is_none(), "it ended by itself");
        assert!(Instant::now() < deadline, "no console within {PATIENCE:?}");
        sleep(LOOK_EVERY).await;
    }
}
