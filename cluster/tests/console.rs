//! The console of a running cluster in a real browser: watched, cut, healed, and looked at by a checker of accessibility.
//!
//! Pictures are kept in the target directory's `tmp/console`, for people to look at.
#![expect(clippy::disallowed_methods, reason = "a test may ask the environment where its tools are")]

#[path = "../../tests/it/browser/chromium.rs"]
mod chromium;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use chromium::Browser;
use cluster::lab::{self, Place};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Close together, so that the story takes no longer than it must; nobody watches but the page.
const TOPOLOGY: &str = r#"
cluster = "demo"
[[regions]]
name = "eu"
[[regions]]
name = "us"
[[lines]]
from = "eu"
to = "us"
delay_ms = 20
"#;

/// A cluster with a console, and a browser that shows it.
struct Story {
    up: Child,
    browser: Browser,
    pictures: PathBuf,
    _place: Place,
}

impl Story {
    async fn begin() -> Self {
        let place = Place::scratch().expect("the temporary directory takes another");
        let dir = place.path().join("cluster");
        let topology = place.path().join("two-regions.toml");
        fs::write(&topology, TOPOLOGY).expect("it is ours");
        let mut up = Command::new(env!("CARGO_BIN_EXE_cluster"));
        up.env("PLAYMARK_CLUSTER_DIR", &dir).arg("up").arg(&topology);
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
        Self { up, browser, pictures, _place: place }
    }

    async fn keep_picture(&self, name: &str) {
        let file = self.pictures.join(format!("{name}.png"));
        fs::write(file, self.browser.picture().await).expect("it is ours");
    }

    async fn press(&self, selector: &str) {
        let press = format!(
            "void document.querySelector({}).dispatchEvent(new MouseEvent('click', {{ bubbles: true }}))",
            json!(selector)
        );
        self.browser.look(&press).await;
    }

    /// Waits until an element says something.
    async fn until_says(&self, selector: &str, words: &str) {
        let (selector, words) = (json!(selector), json!(words));
        self.browser
            .until(&format!("document.querySelector({selector})?.textContent.includes({words})"))
            .await;
    }

    async fn until_line_is(&self, state: &str) {
        let line = "document.querySelector('[data-line=\"eu us\"]')?.dataset.state";
        self.browser.until(&format!("{line} === {}", json!(state))).await;
    }

    /// Where a player's film is, in seconds.
    async fn film(&self, side: &str) -> f64 {
        let place = format!("document.querySelector('[data-side={side}] video').currentTime");
        self.browser.look(&place).await.as_f64().expect("a place")
    }

    async fn until_film_is_at(&self, side: &str, seconds: f64) {
        let place = format!("document.querySelector('[data-side={side}] video').currentTime >= {seconds}");
        self.browser.until(&place).await;
    }

    /// What the checker finds that is serious or worse.
    async fn barriers(&self) -> Value {
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

    async fn end(mut self) {
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

#[tokio::test]
async fn one_watches_on_the_left_cuts_the_ocean_watches_on_heals_and_goes_on_on_the_right() {
    let story = Story::begin().await;
    story.until_line_is("up").await;
    let where_buttons_are = "JSON.stringify([...document.querySelectorAll('button')].filter((it) => it.offsetParent).map((it) => \
        [it.getBoundingClientRect().x, it.getBoundingClientRect().y + scrollY].map(String)).slice(0, 6))";
    let before = story.browser.look(where_buttons_are).await;

    story.press("[data-side=left] .play").await;
    story.until_film_is_at("left", 4.5).await;
    story.until_says("[data-side=left] .told", "began at 0:00 at eu-1").await;
    story.press("[data-line=\"eu us\"]").await;
    story.until_line_is("cut").await;
    story.until_says("#log", "cut eu→us, us→eu").await;
    story.until_film_is_at("left", 9.0).await;

    // The other side of the ocean cannot know; it answers all the same, with what it had heard.
    story.press("[data-side=right] .play").await;
    story.browser.until("document.querySelector('[data-side=right] .told').dataset.ms || document.querySelector('[data-side=right] .told').textContent.includes('began')").await;
    let told = "Number(document.querySelector('[data-side=right] .told').dataset.ms ?? 0)";
    assert!(story.browser.look(told).await.as_f64().expect("a number") < 8_000.0, "it cannot know");
    story.press("[data-side=right] .stop").await;
    story.browser.until("Number.parseFloat(document.querySelector('#divergence').textContent) > 0").await;
    story.keep_picture("cut").await;

    let left = story.film("left").await;
    story.press("[data-side=left] .stop").await;
    story.press("#heal").await;
    story.until_says("#log", "all regions answer alike").await;
    story.until_line_is("up").await;
    story.until_says("#divergence", "0 ms").await;
    story.browser.look("void delete document.querySelector('[data-side=right] .told').dataset.ms").await;
    story.press("[data-side=right] .play").await;
    story.browser.until("document.querySelector('[data-side=right] .told').dataset.ms").await;
    let right = story.browser.look(told).await.as_f64().expect("a place") / 1e3;
    assert!((right - left).abs() <= 1.5, "left at {left}, right goes on at {right}");

    story.browser.look("void (document.querySelector('#inspect-profile').value = 'console')").await;
    story.press("#inspect").await;
    story.until_says("[data-replica=us-1]", "won").await;
    story.until_says("[data-replica=eu-1]", "won").await;
    story.keep_picture("healed").await;
    assert_eq!(story.browser.look(where_buttons_are).await, before, "buttons stay where they are");
    assert_eq!(story.browser.complaints().await, Vec::<String>::new());
    story.end().await;
}

#[tokio::test]
async fn a_checker_of_accessibility_finds_nothing_serious_in_light_dark_and_on_a_phone() {
    let story = Story::begin().await;
    story.until_line_is("up").await;
    for (name, width, height) in [("light", 1_280, 1_400), ("dark", 1_280, 1_400), ("phone", 360, 800)] {
        if name == "dark" {
            story.press("#theme").await;
        }
        story.browser.resize(width, height).await;
        story.keep_picture(name).await;
        assert_eq!(story.barriers().await, json!([]), "{name}");
        let wide =
            story.browser.look("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide.await, json!(0), "{name}: the page itself does not scroll sideways");
    }
    story.end().await;
}
