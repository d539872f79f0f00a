//! Who is let in: keys, bearer tokens, and what each allows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    patience::{until_found, within},
    serving::{
        Issuer, Line, Node, Player, Published, Serve, ada, anonymous, ids, kind_of, problem, report,
        route_of, route_to, split,
    },
};

/// Keys that `playmark keys new` made, and the file that they are in.
pub(super) struct Keys {
    pub(super) file: PathBuf,
}

impl Keys {
    pub(super) fn none(home: &Path) -> Self {
        let file = home.join("keys.toml");
        fs::write(&file, "").expect("a file can be written");
        Self { file }
    }

    /// Makes a key, as an operator does, and adds it.
    pub(super) async fn make(&self, name: &str, scopes: &[&str], profiles: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
        command.args(["keys", "new", "--name", name]);
        command.args(scopes.iter().flat_map(|scope| ["--scope", scope]));
        command.args(profiles.iter().flat_map(|profile| ["--profile", profile]));
        let output = within(command.output()).await.expect("it can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("it is text");
        let (key, lines) = said.split_once('\n').expect("a line with the key");
        let before = fs::read_to_string(&self.file).expect("it is there");
        fs::write(&self.file, before + lines).expect("a file can be written");
        key.to_owned()
    }

    pub(super) async fn serve(&self, home: &Path) -> Node {
        Serve::at(home).with("--auth-keys-file", &self.file).start().await
    }
}

/// A node that takes tokens of this issuer, by its public keys in a file.
async fn with_jwks(home: &Path, keys: &Value) -> (Node, PathBuf) {
    let file = home.join("jwks.json");
    fs::write(&file, keys.to_string()).expect("a file can be written");
    (Serve::at(home).with("--auth-jwks-file", &file).start().await, file)
}

async fn open(player: &Player, profile: &str) -> reqwest::Response {
    player.post("/v1/sessions", "application/json", ids(profile, "metropolis").to_string()).await
}

#[tokio::test]
async fn nobody_is_let_in_without_saying_who_they_are_except_to_ask_whether_the_node_lives() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let key = keys.make("gateway", &["play", "read", "write", "events", "admin"], &["*"]).await;
    let node = keys.serve(home.path()).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(node.get(path).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/v1/admin/status", &route_of("ada", "metropolis")] {
        let answer = node.get(path).await;
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"playmark\"", "{path}");
        problem(answer, 401, "unauthenticated", path).await;
    }
    problem(open(&node, "ada").await, 401, "unauthenticated", "a session").await;
    problem(node.beat(&anonymous("metropolis", 1, "playing")).await, 401, "unauthenticated", "a report")
        .await;

    let wrong = [
        format!("Bearer {}A", &key[..key.len() - 1]),
        format!("Bearer {}", key.to_uppercase()),
        format!("Basic {key}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer a.b.c".to_owned(),
        key.clone(),
    ];
    for value in wrong.iter().filter(|value| **value != format!("Bearer {key}")) {
        let answer = node.showing(value).get("/v1/admin/status").await;
        let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str().expect("it is ASCII").to_owned();
        assert!(challenge.contains("invalid_token"), "{value}: {challenge}");
        problem(answer, 401, "bad-credential", value).await;
    }
    for value in [format!("Bearer {key}"), format!("bearer   {key} ")] {
        assert_eq!(node.showing(&value).get("/v1/admin/status").await.status(), StatusCode::OK, "{value}");
    }
    assert_eq!(node.showing(&wrong[0]).get("/no/such/path").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_allows_its_scopes_for_its_profiles_and_nothing_else() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let all = keys.make("all", &["play", "admin"], &["*"]).await;
    let ada = keys.make("ada", &["play"], &["ada"]).await;
    let reader = keys.make("reader", &["read"], &["ada"]).await;
    let admin = keys.make("admin", &["admin"], &[]).await;
    let node = keys.serve(home.path()).await;
    let [all, ada, reader, admin] = [all, ada, reader, admin].map(|key| node.holding(&key));

    for (player, profile, status, kind) in [
        (&all, "eve", 201, ""),
        (&ada, "ada", 201, ""),
        (&ada, "eve", 403, "not-your-profile"),
        (&reader, "ada", 403, "no-scope"),
        (&admin, "ada", 403, "no-scope"),
    ] {
        let answer = open(player, profile).await;
        if kind.is_empty() {
            assert_eq!(answer.status(), status);
        } else {
            problem(answer, status, kind, profile).await;
        }
    }
    problem(ada.get(&route_of("eve", "metropolis")).await, 403, "not-your-profile", "another's").await;
    problem(ada.get(&route_of("ad%61", "x")).await, 403, "not-your-profile", "an encoded id is decoded once")
        .await;
    problem(ada.get("/v1/profiles/%61da/resume-points/x").await, 404, "no-resume-point", "her own").await;
    problem(admin.get(&route_of("ada", "metropolis")).await, 403, "no-scope", "an operator").await;
    let status = ada.get("/v1/admin/status").await;
    assert!(
        status.headers()[header::WWW_AUTHENTICATE].to_str().is_ok_and(|it| it.contains("insufficient_scope"))
    );
    let status = problem(status, 403, "no-scope", "a player").await;
    assert_eq!(status["scopes"], json!(["admin"]));
    assert_eq!(admin.get("/v1/admin/status").await.status(), StatusCode::OK);

    // Whoever may only read is given nothing to write with.
    let nothing = problem(reader.place("metropolis").await, 404, "no-resume-point", "a new title").await;
    problem(node.beat(&report(&nothing, 1, 61_000, "playing")).await, 403, "no-right", "a reader's").await;
    let nothing = problem(ada.place("metropolis").await, 404, "no-resume-point", "a new title").await;
    node.stored(&report(&nothing, 1, 61_000, "playing")).await;
    assert_eq!(reader.position("metropolis").await, Some(61_000));
    let shown = reader.point("metropolis").await;
    problem(node.beat(&report(&shown, 1, 9, "playing")).await, 403, "no-right", "a reader's").await;
}

#[tokio::test]
async fn whoever_may_write_orders_for_their_profiles_and_is_not_told_what_stands() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let player = keys.make("player", &["play"], &["ada"]).await;
    let writer = keys.make("writer", &["write"], &["ada"]).await;
    let node = keys.serve(home.path()).await;
    let [player, writer] = [player, writer].map(|key| node.holding(&key));
    player.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let path = |what| route_to(what, "ada", "metropolis");
    let place = json!({ "position_ms": 5_000 });
    problem(player.put(&path("resume-points"), &[], &place).await, 403, "no-scope", "a player").await;
    problem(player.delete(&path("titles")).await, 403, "no-scope", "a player").await;
    let others = route_to("resume-points", "eve", "metropolis");
    problem(writer.put(&others, &[], &place).await, 403, "not-your-profile", "another's").await;

    let answer = writer.put(&path("resume-points"), &[], &place).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.headers().contains_key("dot") && !answer.headers().contains_key(header::ETAG));
    assert_eq!(player.position("metropolis").await, Some(5_000));
    let erased = writer.delete(&path("titles")).await;
    assert_eq!(erased.status(), StatusCode::ACCEPTED);
    let location = erased.headers()[header::LOCATION].to_str().expect("it is ASCII").to_owned();
    assert_eq!(writer.get(&location).await.status(), StatusCode::OK);
    problem(player.get(&location).await, 403, "no-scope", "a player").await;
    problem(player.place("metropolis").await, 404, "no-resume-point", "erased").await;
}

#[tokio::test]
async fn a_sessions_token_is_by_itself_the_right_to_report() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let key = keys.make("ada", &["play"], &["ada"]).await;
    let node = keys.serve(home.path()).await;
    let ada = node.holding(&key);
    let opened: Value = open(&ada, "ada").await.json().await.expect("it is JSON");

    // As a browser sends it from a page that is being closed: no header, and a type that asks nobody.
    let beat = report(&opened, 1, 61_000, "stopped").to_string();
    let answer = node.post("/v1/heartbeats", "text/plain;charset=UTF-8", beat).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    // A header that has run out meanwhile does not take the right away.
    let stale = node.showing("Bearer pmk_other");
    assert!(stale.beat(&report(&opened, 2, 62_000, "stopped")).await.status().is_success());
    problem(stale.beat(&anonymous("metropolis", 9, "playing")).await, 401, "bad-credential", "no token")
        .await;

    ada.stored(&anonymous("nosferatu", 9_000, "playing")).await;
    let mut eve = anonymous("nosferatu", 9_000, "playing");
    eve["profile"] = json!("eve");
    problem(ada.beat(&eve).await, 403, "not-your-profile", "another's").await;
    let answer = ada.beat(&json!([report(&opened, 3, 63_000, "playing"), eve])).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let results: Value = answer.json().await.expect("it is JSON");
    assert_eq!(results["results"][0]["result"], "stored", "{results}");
    assert_eq!(kind_of(&results["results"][1]["problem"]), (403, "not-your-profile"));
    assert_eq!(ada.position("metropolis").await, Some(63_000));
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_and_one_that_is_wrong_changes_nothing() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let node = keys.serve(home.path()).await;
    let key = keys.make("admin", &["admin"], &[]).await;
    let admin = node.holding(&key);
    let becomes = async |status: u16| {
        until_found(async || (admin.get("/v1/admin/status").await.status() == status).then_some(())).await;
    };
    becomes(200).await;
    let good = fs::read_to_string(&keys.file).expect("it is there");
    fs::write(&keys.file, "[[key]]\nname = \"half\"").expect("a file can be written");
    let log = || fs::read_to_string(home.path().join("log")).unwrap_or_default();
    until_found(async || log().contains("what was read before goes on").then_some(())).await;
    assert_eq!(admin.get("/v1/admin/status").await.status(), StatusCode::OK);
    fs::write(&keys.file, "").expect("a file can be written");
    becomes(401).await;
    fs::write(&keys.file, good).expect("a file can be written");
    becomes(200).await;
}

#[tokio::test]
async fn the_command_shows_a_key_to_a_node_that_asks() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let file = home.path().join("admin.key");
    let key = keys.make("admin", &["admin"], &[]).await;
    fs::write(&file, format!("{key}\n")).expect("a file can be written");
    let node = keys.serve(home.path()).await;
    let http = node.address.to_string();
    let ask = async |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
        within(command.args(["status", "--http", &http]).args(more).output())
            .await
            .expect("it can be started")
    };
    assert_eq!(ask(&[]).await.status.code(), Some(1));
    let output = ask(&["--key-file", file.to_str().expect("plain names")]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn tokens_of_the_issuer_are_taken_by_secret_and_by_public_key() {
    let issuer = Issuer::new();
    let home = TempDir::new().expect("a directory can be made");
    let secret = issuer.secret_file(home.path());
    let node = Serve::at(home.path()).with("--auth-jwt-secret-file", secret).start().await;
    let ada = node.holding(&issuer.sign("HS256", "", &ada()));
    assert_eq!(open(&ada, "ada").await.status(), StatusCode::CREATED);
    problem(open(&ada, "eve").await, 403, "not-your-profile", "eve").await;
    let public = node.holding(&issuer.sign("EdDSA", "one", &self::ada()));
    problem(open(&public, "ada").await, 401, "bad-credential", "no public key is configured").await;
    let mut old = self::ada();
    old["exp"] = json!(1_300_819_380);
    let old = node.holding(&issuer.sign("HS256", "", &old));
    problem(open(&old, "ada").await, 401, "credential-expired", "of 2011").await;

    let home = TempDir::new().expect("a directory can be made");
    let (node, file) = with_jwks(home.path(), &issuer.keys("one", "two")).await;
    for (algorithm, key) in [("EdDSA", "one"), ("ES256", "two")] {
        let ada = node.holding(&issuer.sign(algorithm, key, &self::ada()));
        assert_eq!(open(&ada, "ada").await.status(), StatusCode::CREATED, "{algorithm}");
    }
    for (algorithm, key) in [("HS256", ""), ("EdDSA", "two"), ("EdDSA", "three")] {
        let wrong = node.holding(&issuer.sign(algorithm, key, &self::ada()));
        problem(open(&wrong, "ada").await, 401, "bad-credential", algorithm).await;
    }
    let other = node.holding(&Issuer::new().sign("EdDSA", "one", &self::ada()));
    problem(open(&other, "ada").await, 401, "bad-credential", "another issuer").await;

    // The issuer goes over to other names of its keys.
    let renamed = node.holding(&issuer.sign("EdDSA", "three", &self::ada()));
    fs::write(file, issuer.keys("three", "two").to_string()).expect("a file can be written");
    until_found(async || (open(&renamed, "ada").await.status() == 201).then_some(())).await;
}

#[tokio::test]
async fn keys_are_fetched_beside_requests_and_go_on_while_the_issuer_is_away() {
    let issuer = Issuer::new();
    let home = TempDir::new().expect("a directory can be made");
    let published = Published::start(home.path()).await;
    published.say("200 OK", &issuer.keys("one", "two").to_string());
    let file = home.path().join("playmark.toml");
    let text = format!(
        "data = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[auth]\njwks_url = {:?}\njwks_ca_file = {:?}\naudience = \"playmark\"\n",
        home.path().join("data"),
        published.url(),
        published.ca,
    );
    fs::write(&file, text).expect("a file can be written");
    let node = Serve::with_file(home.path(), &file).start().await;
    let mut claims = ada();
    let nobodys = node.holding(&issuer.sign("EdDSA", "one", &claims));
    claims["aud"] = json!("playmark");
    let ada = node.holding(&issuer.sign("EdDSA", "one", &claims));
    until_found(async || {
        let answer = open(&ada, "ada").await;
        let status = answer.status();
        if status != 201 {
            problem(answer, 503, "keys-unknown", "before the first fetch").await;
        }
        (status == 201).then_some(())
    })
    .await;
    problem(open(&nobodys, "ada").await, 401, "bad-credential", "no audience").await;

    // Whatever names are made up, the issuer is not asked again so soon.
    published.say("503 Service Unavailable", "");
    for name in 0..50 {
        let unknown = node.holding(&issuer.sign("EdDSA", &name.to_string(), &claims));
        problem(open(&unknown, "ada").await, 401, "bad-credential", "a key that is not there").await;
    }
    assert_eq!(published.asked(), 1);
    assert_eq!(open(&ada, "ada").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn no_credential_is_ever_in_the_log() {
    let issuer = Issuer::new();
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let key = keys.make("ada", &["play"], &["ada"]).await;
    let node = Serve::at(home.path())
        .with("--auth-keys-file", &keys.file)
        .with("--auth-jwt-secret-file", issuer.secret_file(home.path()))
        .with("--log-filter", "trace")
        .start()
        .await;
    let token = issuer.sign("HS256", "", &ada());
    let opened: Value = open(&node.holding(&key), "ada").await.json().await.expect("it is JSON");
    assert_eq!(open(&node.holding(&token), "ada").await.status(), StatusCode::CREATED);
    problem(open(&node.holding(&token), "eve").await, 403, "not-your-profile", "eve").await;
    let wrong = format!("{key}x");
    problem(node.holding(&wrong).place("metropolis").await, 401, "bad-credential", "a wrong key").await;
    problem(open(&node.holding(&wrong), "ada").await, 401, "bad-credential", "a wrong key").await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    node.signal("TERM").await;
    let (_, lines) = node.ended().await;
    assert!(lines.iter().any(|line| line.contains("turned away")), "it says that it turned somebody away");
    let session = opened["token"].as_str().expect("a text");
    for secret in [&key["pmk_".len()..], &token, session, "thirty-two"] {
        assert!(!lines.iter().any(|line| line.contains(secret)), "the log shows {secret}");
    }
}

#[tokio::test]
async fn a_node_that_asks_nobody_answers_only_to_names_of_its_own_machine() {
    let (_home, node) = Node::alone().await;
    let ask = async |host: &str, path: &str| {
        let mut line = Line::to(&node).await;
        line.say(format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
        let heard = line.hear().await;
        let (status, body) = split(&heard);
        (status, body.to_owned())
    };
    let path = "/v1/admin/status";
    for host in ["Host: localhost\r\n", "Host: 127.0.0.1:7080\r\n", "Host: [::1]:80\r\n"] {
        assert_eq!(ask(host, path).await.0, 200, "{host}");
    }
    for host in ["Host: evil.example\r\n", "Host: 127.0.0.1.evil.example:7080\r\n", "Host: 192.0.2.1\r\n"] {
        let (status, body) = ask(host, path).await;
        let body: Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!((status, kind_of(&body)), (421, (421, "misdirected")), "{host}");
        assert_eq!(ask(host, "/healthz").await.0, 200, "{host}");
    }
    let home = TempDir::new().expect("a directory can be made");
    let file = home.path().join("playmark.toml");
    let text = format!(
        "data = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\nallowed_hosts = [\"tv.example\"]\n",
        home.path().join("data")
    );
    fs::write(&file, text).expect("a file can be written");
    let node = Serve::with_file(home.path(), &file).start().await;
    let mut line = Line::to(&node).await;
    line.say(format!("GET {path} HTTP/1.1\r\nHost: tv.example\r\nConnection: close\r\n\r\n")).await;
    assert_eq!(split(&line.hear().await).0, 200);
}

#[tokio::test]
async fn a_node_that_is_told_to_serves_whoever_comes_and_says_so() {
    let home = TempDir::new().expect("a directory can be made");
    let file = home.path().join("playmark.toml");
    let text = format!(
        "data = {:?}\n[http]\nlisten = \"0.0.0.0:0\"\nunauthenticated = true\n",
        home.path().join("data")
    );
    fs::write(&file, text).expect("a file can be written");
    let node = Serve::with_file(home.path(), &file).start().await;
    let log = fs::read_to_string(home.path().join("log")).expect("it is there");
    assert!(log.contains("WARN") && log.contains("http.unauthenticated"), "{log}");
    let here = format!("http://127.0.0.1:{}/v1/admin/status", node.address.port());
    let answer = within(reqwest::Client::new().request(Method::GET, here).send()).await.expect("it answers");
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_device_that_comes_back_is_given_what_its_credential_is_for() {
    let home = TempDir::new().expect("a directory can be made");
    let keys = Keys::none(home.path());
    let player = keys.make("player", &["play"], &["ada"]).await;
    let all = keys.make("all", &["play", "write", "events"], &["ada"]).await;
    let reader = keys.make("reader", &["read", "write"], &["ada"]).await;
    let node = keys.serve(home.path()).await;
    let session = json!([{"content": "metropolis", "session": "one", "elapsed_ms": 0}]);
    for (key, member, value, status, kind) in [
        (None, "sessions", &session, 401, "unauthenticated"),
        (Some(&reader), "sessions", &session, 403, "no-scope"),
        (Some(&player), "sessions", &session, 200, ""),
        (Some(&player), "commands", &json!([]), 403, "no-scope"),
        (Some(&player), "cursor", &json!(""), 403, "no-scope"),
        (Some(&all), "commands", &json!([]), 200, ""),
        (Some(&all), "cursor", &json!(""), 200, ""),
    ] {
        let player = key.map_or_else(|| Player::clone(&node), |key| node.holding(key));
        let asked = |profile: &str| json!({"profile": profile, member: value}).to_string();
        let answer = player.post("/v1/sync", "application/json", asked("ada")).await;
        if kind.is_empty() {
            assert_eq!(answer.status(), StatusCode::OK, "{member}");
            let answer = player.post("/v1/sync", "application/json", asked("eve")).await;
            problem(answer, 403, "not-your-profile", member).await;
        } else {
            problem(answer, status, kind, member).await;
        }
    }
}
