//! The console and the picture that it draws, of a node alone.

use serde_json::Value;

use crate::serving::{Node, Serve, anonymous, problem};

const FILES: [(&str, &str); 4] = [
    ("/console", "text/html; charset=utf-8"),
    ("/console/console.css", "text/css; charset=utf-8"),
    ("/console/main.js", "text/javascript; charset=utf-8"),
    ("/console/film.webm", "video/webm"),
];

#[tokio::test]
async fn the_page_and_its_files_are_served_and_nothing_else() {
    let (_home, node) = Node::alone().await;
    for (path, kind) in FILES {
        let answer = node.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], kind, "{path}");
        if !kind.starts_with("video") {
            let policy = answer.headers()["content-security-policy"].to_str().expect("it is text").to_owned();
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            let tag = answer.headers()["etag"].to_str().expect("it is text").to_owned();
            assert_eq!(node.get_with(path, "if-none-match", &tag).await.status(), 304, "{path}");
        }
    }
    problem(node.get("/console/secrets.txt").await, 404, "no-such-path", "another file").await;
}

#[tokio::test]
async fn a_stretch_of_the_film_is_sent_alone() {
    let (_home, node) = Node::alone().await;
    let whole = node.get("/console/film.webm").await.bytes().await.expect("it comes");
    let answer = node.get_with("/console/film.webm", "range", "bytes=1000-1999").await;
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.headers()["content-range"], format!("bytes 1000-1999/{}", whole.len()).as_str());
    assert_eq!(answer.bytes().await.expect("it comes"), whole.slice(1_000..2_000));
}

#[tokio::test]
async fn a_picture_tells_of_the_node_and_the_stream_of_what_has_passed_since() {
    let (_home, node) = Node::alone().await;
    let picture: Value = node.get("/v1/admin/picture").await.json().await.expect("it is JSON");
    assert_eq!(picture["drawn_by"], "node");
    let [own] = picture["nodes"].as_array().expect("a list").as_slice() else { panic!("{picture}") };
    assert_eq!(
        (&own["name"], &own["state"], &own["readiness"]),
        (&"node".into(), &"up".into(), &"caught-up".into())
    );
    assert!(own["storage_bytes"].is_u64() && own["heartbeats_per_s"].is_null(), "{own}");
    assert_eq!((&picture["lab"], &picture["links"]), (&Value::Null, &Value::Array(Vec::new())));

    let mut stream = node.get("/v1/admin/picture/events").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut drawn = Vec::new();
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    while drawn.len() < 2 {
        let piece =
            crate::patience::within(stream.chunk()).await.expect("it goes on").expect("it does not end");
        let piece = String::from_utf8(piece.into()).expect("it is text");
        let data = piece.strip_prefix("event: picture\ndata: ").expect("one event a piece");
        drawn.push(serde_json::from_str::<Value>(data.trim_end()).expect("it is JSON"));
    }
    assert!(drawn[0]["nodes"][0]["heartbeats_per_s"].is_null(), "nothing went before");
    assert!(drawn[1]["nodes"][0]["heartbeats_per_s"].is_f64(), "{}", drawn[1]);
}

#[tokio::test]
async fn the_page_is_for_everyone_and_the_picture_for_operators() {
    let home = tempfile::TempDir::new().expect("a directory can be made");
    std::fs::write(home.path().join("keys.toml"), "").expect("a file can be written");
    let node = Serve::at(home.path()).with("--auth-keys-file", home.path().join("keys.toml")).start().await;
    assert_eq!(node.get("/console").await.status(), 200);
    for path in ["/v1/admin/picture", "/v1/admin/picture/events"] {
        assert_eq!(node.get(path).await.status(), 401, "{path}");
    }
}
