//! Whoever follows a profile goes on in another region when theirs is gone.

use super::trio::{Trio, point_after};
use crate::serving::{Listener, anonymous, report};

#[tokio::test]
async fn what_is_written_in_one_region_is_heard_in_another_and_the_rest_in_a_third() {
    let trio = Trio::start().await;
    let mut listener = Listener::of(&trio.us, "").await;
    let opened = trio.eu.open("metropolis").await;
    trio.eu.stored(&report(&opened, 1, 61_000, "playing")).await;
    assert_eq!(listener.hear("metropolis").await.position_ms(), 61_000);
    let dot = trio.ap.stored(&anonymous("nosferatu", 5_000, "playing")).await;
    listener.hear("nosferatu").await;
    point_after(&trio.eu, "nosferatu", &dot).await;

    let Trio { eu, us, ap, .. } = trio;
    let cursor = listener.cursor.clone();
    us.kill().await;
    drop(listener);
    // The same report again, at a node that has it from elsewhere, is no news; what comes meanwhile is.
    ap.stored(&report(&opened, 1, 61_000, "playing")).await;
    eu.stored(&anonymous("faust", 6_000, "playing")).await;
    let mut listener = Listener::after(&ap, &cursor).await;
    listener.hear("faust").await;
    eu.stored(&report(&opened, 2, 70_000, "playing")).await;
    assert_eq!(listener.hear("metropolis").await.position_ms(), 70_000);
}

#[tokio::test]
async fn a_cursor_of_a_region_that_took_its_last_writes_with_it_misses_nothing_elsewhere() {
    let trio = Trio::start().await;
    let shared = trio.us.stored(&anonymous("metropolis", 5_000, "playing")).await;
    for node in [&trio.eu, &trio.ap] {
        point_after(node, "metropolis", &shared).await;
    }
    let mut listener = Listener::of(&trio.us, "").await;
    trio.us.stored(&anonymous("metropolis", 50_000, "playing")).await;
    listener.hear("metropolis").await;
    let cursor = listener.cursor.clone();
    let Trio { eu, us, ap, .. } = trio;
    us.kill().await;
    eu.stored(&anonymous("nosferatu", 6_000, "playing")).await;
    // It may or may not have told anybody; either way what others wrote is heard.
    let mut listener = Listener::after(&ap, &cursor).await;
    loop {
        let heard = listener.next().await.expect("the stream goes on");
        if heard.content() == "nosferatu" {
            break;
        }
        assert!(heard.kind == "stale" || heard.content() == "metropolis", "{}", heard.data);
    }
}

#[tokio::test]
async fn a_feed_of_changes_goes_on_at_any_node() {
    let trio = Trio::start().await;
    let mut last = String::new();
    for (number, (region, node)) in trio.nodes().into_iter().enumerate() {
        let dot = node.stored(&anonymous(region, 5_000, "playing")).await;
        for (_, reader) in trio.nodes() {
            point_after(reader, region, &dot).await;
        }
        // Each page is read in another region than the one before.
        let (_, reader) = trio.nodes()[(number + 1) % 3];
        let answer = reader.get(&format!("/v1/changes?after={last}")).await;
        last = answer.headers()["cursor"].to_str().expect("it is ASCII").to_owned();
        let text = answer.text().await.expect("it is text");
        let titles: Vec<_> = text.lines().map(|line| line.contains(&format!("\"{region}\""))).collect();
        assert_eq!(titles, [true], "{region}: {text}");
    }
}
