//! Devices that come back: what their clocks are worth, what they did, and what they missed.

use playmark::{
    crdt::VersionVector,
    node::{Clock, ClusterTag, Cursor},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::serving::{
    Authority, Mint, Node, Player, anonymous, claims, days_ms, kind_of, problem, report, route_to,
};

const FILM: &str = "metropolis";
const HOUR: u64 = 3_600_000;

/// A device's own name for its session.
const PHONE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

async fn ask(node: &Player, asked: &Value) -> Response {
    node.post("/v1/sync", "application/json", asked.to_string()).await
}

/// Asks as Ada, and reads the answer.
async fn sync(node: &Player, mut asked: Value) -> Value {
    asked["profile"] = json!("ada");
    let answer = ask(node, &asked).await;
    assert_eq!(answer.status(), StatusCode::OK, "{asked}");
    assert_eq!(answer.headers()["durability"], "synced", "a device drops what was acknowledged");
    answer.json().await.expect("it is JSON")
}

fn now_ms() -> u64 {
    Clock::wall().as_ms()
}

/// An hour that the phone played, from four hours ago, by a wall clock that is off by this much; it was
/// online half an hour before.
fn an_hour_from_four_hours_ago(off_ms: i64) -> Value {
    let now = now_ms();
    let wall = |ms: u64| ms.saturating_add_signed(off_ms);
    json!({
        "clocks": {"sent_at_ms": wall(now), "last_server_time_ms": now - 4 * HOUR - HOUR / 2},
        "sessions": [{
            "content": FILM, "session": PHONE, "device": "Phone",
            "elapsed_ms": HOUR, "occurred_at_ms": wall(now - 4 * HOUR),
        }],
    })
}

/// A sample under a token.
fn sample(token: &Value, seq: u32, elapsed_ms: u64, position_ms: u64) -> Value {
    json!({
        "token": token, "seq": seq, "elapsed_ms": elapsed_ms, "position_ms": position_ms,
        "event": "playing", "played_ms": 60_000,
    })
}

/// Plays on a television for a minute, so many hours ago.
async fn television(node: &Player, mint: &Mint, hours_ago: u64, position_ms: u64) {
    let opened = claims(FILM, Clock::wall().minus_ms(hours_ago * HOUR));
    node.stored(&sample(&json!(mint.sign(&opened)), 1, 60_000, position_ms)).await;
}

/// Uploads the hour, and returns the token that it was told under.
async fn upload(node: &Player, off_ms: i64, position_ms: u64) -> Value {
    let told = sync(node, an_hour_from_four_hours_ago(off_ms)).await;
    let token = told["tokens"][0]["token"].clone();
    sync(node, json!({"heartbeats": [sample(&token, 1, HOUR, position_ms)]})).await;
    token
}

#[tokio::test]
async fn a_wall_clock_that_is_off_by_whatever_it_may_tells_when_the_session_began() {
    let (_home, node) = Node::alone().await;
    let two_years = i64::try_from(days_ms(730)).expect("it is small");
    for off_ms in [0, two_years, -300_000] {
        let told = sync(&node, an_hour_from_four_hours_ago(off_ms)).await;
        let token = &told["tokens"][0];
        assert_eq!(token["time_quality"], "wall", "{told}");
        let ago_ms = told["now_ms"].as_u64().expect("a time") - token["anchor_ms"].as_u64().expect("a time");
        // What lies between is the way to the node.
        assert!((4 * HOUR - 60_000..=4 * HOUR).contains(&ago_ms), "{off_ms}: {ago_ms}");
        assert_eq!(token["session"], PHONE);
    }
    node.assert_untouched("deriving").await;
}

#[tokio::test]
async fn a_clock_that_counts_sleep_needs_no_wall_and_without_either_the_lowest_bound_is_taken() {
    let (_home, node) = Node::alone().await;
    let heard = now_ms() - 5 * HOUR;
    let session = json!({"content": FILM, "session": PHONE, "elapsed_ms": HOUR, "sent_elapsed_ms": 4 * HOUR});
    let clocks = json!({"clock": "boot", "last_server_time_ms": heard});
    let told = sync(&node, json!({"clocks": clocks, "sessions": [session]})).await;
    let (token, now) = (&told["tokens"][0], told["now_ms"].as_u64().expect("a time"));
    assert_eq!((&token["time_quality"], &token["anchor_ms"]), (&json!("mono"), &json!(now - 4 * HOUR)));
    let clocks = json!({"clock": "active", "last_server_time_ms": heard});
    let told = sync(&node, json!({"clocks": clocks, "sessions": [session]})).await;
    let token = &told["tokens"][0];
    assert_eq!((&token["time_quality"], &token["anchor_ms"]), (&json!("bound"), &json!(heard)));
}

#[tokio::test]
async fn what_was_played_offline_beats_what_came_before_it_and_loses_to_what_came_after() {
    let two_years = i64::try_from(days_ms(730)).expect("it is small");
    for off_ms in [two_years, -300_000] {
        let (home, node) = Node::alone().await;
        let mint = Mint::of(home.path());
        television(&node, &mint, 5, 400_000).await;
        upload(&node, off_ms, 3_600_000).await;
        let point = node.point(FILM).await;
        assert_eq!((&point["position_ms"], &point["device"]), (&json!(3_600_000), &json!("Phone")));
        television(&node, &mint, 2, 500_000).await;
        assert_eq!(node.position(FILM).await, Some(500_000), "{off_ms}");

        let (home, node) = Node::alone().await;
        television(&node, &Mint::of(home.path()), 2, 400_000).await;
        upload(&node, off_ms, 3_600_000).await;
        let point = node.point(FILM).await;
        assert_eq!(point["position_ms"], 400_000, "{off_ms}");
        assert_eq!(point["alternatives"][0]["position_ms"], 3_600_000);
    }
}

#[tokio::test]
async fn a_queue_under_the_token_of_its_time_is_drained_beneath_what_came_after_it() {
    let (home, node) = Node::alone().await;
    let mint = Mint::of(home.path());
    let opened = mint.sign(&claims(FILM, Clock::wall().minus_ms(4 * HOUR + HOUR / 6)));
    television(&node, &mint, 2, 400_000).await;
    let queue: Vec<_> = (1..=6)
        .map(|n| sample(&json!(opened), n, HOUR / 6 * u64::from(n + 1), 600_000 * u64::from(n)))
        .collect();
    let told = sync(&node, json!({ "heartbeats": queue })).await;
    let results = told["heartbeats"]["results"].as_array().expect("a list");
    assert_eq!(results.len(), 6);
    assert!(results.iter().all(|it| it["result"] == "superseded"), "{told}");
    assert!(told["heartbeats"]["token"].is_string(), "the player goes on under a line of today: {told}");
    let point = node.point(FILM).await;
    assert_eq!(point["position_ms"], 400_000);
    let other = &point["alternatives"][0];
    assert_eq!((&other["position_ms"], &other["concurrent"]), (&json!(3_600_000), &json!(true)));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_at_another_node_and_nothing_happens_twice() {
    let authority = Authority::make().await;
    let eu = authority.node("eu", &[]).await;
    let us = authority.node("us", &[]).await;
    let (eu, us) = (eu.start().await, us.start().await);
    let token = sync(&eu, an_hour_from_four_hours_ago(0)).await["tokens"][0]["token"].clone();
    let mut end = sample(&token, 3, HOUR, 3_600_000);
    (end["event"], end["duration_ms"]) = (json!("ended"), json!(3_600_000));
    let said = json!({
        "heartbeats": [sample(&token, 1, 60_000, 60_000), end],
        "commands": [
            {"token": token, "seq": 4, "elapsed_ms": HOUR, "watched": false},
            {"token": token, "seq": 5, "elapsed_ms": HOUR, "dismissed": true},
            {"token": token, "seq": 6, "elapsed_ms": HOUR, "place": {"position_ms": 300_000}},
        ],
    });
    // Neither node hears of the other: they agree because both were told the same.
    let mut points = Vec::new();
    for node in [&eu, &us] {
        for round in ["new", "repeated"] {
            let told = sync(node, said.clone()).await;
            for result in told["commands"].as_array().expect("a list") {
                let expected = if round == "new" { "stored" } else { "acknowledged" };
                assert_eq!(result["result"], expected, "{round}: {told}");
            }
            let mut point = node.point(FILM).await;
            for of_the_node in ["dot", "token", "anchor_ms"] {
                point.as_object_mut().expect("an object").remove(of_the_node);
            }
            points.push(point);
        }
    }
    let [first, others @ ..] = &points[..] else { panic!("four") };
    assert_eq!((&first["position_ms"], &first["plays"]), (&json!(300_000), &json!(1)), "{first}");
    assert_eq!((&first["watched"], &first["session"]), (&json!(false), &json!(PHONE)), "{first}");
    for other in others {
        assert_eq!(other, first);
    }
}

#[tokio::test]
async fn a_command_given_offline_loses_to_what_was_ordered_after_it() {
    let (_home, node) = Node::alone().await;
    let token = upload(&node, 0, 61_000).await;
    let given = |watched: bool| {
        let command = json!({"token": token, "seq": 2, "elapsed_ms": HOUR, "watched": watched});
        sync(&node, json!({ "commands": [command] }))
    };
    assert_eq!(given(true).await["commands"][0]["result"], "stored");
    assert_eq!(node.point(FILM).await["watched"], true);
    let path = route_to("watched", "ada", FILM);
    let answer = node.put(&path, &[], &json!({"watched": false})).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(given(true).await["commands"][0]["result"], "acknowledged", "something later stands");
    assert_eq!(node.point(FILM).await["watched"], false);
    // A title that was dismissed at its last sample is so until it is played again.
    let dismissed = json!({"token": token, "seq": 3, "elapsed_ms": HOUR, "dismissed": true});
    sync(&node, json!({ "commands": [dismissed] })).await;
    assert_eq!(node.point(FILM).await["dismissed"], true);
    node.stored(&report(&node.open(FILM).await, 1, 62_000, "playing")).await;
    sync(&node, json!({ "commands": [dismissed] })).await;
    assert_eq!(node.point(FILM).await["dismissed"], false);
}

/// The type of each item's problem; empty where there is none.
fn kinds(items: &Value) -> Vec<(u16, &str)> {
    let items = items.as_array().expect("a list").iter();
    items.map(|it| it.get("problem").map_or((200, ""), kind_of)).collect()
}

#[tokio::test]
async fn a_bad_item_refuses_itself_alone() {
    let (home, node) = Node::alone().await;
    let mint = Mint::of(home.path());
    let opened = node.open(FILM).await;
    let good = report(&opened, 1, 61_000, "playing");
    let mut others = claims(FILM, Clock::wall());
    others.title.profile = "eve".to_owned().try_into().expect("an id");
    let others = mint.sign(&others);
    let session = |content: &str, elapsed_ms: u64| json!({"content": content, "session": PHONE, "elapsed_ms": elapsed_ms});
    let command = |token: &Value| json!({"token": token, "seq": 2, "elapsed_ms": 2, "watched": true});
    let with = |mut item: Value, field: &str, value: Value| {
        item[field] = value;
        item
    };
    let told = sync(
        &node,
        json!({
            "clocks": {"last_server_time_ms": now_ms() - HOUR},
            "sessions": [session("", 0), session("nosferatu", 0), session("x", 9 * HOUR), 7],
            "heartbeats": [
                anonymous("nosferatu", 1_000, "playing"),
                with(good.clone(), "elapsed_ms", json!(null)),
                sample(&json!("pm1.AAAA"), 1, 1, 1_000),
                sample(&json!(others), 1, 1, 1_000),
                good,
            ],
            "commands": [
                command(&json!("pm1.AAAA")),
                command(&json!(others)),
                with(command(&opened["token"]), "dismissed", json!(true)),
                with(command(&opened["token"]), "watched", json!("yes")),
                with(command(&opened["token"]), "content", json!("nosferatu")),
                with(command(&opened["token"]), "token", json!(null)),
                {"token": opened["token"], "seq": 2, "elapsed_ms": 2, "place": {}},
                {"token": opened["token"], "seq": 2, "elapsed_ms": 2, "place": 7},
                {"token": opened["token"], "seq": 2, "elapsed_ms": 2, "dismissed": false},
                7,
                command(&opened["token"]),
            ],
        }),
    )
    .await;
    let (good, invalid, bad_token) = ((200, ""), (422, "invalid"), (401, "bad-token"));
    let others = (422, "not-the-tokens");
    assert_eq!(kinds(&told["tokens"]), [invalid, good, (422, "counts-wrongly"), invalid], "{told}");
    let results = &told["heartbeats"]["results"];
    assert_eq!(kinds(results), [invalid, invalid, bad_token, others, good], "{told}");
    assert_eq!(
        (&results[0]["problem"]["field"], &results[1]["problem"]["field"]),
        (&json!("token"), &json!("elapsed_ms"))
    );
    let expected =
        [bad_token, others, invalid, invalid, others, invalid, invalid, invalid, invalid, invalid, good];
    assert_eq!(kinds(&told["commands"]), expected, "{told}");
    let point = node.point(FILM).await;
    assert_eq!((&point["position_ms"], &point["watched"]), (&json!(61_000), &json!(true)));
    assert_eq!(node.position("nosferatu").await, None);
}

#[tokio::test]
async fn a_request_that_cannot_be_right_is_refused_before_anything_is_done() {
    let (_home, node) = Node::alone().await;
    let opened = node.open(FILM).await;
    let beats = json!([report(&opened, 2, 61_000, "playing"), report(&opened, 1, 62_000, "playing")]);
    let answer = ask(&node, &json!({"profile": "ada", "heartbeats": beats})).await;
    problem(answer, 422, "out-of-order", "falling samples").await;
    let good = json!([report(&opened, 1, 61_000, "playing")]);
    for (field, wrong) in [
        ("profile", json!(null)),
        ("profile", json!("")),
        ("cursor", json!("x")),
        ("cursor", json!(7)),
        ("sessions", json!({})),
        ("sessions", json!(vec![json!({}); 65])),
        ("commands", json!("x")),
        ("commands", json!(vec![json!({}); 65])),
        ("heartbeats", json!(7)),
    ] {
        let mut asked = json!({"profile": "ada", "heartbeats": good});
        asked[field] = wrong;
        let of = asked.to_string();
        assert_eq!(problem(ask(&node, &asked).await, 422, "invalid", &of).await["field"], field, "{of}");
    }
    let asked = json!({"profile": "ada", "clocks": {"clock": "sun"}});
    assert_eq!(problem(ask(&node, &asked).await, 422, "invalid", "a clock").await["field"], "clock");
    let asked = json!({"profile": "ada", "heartbeats": vec![json!({}); 513]});
    problem(ask(&node, &asked).await, 413, "too-many-heartbeats", "too many").await;
    problem(ask(&node, &json!([])).await, 400, "not-json", "a list").await;
    node.assert_untouched("all of them").await;
    let told = sync(&node, json!({})).await;
    assert_eq!(told.as_object().expect("an object").keys().collect::<Vec<_>>(), ["now_ms"]);
}

fn contents(told: &Value) -> Vec<&str> {
    let changes = told["changes"].as_array().expect("a list").iter();
    changes.map(|it| it["content"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_device_may_ask_for_more_than_the_disk_and_is_told_what_it_got() {
    let (_home, node) = Node::alone().await;
    let opened = node.open(FILM).await;
    let token = &opened["token"];
    let asked = json!({
        "profile": "ada",
        "heartbeats": [sample(token, 1, 1, 5_000)],
        "commands": [{"token": token, "seq": 2, "elapsed_ms": 2, "watched": true}],
    });
    for (query, survives) in [
        ("", "synced"),
        ("?durability=process", "synced"),
        ("?durability=synced", "synced"),
        // Nobody else is there to keep it.
        ("?durability=replicated", "synced"),
    ] {
        let answer = node.post(&format!("/v1/sync{query}"), "application/json", asked.to_string()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{query}");
        assert_eq!(answer.headers()["durability"], survives, "{query}");
    }
    let answer = node.post("/v1/sync?durability=forever", "application/json", asked.to_string()).await;
    assert_eq!(problem(answer, 422, "invalid", "no durability").await["field"], "durability");
}

#[tokio::test]
async fn a_cursor_brings_what_changed_since_with_what_the_device_has_just_said() {
    let (_home, node) = Node::alone().await;
    node.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    let mut others = anonymous("faust", 5_000, "playing");
    others["profile"] = json!("eve");
    node.stored(&others).await;
    let first = sync(&node, json!({"cursor": ""})).await;
    assert_eq!(contents(&first), ["nosferatu"]);
    let line = &first["changes"][0];
    assert_eq!((&line["position_ms"], &line["profile"]), (&json!(5_000), &json!("ada")));
    let opened = node.open(FILM).await;
    let beats = json!([report(&opened, 1, 61_000, "playing")]);
    let second = sync(&node, json!({"heartbeats": beats, "cursor": first["cursor"]})).await;
    assert_eq!(contents(&second), [FILM]);
    let third = sync(&node, json!({"cursor": second["cursor"]})).await;
    assert_eq!(third["changes"], json!([]));
    assert!(third.get("more").is_none() && third.get("stale").is_none(), "{third}");
    // The answer was lost, and the older cursor brings the same once more.
    assert_eq!(contents(&sync(&node, json!({"cursor": first["cursor"]})).await), [FILM]);
    let now = sync(&node, json!({"cursor": "now"})).await;
    assert_eq!(now["changes"], json!([]));
    node.stored(&report(&opened, 2, 62_000, "playing")).await;
    assert_eq!(contents(&sync(&node, json!({"cursor": now["cursor"]})).await), [FILM]);
}

#[tokio::test]
async fn a_page_has_a_bound_and_the_next_goes_on_where_it_ended() {
    let (_home, node) = Node::alone().await;
    for page in 0..2 {
        let lines: Vec<_> =
            (0..150).map(|n| anonymous(&format!("film {page} {n}"), 5_000, "playing").to_string()).collect();
        node.post("/v1/heartbeats", "application/x-ndjson", lines.join("\n")).await;
    }
    let first = sync(&node, json!({"cursor": ""})).await;
    assert_eq!((contents(&first).len(), &first["more"]), (256, &json!(true)));
    let second = sync(&node, json!({"cursor": first["cursor"]})).await;
    assert_eq!(second.get("more"), None);
    let mut all = [contents(&first), contents(&second)].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), contents(&second).len()), (300, 44), "each came once");
    assert_eq!(sync(&node, json!({"cursor": second["cursor"]})).await["changes"], json!([]));
}

#[tokio::test]
async fn a_cursor_whose_place_is_gone_says_that_everything_must_be_read_anew() {
    let (_home, node) = Node::alone().await;
    let opened = node.open(FILM).await;
    let foreign = Cursor::new(ClusterTag::of("elsewhere"), &VersionVector::default(), []).encode();
    let beats = json!([report(&opened, 1, 61_000, "playing")]);
    let told = sync(&node, json!({"heartbeats": beats, "cursor": foreign})).await;
    assert_eq!(told["changes"], json!([{"profile": "ada", "whole_profile": true}]));
    assert_eq!(told["heartbeats"]["results"][0]["result"], "stored");
    let next = sync(&node, json!({"cursor": told["cursor"]})).await;
    assert!(contents(&next).iter().all(|content| *content == FILM), "from there it goes on: {next}");
}
