//! A site with one film, on whose way to a node everything can be made to go wrong.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::Command,
    sync::{OnceCell, watch},
    time::Instant,
};

use crate::patience::until_found;

/// What a page of the site does: `servers` are asked, `attach` is a title to follow, and `wall` is by how much its
/// wall clock is off.
const PAGE: &str = r#"<!doctype html><title>Cinema</title>
<video id="video" src="/film.webm" muted></video>
<script type="module">
  const asked = new URLSearchParams(location.search);
  const servers = asked.getAll("server");
  const [wall, count] = [Date.now.bind(Date), performance.now.bind(performance)];
  const passed = { wall: Number(asked.get("wall")), count: 0 };
  Date.now = () => wall() + passed.wall;
  performance.now = () => count() + passed.count;
  // Time goes by in which nothing happens. While it sleeps, a device does not count.
  window.pass = (ms) => (window.sleep(ms), (passed.count += ms));
  window.sleep = (ms) => (passed.wall += ms);
  window.heard = [];
  const { Playmark } = await import(`${servers[0]}/sdk/playmark.js`);
  const [device, changes] = [asked.get("device"), asked.has("changes")];
  window.credential = asked.get("credential");
  const credential = window.credential && (() => window.credential);
  window.playmark = new Playmark({ profile: "ada", servers, device, changes, credential });
  playmark.addEventListener("problem", ({ detail }) => heard.push(["problem", detail]));
  for (const name of ["sent", "changed"]) playmark.addEventListener(name, ({ detail }) => heard.push([name, detail]));
  if (asked.has("attach")) {
    window.session = playmark.attach(video, asked.get("attach"), { incognito: asked.has("incognito") });
    for (const name of ["opened", "resume"]) session.addEventListener(name, ({ detail }) => heard.push([name, detail]));
    // These hear of it after the module.
    video.addEventListener("pause", () => (video.rests = true));
    video.addEventListener("play", () => (video.rests = false));
  }
</script>
"#;

/// What becomes of requests on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Free,
    /// Reports of `fetch` arrive when the way is free again; beacons pass.
    SlowFetch,
    /// Lists of reports and syncs arrive, and are answered when the way is free again.
    SlowAnswer,
    /// Everything arrives, and nobody hears an answer.
    Deaf,
    /// Nothing gets through.
    Cut,
}

/// An answer that the site gives itself, where the node would have given another.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Value,
}

/// A request that came from a page.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) at: Instant,
    pub(super) body: Value,
    /// What the node said to it, once it has.
    pub(super) answer: Value,
}

/// The site.
pub(super) struct Cinema {
    pub(super) address: SocketAddr,
    way: watch::Sender<Way>,
    stage: Arc<Stage>,
}

struct Stage {
    film: Bytes,
    node: Option<SocketAddr>,
    /// How long everything takes on its way to the node.
    far: Duration,
    way: watch::Receiver<Way>,
    /// What is answered next to a request for a path.
    answers: Mutex<Vec<(&'static str, Answer)>>,
    asked: Mutex<Vec<Asked>>,
    /// Requests that wait, and those that have waited and were answered.
    held: AtomicUsize,
    late: AtomicUsize,
}

impl Cinema {
    /// A site that stands between its pages and a node, where one is named.
    pub(super) async fn before(node: Option<SocketAddr>) -> Self {
        Self::far_from(node, Duration::ZERO).await
    }

    /// A site that is so far away from its node.
    pub(super) async fn far_from(node: Option<SocketAddr>, far: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (way, seen) = watch::channel(Way::Free);
        let (answers, asked) = (Mutex::default(), Mutex::default());
        let (held, late) = (0.into(), 0.into());
        let stage = Arc::new(Stage { film: film().await, node, far, way: seen, answers, asked, held, late });
        let router = Router::new()
            .route("/", get(async || Html(PAGE)))
            .route("/elsewhere", get(async || Html("<!doctype html><title>Elsewhere</title>")))
            .route("/example/{node}", get(async |Path(node): Path<String>| Html(example(&node))))
            .route("/example/film.webm", get(show))
            .route("/film.webm", get(show))
            .fallback(pass)
            .with_state(Arc::clone(&stage));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, way, stage }
    }

    /// The address of a page that asks these servers; without any, this site.
    pub(super) fn page(&self, device: &str, attach: Option<&str>, servers: &[SocketAddr]) -> String {
        let servers = if servers.is_empty() { &[self.address] } else { servers };
        let servers: Vec<_> = servers.iter().map(|server| format!("&server=http://{server}")).collect();
        let attach = attach.map(|content| format!("&attach={content}")).unwrap_or_default();
        format!("http://{}/?device={device}{attach}{}", self.address, servers.concat())
    }

    /// The address of a page that plays nothing.
    pub(super) fn elsewhere(&self) -> String {
        format!("http://{}/elsewhere", self.address)
    }

    /// The address of the page that the documentation shows, where it asks this node.
    pub(super) fn example(&self, node: SocketAddr) -> String {
        format!("http://{}/example/{node}", self.address)
    }

    pub(super) fn make(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Answers the next request for a path.
    pub(super) fn answer(&self, path: &'static str, answer: Answer) {
        self.stage.answers.lock().expect("nobody panics here").push((path, answer));
    }

    /// What pages have asked of a path, whatever became of it.
    pub(super) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.stage.asked.lock().expect("nobody panics here");
        asked.iter().filter(|it| it.path == path).cloned().collect()
    }

    pub(super) async fn until_held(&self) {
        until_found(async || (self.stage.held.load(Ordering::SeqCst) > 0).then_some(())).await;
    }

    /// Waits until all requests that were held have been answered by the node.
    pub(super) async fn until_late(&self) {
        let held = || self.stage.held.load(Ordering::SeqCst);
        until_found(async || (self.stage.late.load(Ordering::SeqCst) == held()).then_some(())).await;
    }
}

/// The page that is pasted from the documentation, and its node by another address.
fn example(node: &str) -> String {
    let page = include_str!("../../../docs/SDK.md").split("```html").nth(1).expect("it shows a page");
    let page = page.split("```").next().expect("splitting gives at least one piece");
    assert!(page.contains("127.0.0.1:7080"), "it asks the node as it is served by default");
    page.replace("127.0.0.1:7080", node)
}

/// The film, or a stretch of it: without stretches a browser does not seek.
async fn show(State(stage): State<Arc<Stage>>, headers: HeaderMap) -> Response {
    let length = stage.film.len();
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let (from, to) = asked.and_then(|range| range.split_once('-')).unwrap_or_default();
    let from = from.parse().unwrap_or(0_usize).min(length - 1);
    let to = to.parse().unwrap_or(length - 1).clamp(from, length - 1);
    let said = [
        (header::CONTENT_TYPE, "video/webm".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_RANGE, format!("bytes {from}-{to}/{length}")),
    ];
    (StatusCode::PARTIAL_CONTENT, said, stage.film.slice(from..=to)).into_response()
}

/// Passes a request on to the node, in the state of the way.
async fn pass(State(stage): State<Arc<Stage>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let is_beacon = request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "no-cors");
    let is_module = path.starts_with("/sdk/");
    let Some(node) = stage.node else { return StatusCode::NOT_FOUND.into_response() };
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("the page sends it whole");
    let way = *stage.way.borrow();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_list = said.is_array();
    let asked = Asked { path: path.clone(), at: Instant::now(), body: said, answer: Value::Null };
    let index = stage.note(asked);
    if way == Way::Cut && !is_module {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    if let Some(answer) = stage.answer_to(&path) {
        return answer;
    }
    let is_report = path == "/v1/heartbeats";
    let late = is_report && !is_beacon && way == Way::SlowFetch;
    let slow = (is_list || path == "/v1/sync") && way == Way::SlowAnswer;
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let client = reqwest::Client::new();
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let forward = client.request(parts.method, format!("http://{node}{path}")).headers(headers).body(body);
    // In a task of its own: what the page has sent is on its way, though the page be gone.
    let answered = tokio::spawn(async move {
        tokio::time::sleep(stage.far).await;
        stage.hold(late).await;
        let answer = forward.send().await.expect("the node answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.expect("the answer is whole");
        stage.asked.lock().expect("nobody panics here")[index].answer =
            serde_json::from_slice(&body).unwrap_or_default();
        stage.hold(slow).await;
        if late || slow {
            stage.late.fetch_add(1, Ordering::SeqCst);
        }
        (status, headers, Body::from(body)).into_response()
    });
    let answer = answered.await.expect("it does not panic");
    if way == Way::Deaf && !is_module { StatusCode::BAD_GATEWAY.into_response() } else { answer }
}

impl Stage {
    /// Keeps a request in mind; the place where it is.
    fn note(&self, asked: Asked) -> usize {
        let mut all = self.asked.lock().expect("nobody panics here");
        all.push(asked);
        all.len() - 1
    }

    /// Waits until the way is free.
    async fn hold(&self, is_held: bool) {
        if is_held {
            self.held.fetch_add(1, Ordering::SeqCst);
            let _ = self.way.clone().wait_for(|&way| way == Way::Free).await;
        }
    }

    fn answer_to(&self, path: &str) -> Option<Response> {
        let mut answers = self.answers.lock().expect("nobody panics here");
        let next = answers.iter().position(|(of, _)| *of == path)?;
        let (_, Answer { status, retry_after_s, body }) = answers.remove(next);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static("retry-after, heartbeat-interval-ms");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        headers.extend(retry_after_s.map(|wait_s| (header::RETRY_AFTER, wait_s.into())));
        let status = StatusCode::from_u16(status).expect("a status");
        Some((status, headers, axum::Json(body)).into_response())
    }
}

/// Two minutes of test card, at ten frames a second, so that two cores play it beside all the rest; made once.
async fn film() -> Bytes {
    static FILM: OnceCell<Bytes> = OnceCell::const_new();
    FILM.get_or_init(shoot).await.clone()
}

async fn shoot() -> Bytes {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=96x54:rate=10", "-t", "120"])
        .args(["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "10", "-b:v", "60k"])
        .args(["-cues_to_front", "1", "-f", "webm", "-y"]);
    let home = tempfile::TempDir::new().expect("a directory can be made");
    let file = home.path().join("film.webm");
    let made = ffmpeg.arg(&file).stdin(Stdio::null()).status().await;
    assert!(made.expect("ffmpeg is installed (Debian's package ffmpeg)").success());
    std::fs::read(file).expect("it was made").into()
}
