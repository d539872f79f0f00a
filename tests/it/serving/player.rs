//! What a player says to a node, and hears from it.

use std::net::SocketAddr;

use reqwest::{
    Body, Client, Response, StatusCode,
    header::{self, HeaderName},
};
use serde_json::{Value, json};

use crate::patience::{until_found, within};

/// Where a node is talked to; a clone shares its connections.
#[derive(Clone)]
pub(crate) struct Player {
    pub(crate) address: SocketAddr,
    client: Client,
}

impl Player {
    pub(super) fn of(address: SocketAddr) -> Self {
        Self { address, client: Client::new() }
    }

    /// The same with this credential.
    pub(crate) fn holding(&self, credential: &str) -> Self {
        self.showing(&format!("Bearer {credential}"))
    }

    /// The same with this in the header that says who asks.
    pub(crate) fn showing(&self, authorization: &str) -> Self {
        let value = authorization.parse().expect("a header's value");
        let client =
            Client::builder().default_headers([(header::AUTHORIZATION, value)].into_iter().collect());
        Self { address: self.address, client: client.build().expect("a client") }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        within(self.client.get(self.url(path)).send()).await.expect("the node answers")
    }

    pub(crate) async fn get_with(&self, path: &str, header: &str, value: &str) -> Response {
        let request = self.client.get(self.url(path)).header(header, value);
        within(request.send()).await.expect("the node answers")
    }

    /// Posts a body of some type; `None` where the node is gone.
    pub(crate) async fn try_post(&self, path: &str, kind: &str, body: impl Into<Body>) -> Option<Response> {
        let request = self.client.post(self.url(path)).header(header::CONTENT_TYPE, kind).body(body);
        within(request.send()).await.ok()
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: impl Into<Body>) -> Response {
        self.try_post(path, kind, body).await.expect("the node answers")
    }

    /// Puts a JSON body, with whatever headers.
    pub(crate) async fn put(&self, path: &str, headers: &[(HeaderName, &str)], body: &Value) -> Response {
        let request = self.client.put(self.url(path)).header(header::CONTENT_TYPE, "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        within(request.body(body.to_string()).send()).await.expect("the node answers")
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        within(self.client.delete(self.url(path)).send()).await.expect("the node answers")
    }

    /// Opens a session of Ada's.
    pub(crate) async fn open(&self, content: &str) -> Value {
        let body = json!({ "profile": "ada", "content": content, "device": "TV" });
        let answer = self.post("/v1/sessions", "application/json", body.to_string()).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.expect("it is JSON")
    }

    pub(crate) async fn beat(&self, report: &Value) -> Response {
        self.post("/v1/heartbeats", "application/json", report.to_string()).await
    }

    /// Reports, and returns the dot of the acknowledgement.
    pub(crate) async fn stored(&self, report: &Value) -> String {
        let answer = self.beat(report).await;
        let (status, dot) = (answer.status(), answer.headers().get("dot").cloned());
        assert!(status.is_success(), "{report}: {status} {}", answer.text().await.expect("it is text"));
        dot.expect("an acknowledgement names its dot").to_str().expect("it is ASCII").to_owned()
    }

    /// Asks where Ada is in a title.
    pub(crate) async fn place(&self, content: &str) -> Response {
        self.get(&route_of("ada", content)).await
    }

    pub(crate) async fn place_unless(&self, content: &str, tags: &str) -> Response {
        let request = self.client.get(self.url(&route_of("ada", content)));
        within(request.header(header::IF_NONE_MATCH, tags).send()).await.expect("the node answers")
    }

    /// Asks for a path where another answer than the tagged one is news, for which the node may wait.
    pub(crate) async fn news(&self, path: &str, tag: &str, prefer: &str) -> Response {
        let request = self.client.get(self.url(path)).header(header::IF_NONE_MATCH, tag);
        within(request.header("prefer", prefer).send()).await.expect("the node answers")
    }

    /// Asks for a path under Ada's profile, and reads the answer.
    pub(crate) async fn of_ada(&self, path: &str) -> Value {
        let answer = self.get(&format!("/v1/profiles/ada/{path}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.expect("it is JSON")
    }

    pub(crate) async fn point(&self, content: &str) -> Value {
        self.place(content).await.json().await.expect("it is JSON")
    }

    pub(crate) async fn position(&self, content: &str) -> Option<u64> {
        self.point(content).await["position_ms"].as_u64()
    }

    /// Waits until the node serves.
    pub(crate) async fn until_ready(&self) {
        until_found(async || self.get("/readyz").await.status().is_success().then_some(())).await;
    }

    pub(crate) async fn status(&self) -> Value {
        self.get("/v1/admin/status").await.json().await.expect("it is JSON")
    }

    /// Fails unless the node serves and no life of it has ever written anything.
    pub(crate) async fn assert_untouched(&self, after: &str) {
        assert_eq!(self.get("/readyz").await.status(), StatusCode::OK, "after {after}");
        let status = self.status().await;
        assert_eq!(status["vector"], json!([]), "after {after}");
        assert_eq!(status["heartbeats_total"], 0, "after {after}");
    }
}

/// The path at which a resume point is asked for.
pub(crate) fn route_of(profile: &str, content: &str) -> String {
    route_to("resume-points", profile, content)
}

/// The path at which something of a title is: each id is percent-encoded whole.
pub(crate) fn route_to(what: &str, profile: &str, content: &str) -> String {
    let encoded = |id: &str| {
        id.bytes().fold(String::new(), |text, byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                text + char::from(byte).encode_utf8(&mut [0])
            }
            _ => text + &format!("%{byte:02X}"),
        })
    };
    format!("/v1/profiles/{}/{what}/{}", encoded(profile), encoded(content))
}

/// A report of a session that has played all the while; its elapsed time is within what the node allows.
pub(crate) fn report(opened: &Value, seq: u32, position_ms: u64, event: &str) -> Value {
    json!({
        "token": opened["token"], "seq": seq, "elapsed_ms": seq, "sent_elapsed_ms": seq,
        "position_ms": position_ms, "event": event, "played_ms": 4_000,
    })
}

/// A report without a token, as simple as one can be that has played.
pub(crate) fn anonymous(content: &str, position_ms: u64, event: &str) -> Value {
    let mut report = ids("ada", content);
    report["position_ms"] = json!(position_ms);
    report["event"] = json!(event);
    report["played_ms"] = json!(4_000);
    report
}

/// Who watches what, and nothing else.
pub(crate) fn ids(profile: &str, content: &str) -> Value {
    json!({ "profile": profile, "content": content })
}
