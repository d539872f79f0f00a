//! The console's address as browsers and others find it, with somebody who obeys and a node that has a page.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    routing::get,
};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::{
    orders::{Desk, ORDERS_AT_ONCE},
    page::Page,
    server::{router, serve},
    stream::{Gallery, WATCHERS_MAX},
};
use crate::{
    api::Api,
    control::{Obey, Order, Outcome, Say},
};

/// Obeys, and remembers what.
struct Butler {
    obeyed: Mutex<Vec<String>>,
    /// An order takes one of them.
    free: Semaphore,
}

impl Obey for Butler {
    async fn obey(&self, order: Order, say: &Say) -> Outcome {
        self.free.acquire().await.expect("it is never closed").forget();
        self.obeyed.lock().expect("nobody panics here").push(serde_json::to_string(&order).expect("text"));
        say.line("certainly").await;
        say.line("it is done").await;
        Outcome::Done
    }
}

/// A console at an address of its own.
struct World {
    address: SocketAddr,
    http: Client,
    butler: Arc<Butler>,
    drawn: watch::Sender<Option<Arc<str>>>,
    tasks: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        Self::with_page_of(Vec::new()).await
    }

    async fn with_page_of(nodes: Vec<String>) -> Self {
        let butler = Arc::new(Butler { obeyed: Mutex::default(), free: Semaphore::new(100) });
        let (drawn, latest) = watch::channel(Some("{\"at_ms\":1}".into()));
        let api = Api::default();
        let router = router(Gallery::new(latest), Page::of(api, nodes), Desk::new(Arc::clone(&butler)));
        let mut tasks = JoinSet::new();
        let address = at_a_free_port(&mut tasks, router).await;
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        Self { address, http, butler, drawn, tasks }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("http://{}{path}", self.address))
    }

    /// An order as the console's page gives it.
    fn order(&self, body: &'static str) -> RequestBuilder {
        let request = self.http.post(format!("http://{}/lab/orders", self.address));
        request.header(header::CONTENT_TYPE, "application/json").body(body)
    }

    fn obeyed(&self) -> Vec<String> {
        self.butler.obeyed.lock().expect("nobody panics here").clone()
    }
}

async fn at_a_free_port(tasks: &mut JoinSet<()>, router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tasks.spawn(async move { serve(&listener, router).await });
    address
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("it answers")
}

/// The next event of a stream.
async fn event(stream: &mut Response) -> String {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let piece = stream.chunk().await.expect("it goes on").expect("it does not end");
        text.push_str(str::from_utf8(&piece).expect("it is text"));
    }
    text
}

const CHECK: &str = "\"check\"";

#[tokio::test]
async fn whoever_comes_to_the_address_is_led_to_the_page() {
    let world = World::new().await;
    let answer = sent(world.get("/")).await;
    assert!(answer.status().is_redirection());
    assert_eq!(answer.headers()[header::LOCATION], "/console");
    assert_eq!(sent(world.get("/elsewhere")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn by_a_name_that_is_not_this_machines_own_nothing_is_found() {
    let world = World::new().await;
    let port = world.address.port();
    for stranger in
        ["playmark.example", "127.0.0.1.playmark.example", "localhost.example:80", "192.0.2.1", "", "["]
    {
        let at = |request: RequestBuilder| request.header(header::HOST, stranger);
        for request in
            [world.get("/"), world.get("/v1/admin/picture"), world.get("/console"), world.order(CHECK)]
        {
            let answer = sent(at(request)).await;
            // What is no name at all is no request.
            let refused = [StatusCode::MISDIRECTED_REQUEST, StatusCode::BAD_REQUEST];
            assert!(refused.contains(&answer.status()), "{stranger}: {answer:?}");
        }
    }
    assert_eq!(world.obeyed().len(), 0);
    for own in [format!("localhost:{port}"), "127.0.0.1".to_owned(), format!("[::1]:{port}")] {
        let answer = sent(world.get("/v1/admin/picture").header(header::HOST, &own)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{own}");
    }
}

#[tokio::test]
async fn no_page_but_the_consoles_own_gives_orders() {
    let world = World::new().await;
    let (own, port) = (format!("http://{}", world.address), world.address.port());
    let strangers = [
        "https://playmark.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        &format!("https://127.0.0.1:{port}"),
    ];
    for stranger in strangers {
        let answer = sent(world.order(CHECK).header(header::ORIGIN, stranger)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{stranger}");
    }
    // The other name of this machine is another origin, unless it is the one that was asked for.
    let other = format!("http://localhost:{port}");
    let answer = sent(world.order(CHECK).header(header::ORIGIN, &other)).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(world.obeyed().len(), 0);

    let by_other = world.order(CHECK).header(header::HOST, format!("localhost:{port}"));
    for own in [
        world.order(CHECK),
        world.order(CHECK).header(header::ORIGIN, own),
        by_other.header(header::ORIGIN, other),
    ] {
        assert_eq!(sent(own).await.status(), StatusCode::OK);
    }
    assert_eq!(world.obeyed(), [CHECK; 3]);
}

#[tokio::test]
async fn what_a_form_can_send_is_no_order_and_who_asks_whether_one_may_is_not_answered() {
    let world = World::new().await;
    let url = format!("http://{}/lab/orders", world.address);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "text/plain; a=application/json", ""] {
        let request = world.http.post(&url).header(header::CONTENT_TYPE, kind).body(CHECK);
        assert_eq!(sent(request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    assert_eq!(sent(world.http.post(&url).body(CHECK)).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.obeyed().len(), 0);

    let asked =
        world.http.request(reqwest::Method::OPTIONS, &url).header(header::ORIGIN, "https://playmark.example");
    let answer = sent(asked.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")).await;
    assert!(!answer.status().is_success());
    assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn no_page_shows_the_console_as_a_part_of_itself() {
    let world = World::new().await;
    for path in ["/", "/v1/admin/picture", "/elsewhere"] {
        let answer = sent(world.get(path)).await;
        assert_eq!(answer.headers()[header::X_FRAME_OPTIONS], "DENY", "{path}");
    }
}

#[tokio::test]
async fn an_order_is_answered_line_by_line() {
    let world = World::new().await;
    let order = r#"{"cut":{"from":"eu","to":"us","one_way":false}}"#;
    let answer = sent(world.order(order)).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let lines = answer.text().await.expect("it ends");
    assert_eq!(lines, "{\"said\":\"certainly\"}\n{\"said\":\"it is done\"}\n{\"ended\":\"done\"}\n");
    assert_eq!(world.obeyed(), [order]);
}

#[tokio::test]
async fn what_is_no_order_is_said_to_be_none() {
    let world = World::new().await;
    for body in ["", "{}", "\"dance\"", "{\"cut\":{\"from\":\"eu\"}}"] {
        let answer = sent(world.order(body)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        let said = answer.text().await.expect("it ends");
        assert!(said.starts_with("no order: ") && said.lines().count() == 1, "{said}");
    }
    let long: &'static str = Box::leak(" ".repeat(5_000).into_boxed_str());
    assert_eq!(sent(world.order(long)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.obeyed().len(), 0);
}

#[tokio::test]
async fn so_many_orders_are_under_way_and_no_more() {
    let world = World::new().await;
    world.butler.free.forget_permits(100);
    let mut under_way = Vec::new();
    for _ in 0..ORDERS_AT_ONCE {
        under_way.push(sent(world.order(CHECK)).await);
    }
    assert_eq!(sent(world.order(CHECK)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.butler.free.add_permits(100);
    for answer in under_way {
        assert!(answer.text().await.expect("it ends").ends_with("{\"ended\":\"done\"}\n"));
    }
    assert_eq!(sent(world.order(CHECK)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_watches_is_shown_what_there_is_and_then_what_follows() {
    let world = World::new().await;
    let mut stream = sent(world.get("/v1/admin/picture/events")).await;
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(event(&mut stream).await, "event: picture\ndata: {\"at_ms\":1}\n\n");
    world.drawn.send_replace(Some("{\"at_ms\":2}".into()));
    assert_eq!(event(&mut stream).await, "event: picture\ndata: {\"at_ms\":2}\n\n");
    assert_eq!(sent(world.get("/v1/admin/picture")).await.text().await.expect("it ends"), "{\"at_ms\":2}");
}

#[tokio::test]
async fn so_many_watch_and_whoever_comes_beyond_comes_again() {
    let world = World::new().await;
    let mut watching = Vec::new();
    for _ in 0..WATCHERS_MAX {
        watching.push(sent(world.get("/v1/admin/picture/events")).await);
    }
    let answer = sent(world.get("/v1/admin/picture/events")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    // All others go on being answered.
    assert_eq!(sent(world.get("/v1/admin/picture")).await.status(), StatusCode::OK);

    watching.pop();
    // That one has left is noticed when it is shown something.
    for at in 2.. {
        world.drawn.send_replace(Some(format!("{{\"at_ms\":{at}}}").into()));
        if sent(world.get("/v1/admin/picture/events")).await.status() == StatusCode::OK {
            break;
        }
        assert!(at < 1_000, "it never left");
    }
}

#[tokio::test]
async fn the_page_is_a_nodes_and_stays_when_its_node_is_gone() {
    let kind = [
        (header::CONTENT_TYPE, HeaderValue::from_static("video/webm")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'")),
    ];
    let node = Router::new()
        .route("/console", get(async || "the page"))
        .route("/console/film", get(async || (kind, "0123456789")));
    let mut tasks = JoinSet::new();
    let (gone, there) =
        (at_a_free_port(&mut tasks, Router::new()).await, at_a_free_port(&mut tasks, node).await);
    let nodes = [gone, there].map(|node| format!("http://{node}")).to_vec();
    let mut world = World::with_page_of(nodes).await;
    assert_eq!(sent(world.get("/console")).await.text().await.expect("it ends"), "the page");
    let film = sent(world.get("/console/film")).await;
    assert_eq!(film.headers()[header::CONTENT_TYPE], "video/webm");
    assert_eq!(film.headers()[header::CONTENT_SECURITY_POLICY], "default-src 'self'");
    assert_eq!(sent(world.get("/console/none")).await.status(), StatusCode::NOT_FOUND);

    tasks.shutdown().await;
    assert_eq!(sent(world.get("/console")).await.text().await.expect("it ends"), "the page");
    let part = sent(world.get("/console/film").header(header::RANGE, "bytes=2-4")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
    assert_eq!(part.text().await.expect("it ends"), "234");
    assert_eq!(sent(world.get("/console/none")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.tasks.shutdown().await;
}
