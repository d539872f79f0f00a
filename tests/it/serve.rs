//! `playmark serve` as a process: what it answers, and what it keeps when it is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::{Client, Response, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;

#[tokio::test]
async fn a_place_is_answered_with_a_tag_that_changes_with_it_and_a_token() {
    let home = TempDir::new().expect("a directory can be made");
    let node = Node::serve(home.path());
    let opened = node.open("metropolis").await;
    let beat = node.beat(&report(&opened, 1, 61_000, "playing")).await;
    assert_eq!(beat.status(), StatusCode::NO_CONTENT);
    let first = node.place("metropolis", None).await;
    let tag = first.headers()[header::ETAG].clone();
    let point: Value = first.json().await.expect("it is JSON");
    assert_eq!(point["position_ms"], 61_000);
    assert!(point["token"].is_string());

    let same = node.place("metropolis", tag.to_str().ok()).await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    assert!(same.headers().contains_key("token"), "a 304 carries its token in a header");
    node.beat(&report(&opened, 2, 62_000, "playing")).await;
    assert_eq!(node.place("metropolis", tag.to_str().ok()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn late_and_repeated_reports_change_nothing() {
    let home = TempDir::new().expect("a directory can be made");
    let node = Node::serve(home.path());
    let opened = node.open("metropolis").await;
    for seq in [11, 10, 11, 3, 11] {
        node.beat(&report(&opened, seq, u64::from(seq) * 10_000, "playing")).await;
    }
    assert_eq!(node.position("metropolis").await, Some(110_000));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_as_a_problem() {
    let home = TempDir::new().expect("a directory can be made");
    let node = Node::serve(home.path());
    let opened = node.open("metropolis").await;
    let mut wild = report(&opened, 1, 1_000, "playing");
    wild["sent_elapsed_ms"] = json!(3_600_000);
    let mut others = report(&opened, 1, 1_000, "playing");
    others["content"] = json!("nosferatu");
    let cases = [
        ("{".to_owned(), 400, "not-json"),
        (json!({ "profile": "ada" }).to_string(), 422, "invalid"),
        (
            json!({ "profile": "", "content": "x", "position_ms": 1, "event": "playing" }).to_string(),
            422,
            "invalid",
        ),
        (
            json!({ "token": "none", "seq": 1, "elapsed_ms": 1, "position_ms": 1, "event": "playing" })
                .to_string(),
            401,
            "bad-token",
        ),
        (wild.to_string(), 409, "clock-runs-wild"),
        (others.to_string(), 422, "not-the-tokens"),
        (" ".repeat(65 * 1024), 413, "body-too-large"),
    ];
    for (body, status, kind) in cases {
        let shown = body.trim().chars().take(60).collect::<String>();
        let answer = node.post("/v1/heartbeats", body).await;
        assert_eq!(answer.status().as_u16(), status, "{shown}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json", "{shown}");
        let problem: Value = answer.json().await.expect("it is JSON");
        let name = problem["type"].as_str().and_then(|it| it.rsplit('#').next()).map(str::to_owned);
        assert_eq!(name.as_deref(), Some(kind), "{shown}: {problem}");
        assert!(problem["detail"].is_string(), "{problem}");
    }
    assert_eq!(node.place("metropolis", None).await.status(), StatusCode::NOT_FOUND, "nothing was stored");
}

#[tokio::test]
async fn a_batch_refuses_what_is_wrong_and_takes_the_rest() {
    let home = TempDir::new().expect("a directory can be made");
    let node = Node::serve(home.path());
    let opened = node.open("metropolis").await;
    let lines = [
        report(&opened, 1, 1_000, "playing"),
        json!({ "position_ms": 5 }),
        report(&opened, 2, 2_000, "paused"),
    ];
    let body = lines.map(|line| line.to_string()).join("\n");
    let answer = node.post("/v1/heartbeats", body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.expect("it is JSON");
    let results: Vec<_> =
        answer["results"].as_array().expect("a list").iter().map(|it| it["result"].clone()).collect();
    assert_eq!(results[1], "refused");
    assert!(answer["results"][1]["problem"].is_object(), "{answer}");
    assert_eq!(node.position("metropolis").await, Some(2_000));
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_node_is_killed() {
    let home = TempDir::new().expect("a directory can be made");
    for round in 0..5u64 {
        let node = Node::serve(home.path());
        let content = format!("film {round}");
        let opened = node.open(&content).await;
        let mut acknowledged = 0;
        for seq in 1..=(10 + round * 7) {
            let position = seq * 1_000;
            let seq = u32::try_from(seq).expect("a small number");
            assert!(node.beat(&report(&opened, seq, position, "playing")).await.status().is_success());
            acknowledged = position;
        }
        drop(node); // SIGKILL, right after the last answer
        let again = Node::serve(home.path());
        assert_eq!(again.position(&content).await, Some(acknowledged), "round {round}");
        let earlier = again.position("film 0").await;
        assert_eq!(earlier, Some(10_000), "round {round}");
    }
}

#[tokio::test]
async fn a_node_that_is_asked_to_leave_ends_in_order_and_keeps_everything() {
    let home = TempDir::new().expect("a directory can be made");
    let mut node = Node::serve(home.path());
    let opened = node.open("metropolis").await;
    node.beat(&report(&opened, 1, 61_000, "playing")).await;
    let pid = node.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("there is a kill").success());
    let ended = node.process.wait().expect("it was started here");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(Node::serve(home.path()).position("metropolis").await, Some(61_000));
}

#[test]
fn a_wrong_configuration_names_its_key_and_the_fix() {
    let cases = [
        ("[http]\nlisten = \"0.0.0.0:7080\"", "http.listen", "loopback"),
        ("regoin = \"eu\"", "regoin", "did you mean region"),
        ("[playback]\nengaged_ms = 5", "playback.engaged_ms", "3000"),
        ("[replication]", "replication.ca", "certs"),
    ];
    let home = TempDir::new().expect("a directory can be made");
    let file = home.path().join("playmark.toml");
    for (text, key, fix) in cases {
        std::fs::write(&file, text).expect("a file can be written");
        let mut serve = Command::new(env!("CARGO_BIN_EXE_playmark"));
        let output = serve.arg("serve").arg("--config").arg(&file).output().expect("it can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(said.lines().any(|line| line.contains(key) && line.contains(fix)), "{text}: {said}");
    }
}

/// A node on its own; dropped, it is killed without a goodbye.
struct Node {
    process: Child,
    url: String,
    client: Client,
}

impl Node {
    fn serve(home: &Path) -> Self {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_playmark"));
        serve.args(["serve", "--http-listen", "127.0.0.1:0", "--data"]).arg(home.join("data"));
        let mut process = serve.stdout(Stdio::piped()).spawn().expect("it can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let address = lines.find_map(|line| {
            let line = line.expect("it is text");
            line.strip_prefix("http listens on ").map(str::to_owned)
        });
        let url = format!("http://{}", address.expect("it says where it listens before it ends"));
        Self { process, url, client: Client::new() }
    }

    async fn post(&self, path: &str, body: String) -> Response {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header(header::CONTENT_TYPE, "text/plain").body(body);
        request.send().await.expect("the node answers")
    }

    async fn open(&self, content: &str) -> Value {
        let body = json!({ "profile": "ada", "content": content, "device": "TV" });
        let request = self.client.post(format!("{}/v1/sessions", self.url)).json(&body);
        let answer = request.send().await.expect("the node answers");
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.expect("it is JSON")
    }

    async fn beat(&self, report: &Value) -> Response {
        self.post("/v1/heartbeats", report.to_string()).await
    }

    async fn place(&self, content: &str, tag: Option<&str>) -> Response {
        let content = content.replace(' ', "%20");
        let mut request = self.client.get(format!("{}/v1/profiles/ada/resume-points/{content}", self.url));
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        request.send().await.expect("the node answers")
    }

    async fn position(&self, content: &str) -> Option<u64> {
        let point: Value = self.place(content, None).await.json().await.expect("it is JSON");
        point["position_ms"].as_u64()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself, which is what some tests are about.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A report of a session that has played all the while; its elapsed time is within what the node allows.
fn report(opened: &Value, seq: u32, position_ms: u64, event: &str) -> Value {
    json!({
        "token": opened["token"], "seq": seq, "elapsed_ms": seq, "sent_elapsed_ms": seq,
        "position_ms": position_ms, "event": event, "played_ms": 4_000,
    })
}
