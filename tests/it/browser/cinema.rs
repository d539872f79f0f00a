//! A site with one film, on whose way to a node everything can be made to go wrong.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, process::Command, sync::watch};

use crate::patience::until_found;

/// What a page of the site does: `servers` are asked, and `attach` is a title to follow.
const PAGE: &str = r#"<!doctype html><title>Cinema</title>
<video id="video" src="/film.webm" muted></video>
<script type="module">
  const asked = new URLSearchParams(location.search);
  const servers = asked.getAll("server");
  window.heard = [];
  const { Playmark } = await import(`${servers[0]}/sdk/playmark.js`);
  window.playmark = new Playmark({ profile: "ada", servers, device: asked.get("device") });
  playmark.addEventListener("problem", ({ detail }) => heard.push(["problem", detail]));
  playmark.addEventListener("sent", ({ detail }) => heard.push(["sent", detail]));
  if (asked.has("attach")) {
    window.session = playmark.attach(video, asked.get("attach"));
    for (const name of ["opened", "resume"]) session.addEventListener(name, ({ detail }) => heard.push([name, detail]));
  }
</script>
"#;

/// What becomes of reports on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Free,
    /// Those of `fetch` arrive when the way is free again; beacons pass.
    SlowFetch,
    /// Nothing gets through.
    Cut,
}

/// The site.
pub(super) struct Cinema {
    address: SocketAddr,
    way: watch::Sender<Way>,
    stage: Arc<Stage>,
}

struct Stage {
    film: Bytes,
    node: Option<SocketAddr>,
    way: watch::Receiver<Way>,
    /// Reports that wait, and those that have waited and were answered.
    held: AtomicUsize,
    late: AtomicUsize,
}

impl Cinema {
    /// A site that stands between its pages and a node, where one is named.
    pub(super) async fn before(node: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (way, seen) = watch::channel(Way::Free);
        let stage = Stage { film: film().await, node, way: seen, held: 0.into(), late: 0.into() };
        let stage = Arc::new(stage);
        let router = Router::new()
            .route("/", get(async || Html(PAGE)))
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

    /// The address of the page that the documentation shows, where it asks this node.
    pub(super) fn example(&self, node: SocketAddr) -> String {
        format!("http://{}/example/{node}", self.address)
    }

    pub(super) fn make(&self, way: Way) {
        self.way.send_replace(way);
    }

    pub(super) async fn until_held(&self) {
        until_found(async || (self.stage.held.load(Ordering::SeqCst) > 0).then_some(())).await;
    }

    /// Waits until all reports that were held have been answered by the node.
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
    let is_report = request.uri().path() == "/v1/heartbeats";
    let is_beacon = request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "no-cors");
    let is_module = request.uri().path().starts_with("/sdk/");
    let Some(node) = stage.node else { return StatusCode::NOT_FOUND.into_response() };
    let way = *stage.way.borrow();
    if way == Way::Cut && !is_module {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let held = way == Way::SlowFetch && is_report && !is_beacon;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("the page sends it whole");
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let client = reqwest::Client::new();
    let forward = client.request(parts.method, format!("http://{node}{path}")).body(body);
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    let forward = kind.into_iter().fold(forward, |forward, kind| forward.header(header::CONTENT_TYPE, kind));
    // In a task of its own: what the page has sent is on its way, though the page be gone.
    let answered = tokio::spawn(async move {
        if held {
            stage.held.fetch_add(1, Ordering::SeqCst);
            let _ = stage.way.clone().wait_for(|&way| way == Way::Free).await;
        }
        let answer = forward.send().await.expect("the node answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.expect("the answer is whole");
        if held {
            stage.late.fetch_add(1, Ordering::SeqCst);
        }
        (status, headers, Body::from(body)).into_response()
    });
    answered.await.expect("it does not panic")
}

/// Two minutes of test card, at ten frames a second, so that two cores play it beside all the rest.
async fn film() -> Bytes {
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
