//! Regions of several nodes, of which those that carry everything between them are killed again and again.

use std::collections::BTreeSet;

use cluster::{
    agreement,
    lab::Lab,
    topology::{NodeName, Topology},
    viewers::Viewers,
};
use tokio::time::{Duration, Instant, interval};

use crate::world::{PATIENCE, report, title};

/// Viewers in both regions, who report so often that seconds are a busy minute.
const TWO_REGIONS: &str = "
    cluster = 'demo'
    regions = [{ name = 'eu', nodes = 3 }, { name = 'us', nodes = 2 }]
    lines = [{ from = 'eu', to = 'us', delay_ms = 5, jitter_ms = 1, loss_percent = 1 }]
    viewers = { count = 20, heartbeat_interval_ms = 200, haste = 10.0 }
";

/// How often the gateway is killed.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_are_killed_again_and_again_are_replaced_and_nothing_is_lost() {
    let topology = Topology::parse(TWO_REGIONS).expect("a topology of two");
    let lab = Lab::start_scratch(topology).await.expect("five nodes start");
    let viewers = Viewers::start(&lab);
    let mut killed = BTreeSet::new();
    for round in 0..ROUNDS {
        let gateway = the_gateway(&lab).await;
        lab.kill(&gateway.to_string()).await.expect("a node of the lab");
        let film = title(&format!("film-{round}"));
        let dot = report(&lab, "us", &film, 61_000).await;
        for node in lab.running().into_iter().filter(|node| node.region().as_str() == "eu") {
            until_seen(&lab, &node, &film, &dot).await;
        }
        lab.start_again(&gateway.to_string()).await.expect("it starts again");
        killed.insert(gateway);
    }
    let _held = viewers.rest().await;
    let titles = viewers.titles();
    let verdict = agreement::compare(&lab, &titles, PATIENCE).await;
    assert!(verdict.is_alike(), "{verdict}");
    for node in lab.running() {
        let lost = viewers.count_lost(&lab.node_url(&node), 1_000).await.expect("the node runs");
        assert_eq!(lost, 0, "of what was acknowledged, {node} does not hold all");
    }
    assert_eq!(viewers.hand_overs().wrong, 0, "{:?}", viewers.hand_overs());
    lab.end().await;
}

/// Waits until exactly one node of eu is fed from us, and gives it.
async fn the_gateway(lab: &Lab) -> NodeName {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let mut fed_across = BTreeSet::new();
        for (node, status) in lab.statuses().await {
            let Ok(status) = status else { continue };
            let lives_there = status.vector.iter().filter(|held| held.region.as_deref() == Some("us"));
            let across = lives_there.filter_map(|held| held.fed_by.as_deref());
            if node.region().as_str() == "eu" && across.into_iter().any(|by| by.starts_with("us-")) {
                fed_across.insert(node);
            }
        }
        if fed_across.len() == 1 {
            return fed_across.pop_first().expect("it has one");
        }
        assert!(Instant::now() < deadline, "fed across: {fed_across:?}");
    }
}

async fn until_seen(lab: &Lab, node: &NodeName, film: &agreement::Title, dot: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let url = lab.node_url(node);
        // Waits at the node, for two seconds at most; one that comes back does not answer at first.
        let found = lab.api().resume_point(&url, &film.profile, &film.content, Some(dot)).await;
        if found.is_ok_and(|found| !found.stale) {
            return;
        }
        assert!(Instant::now() < deadline, "{node} never saw the report of {film}");
    }
}
