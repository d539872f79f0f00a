//! An erasure is complete when every region has it on its disk, and not before.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::trio::{Trio, point_after};
use crate::{
    patience::until_found,
    serving::{Node, Player, report, route_to},
};

async fn erasure(node: &Player, dot: &str) -> Option<Value> {
    let answer = node.get(&format!("/v1/erasures/{dot}")).await;
    let found = answer.status() == StatusCode::OK;
    found.then_some(answer.json().await.expect("it is JSON"))
}

async fn until_complete(node: &Node, dot: &str) -> Value {
    until_found(async || erasure(node, dot).await.filter(|found| found["complete"] == true)).await
}

fn confirmed(found: &Value, region: &str) -> Option<bool> {
    let replicas = found["replicas"].as_array().expect("a list");
    replicas.iter().find(|it| it["region"] == region).and_then(|it| it["confirmed"].as_bool())
}

#[tokio::test]
async fn an_erasure_waits_for_a_region_that_is_gone_and_reaches_it_when_it_is_back() {
    let trio = Trio::start().await;
    let opened = trio.ap.open("metropolis").await;
    let played = trio.ap.stored(&report(&opened, 1, 61_000, "playing")).await;
    for (_, node) in trio.nodes() {
        assert_eq!(point_after(node, "metropolis", &played).await["position_ms"], 61_000);
    }
    let Trio { authority, eu, us, ap, eu_address, serve_ap } = trio;
    ap.kill().await;

    let answer =
        eu.delete(&format!("{}?durability=replicated", route_to("titles", "ada", "metropolis"))).await;
    assert_eq!(answer.headers()["durability"], "replicated");
    let dot = answer.headers()["dot"].to_str().expect("it is ASCII").to_owned();
    let found = until_found(async || {
        let found = erasure(&eu, &dot).await?;
        (confirmed(&found, "us") == Some(true)).then_some(found)
    })
    .await;
    assert_eq!(confirmed(&found, "eu"), Some(true), "{found}");
    assert_eq!((confirmed(&found, "ap"), &found["complete"]), (Some(false), &Value::Bool(false)), "{found}");
    assert!(us.position("metropolis").await.is_none());

    let trio = Trio { ap: serve_ap.start().await, authority, eu, us, eu_address, serve_ap };
    trio.ap.until_ready().await;
    for (region, node) in trio.nodes() {
        let found = until_complete(node, &dot).await;
        assert_eq!(found["replicas"].as_array().map(Vec::len), Some(3), "{region}: {found}");
        assert!(node.position("metropolis").await.is_none(), "{region}");
    }
    let late = trio.ap.beat(&report(&opened, 2, 62_000, "playing")).await;
    assert_eq!(late.status(), StatusCode::GONE, "the session began before");
}

#[tokio::test]
async fn what_a_profile_orders_in_one_region_holds_in_the_others() {
    let trio = Trio::start().await;
    let opened = trio.us.open("metropolis").await;
    let played = trio.us.stored(&report(&opened, 1, 61_000, "playing")).await;
    point_after(&trio.eu, "metropolis", &played).await;
    let paused = json!({ "recording": "paused" });
    let settled = trio.eu.put("/v1/profiles/ada/settings", &[], &paused).await;
    assert_eq!(settled.status(), StatusCode::OK);
    let erased = trio.eu.delete("/v1/profiles/ada").await;
    let dot = erased.headers()["dot"].to_str().expect("it is ASCII").to_owned();
    for (region, node) in trio.nodes() {
        until_complete(node, &dot).await;
        assert!(node.position("metropolis").await.is_none(), "{region}");
        let settings: Value = node.get("/v1/profiles/ada/settings").await.json().await.expect("it is JSON");
        assert_eq!(settings["recording"], "paused", "{region}");
        let fresh = node.open("metropolis").await;
        let acknowledged = node.beat(&report(&fresh, 1, 5_000, "playing")).await;
        assert_eq!(acknowledged.status(), StatusCode::NO_CONTENT, "{region}");
        assert!(node.position("metropolis").await.is_none(), "{region}");
    }
    trio.until_alike().await;
}
