//! The console's address, and what is found there.

use std::{
    convert::Infallible,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    middleware,
    response::Redirect,
    routing::{get, post},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tower_service::Service;

use super::{
    Said, guard,
    look::{look, wall_ms},
    orders::{self, Desk},
    page::{self, Page},
    painter::Painter,
    picture::LabPicture,
    stream::{self, Gallery, WATCHERS_MAX},
};
use crate::{
    control::{ORDER_BYTES_MAX, Obey},
    lab::Lab,
    viewers::Figures,
};

/// How often a picture is drawn. An order that says something has one drawn at once.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// Connections that are open at a time: every watcher has one, and as many are for all else. Whoever comes beyond waits in
/// the system's queue until another leaves.
const CONNECTIONS_MAX: usize = 2 * WATCHERS_MAX;

/// How long a head may take to come, and how long a connection may stand idle.
const HEAD_WITHIN: Duration = Duration::from_mins(1);

/// The file in the state directory that says where the console is.
const FILE: &str = "console.url";

/// What is shown, and who obeys.
pub trait Scene: Obey {
    /// What runs.
    fn lab(&self) -> &Lab;
    /// The name by which its topology was asked for.
    fn topology(&self) -> &str;
    /// What the viewers see, where there are any.
    fn figures(&self) -> Option<Figures>;
    /// What orders said.
    fn said(&self) -> &Said;
}

/// The console's address on this machine. The file that names it is removed when dropped.
#[derive(Debug)]
pub struct Web {
    listener: TcpListener,
    port: u16,
    file: PathBuf,
}

impl Web {
    /// Takes a free port, and leaves word of it in the state directory. Whoever comes waits until [`run`](Self::run).
    pub async fn open(dir: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a port for the console")?;
        let port = listener.local_addr()?.port();
        let web = Self { listener, port, file: dir.join(FILE) };
        fs::write(&web.file, web.url() + "\n").with_context(|| web.file.display().to_string())?;
        Ok(web)
    }

    /// Where a browser finds the page.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/console", self.port)
    }

    /// What a browser calls the page's origin, by either name of this machine.
    pub fn origins(&self) -> [String; 2] {
        ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{}", self.port))
    }

    /// Draws and serves, for ever.
    pub async fn run<S: Scene>(&self, scene: Arc<S>) {
        let (drawn, latest) = watch::channel(None);
        let lab = scene.lab();
        let nodes = lab.nodes().iter().map(|(name, _)| lab.node_url(name)).collect();
        let page = Page::of(lab.api().clone(), nodes);
        let router = router(Gallery::new(latest), page, Desk::new(Arc::clone(&scene)));
        tokio::join!(draw(&*scene, drawn), serve(&self.listener, router));
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // The next start writes another in its place.
        let _ = fs::remove_file(&self.file);
    }
}

async fn draw(scene: &impl Scene, drawn: watch::Sender<Option<Arc<str>>>) {
    let lab = scene.lab();
    let mut painter = Painter::new(&lab.topology().cluster, wall_ms());
    let mut ticks = interval(DRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = scene.said().news() => {}
        }
        let seen = look(lab).await;
        let told = LabPicture { topology: scene.topology().to_owned(), said: scene.said().lines() };
        let picture = painter.draw(seen, scene.figures(), told);
        let text = serde_json::to_string(&picture).expect("a picture is made of tables, text and numbers");
        drawn.send_replace(Some(text.into()));
    }
}

/// What is found at the address.
pub(super) fn router<O: Obey>(gallery: Gallery, page: Page, desk: Desk<O>) -> Router {
    let orders_bytes_max = usize::try_from(ORDER_BYTES_MAX).expect("an order is a word and two names");
    Router::new()
        .route("/", get(async || Redirect::to("/console")))
        .route("/v1/admin/picture", get(stream::one))
        .route("/v1/admin/picture/events", get(stream::all))
        .with_state(gallery)
        .merge(
            Router::new()
                .route("/console", get(page::show))
                .route("/console/{*file}", get(page::show))
                .route("/sdk/{*file}", get(page::show))
                .with_state(page),
        )
        .merge(
            Router::new()
                .route("/lab/orders", post(orders::take::<O>))
                .layer(DefaultBodyLimit::max(orders_bytes_max))
                .with_state(desk),
        )
        .layer(middleware::from_fn(guard::stand))
}

/// Serves whoever connects, for ever.
pub(super) async fn serve(listener: &TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
            continue;
        }
        tokio::select! {
            Some(_) = connections.join_next() => {}
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(answer(stream, router.clone()));
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    // Pictures are small and each is awaited.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let Ok(response) = router.call(request.map(Body::new)).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    // It fails where the other side has gone or speaks no HTTP, and there is nobody to tell.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
