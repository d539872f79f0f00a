//! What viewers order by hand: watched, dismissed, and a place.

use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::serving::{Node, problem, report, route_to};

const FILM: &str = "metropolis";

async fn put(node: &Node, what: &str, body: &Value) -> Response {
    node.put(&route_to(what, "ada", FILM), &[], body).await
}

/// Orders something that is answered with nothing but headers.
async fn ordered(node: &Node, what: &str, body: &Value) -> String {
    let answer = put(node, what, body).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{what} {body}");
    assert_eq!(answer.headers()["durability"], "synced", "nothing would heal the loss of a command");
    answer.headers()["dot"].to_str().expect("it is ASCII").to_owned()
}

async fn played_to_the_end(node: &Node) -> Value {
    let opened = node.open(FILM).await;
    node.stored(&report(&opened, 1, 3_600_000, "ended")).await;
    opened
}

fn tag_of(answer: &Response) -> String {
    answer.headers()[header::ETAG].to_str().expect("it is ASCII").to_owned()
}

#[tokio::test]
async fn a_title_is_watched_by_hand_whether_or_not_it_was_ever_played() {
    let (_home, node) = Node::alone().await;
    let unseen = problem(node.place(FILM).await, 404, "no-resume-point", "unseen").await;
    assert_eq!((&unseen["watched"], &unseen["plays"]), (&json!(false), &json!(0)));
    for said in [true, false, true, true] {
        ordered(&node, "watched", &json!({ "watched": said })).await;
        let marked = problem(node.place(FILM).await, 404, "no-resume-point", "unplayed").await;
        assert_eq!((&marked["watched"], &marked["plays"]), (&json!(said), &json!(0)));
    }
    node.stored(&report(&node.open(FILM).await, 1, 30_000, "playing")).await;
    let point = node.point(FILM).await;
    assert_eq!((&point["watched"], &point["position_ms"]), (&json!(true), &json!(30_000)), "{point}");
}

#[tokio::test]
async fn an_end_marks_and_counts_once_and_the_viewers_word_beats_the_sessions_before_it() {
    let (_home, node) = Node::alone().await;
    let watched = async || {
        let point = node.point(FILM).await;
        (point["watched"].as_bool(), point["plays"].as_u64())
    };
    let opened = played_to_the_end(&node).await;
    node.stored(&report(&opened, 1, 3_600_000, "ended")).await;
    assert_eq!(watched().await, (Some(true), Some(1)));
    ordered(&node, "watched", &json!({ "watched": false })).await;
    assert_eq!(watched().await, (Some(false), Some(1)));
    node.stored(&report(&opened, 2, 3_600_000, "ended")).await;
    assert_eq!(watched().await, (Some(false), Some(1)), "it was open when the mark was taken back");
    played_to_the_end(&node).await;
    assert_eq!(watched().await, (Some(true), Some(2)));
}

#[tokio::test]
async fn a_dismissed_title_is_so_until_it_is_played_on() {
    let (_home, node) = Node::alone().await;
    let opened = node.open(FILM).await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    assert_eq!(node.point(FILM).await["dismissed"], false);
    ordered(&node, "dismissed", &json!({})).await;
    let point = node.point(FILM).await;
    assert_eq!((&point["dismissed"], &point["position_ms"]), (&json!(true), &json!(61_000)));
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    assert_eq!(node.point(FILM).await["dismissed"], true, "a retry is no play");
    node.stored(&report(&node.open(FILM).await, 1, 62_000, "playing")).await;
    assert_eq!(node.point(FILM).await["dismissed"], false);
}

#[tokio::test]
async fn a_dismissal_needs_no_body() {
    let (_home, node) = Node::alone().await;
    let mut line = crate::serving::Line::to(&node).await;
    line.say(crate::serving::request("PUT /v1/profiles/ada/dismissed/metropolis", "", "")).await;
    assert_eq!(crate::serving::split(&line.hear().await).0, 204);
}

#[tokio::test]
async fn a_place_that_is_set_is_the_answer_and_what_it_beat_remains() {
    let (_home, node) = Node::alone().await;
    let opened = node.open(FILM).await;
    node.stored(&report(&opened, 1, 61_000, "playing")).await;
    let body = json!({ "position_ms": 5_000, "duration_ms": 3_600_000, "device": "remote" });
    let answer = put(&node, "resume-points", &body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let (tag, dot) = (tag_of(&answer), answer.headers()["dot"].clone());
    let set: Value = answer.json().await.expect("it is JSON");
    assert_eq!((&set["position_ms"], &set["device"]), (&json!(5_000), &json!("remote")), "{set}");
    assert_eq!((set["dot"].as_str(), &set["event"]), (dot.to_str().ok(), &json!("seeked")));
    assert_eq!(set["alternatives"][0]["session"], opened["session"]);
    assert_eq!(set["alternatives"][0]["concurrent"], false, "it was there to be seen");
    let read = node.place(FILM).await;
    assert_eq!(tag_of(&read), tag, "the answer is the one that is read");
    // The session goes on, and its next movement is the later one.
    node.stored(&report(&node.open(FILM).await, 1, 7_000, "playing")).await;
    assert_eq!(node.position(FILM).await, Some(7_000));
}

#[tokio::test]
async fn a_place_is_set_only_if_what_stands_is_what_its_viewer_has_seen() {
    let (_home, node) = Node::alone().await;
    let path = route_to("resume-points", "ada", FILM);
    let body = |position_ms: u64| json!({ "position_ms": position_ms });
    let set =
        async |name, tags: &str, position_ms| node.put(&path, &[(name, tags)], &body(position_ms)).await;

    problem(set(header::IF_MATCH, "*", 1).await, 412, "precondition-failed", "nothing stands").await;
    let first = set(header::IF_NONE_MATCH, "*", 1_000).await;
    assert_eq!(first.status(), StatusCode::OK);
    let tag = tag_of(&first);
    let again = set(header::IF_NONE_MATCH, "*", 2_000).await;
    assert_eq!(again.headers()[header::ETAG], tag.as_str());
    assert_eq!(problem(again, 412, "precondition-failed", "it stands").await["etag"], tag.as_str());
    for other in ["\"other\"".to_owned(), format!("W/{tag}")] {
        let refused = set(header::IF_MATCH, &other, 2_000).await;
        assert_eq!(problem(refused, 412, "precondition-failed", &other).await["etag"], tag.as_str());
    }
    assert_eq!(node.position(FILM).await, Some(1_000));

    let second = set(header::IF_MATCH, &format!("\"other\", {tag}"), 2_000).await;
    assert_eq!((second.status(), tag_of(&second) == tag), (StatusCode::OK, false));
    // Every command takes conditions.
    for (what, body) in [("watched", json!({ "watched": true })), ("dismissed", json!({}))] {
        let refused = node.put(&route_to(what, "ada", FILM), &[(header::IF_MATCH, &tag)], &body).await;
        problem(refused, 412, "precondition-failed", what).await;
    }
    let point = node.point(FILM).await;
    assert_eq!((&point["watched"], &point["dismissed"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn a_named_place_that_is_repeated_changes_nothing_and_an_unnamed_one_is_set_again() {
    let (_home, node) = Node::alone().await;
    let path = route_to("resume-points", "ada", FILM);
    let named = json!({ "position_ms": 5_000, "session": "import of Tuesday" });
    let unnamed = json!({ "position_ms": 5_000 });
    let first = node.put(&path, &[(header::IF_NONE_MATCH, "*")], &named).await;
    let dot = first.headers()["dot"].clone();
    node.stored(&report(&node.open(FILM).await, 1, 61_000, "playing")).await;
    // The condition does not hold any more, and has no need to: it was done.
    let repeated = node.put(&path, &[(header::IF_NONE_MATCH, "*")], &named).await;
    assert_eq!((repeated.status(), &repeated.headers()["dot"]), (StatusCode::OK, &dot));
    assert_eq!(node.position(FILM).await, Some(61_000));
    assert_eq!(put(&node, "resume-points", &unnamed).await.status(), StatusCode::OK);
    assert_eq!(node.position(FILM).await, Some(5_000));
}

#[tokio::test]
async fn what_is_no_command_is_refused_and_writes_nothing() {
    let (_home, node) = Node::alone().await;
    let cases = [
        ("watched", json!({}), "watched"),
        ("watched", json!({ "watched": "yes" }), "watched"),
        ("resume-points", json!({}), "position_ms"),
        ("resume-points", json!({ "position_ms": -1 }), "position_ms"),
        ("resume-points", json!({ "position_ms": 1, "duration_ms": "long" }), "duration_ms"),
        ("resume-points", json!({ "position_ms": 1, "device": "" }), "device"),
        ("resume-points", json!({ "position_ms": 1, "session": "" }), "session"),
        ("resume-points", json!({ "position_ms": 1, "session": 7 }), "session"),
    ];
    for (what, body, field) in cases {
        let of = format!("{what} {body}");
        assert_eq!(problem(put(&node, what, &body).await, 422, "invalid", &of).await["field"], field);
    }
    for what in ["watched", "dismissed", "resume-points"] {
        problem(put(&node, what, &json!([1])).await, 400, "not-json", what).await;
        let path = format!("{}?durability=forever", route_to(what, "ada", FILM));
        let body = json!({ "watched": true, "position_ms": 1 });
        let refused = problem(node.put(&path, &[], &body).await, 422, "invalid", what).await;
        assert_eq!(refused["field"], "durability");
        let long = route_to(what, "ada", &"c".repeat(257));
        assert_eq!(
            problem(node.put(&long, &[], &body).await, 422, "invalid", what).await["field"],
            "content"
        );
    }
    node.assert_untouched("all of them").await;
}
