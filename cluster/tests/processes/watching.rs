//! Viewers who change devices and regions while lines break and a region dies.

use std::time::Duration;

use cluster::{
    agreement,
    lab::{Lab, Ways},
    topology::Topology,
    viewers::{HandOvers, Viewers},
};
use tokio::time::{Instant, interval};

use crate::world::{CLOSE_TOGETHER, PATIENCE};

/// Viewers who report so often that a minute of watching takes seconds.
async fn busy() -> Lab {
    let text =
        format!("{CLOSE_TOGETHER}\nviewers = {{ count = 30, heartbeat_interval_ms = 100, haste = 10.0 }}");
    Lab::start_scratch(Topology::parse(&text).expect("a topology of three")).await.expect("three nodes start")
}

/// Waits until `enough` of the viewers' changes of device satisfy a condition.
async fn until(viewers: &Viewers, enough: impl Fn(&HandOvers) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = interval(Duration::from_millis(20));
    while !enough(&viewers.hand_overs()) {
        assert!(Instant::now() < deadline, "after {PATIENCE:?}: {:?}", viewers.hand_overs());
        looks.tick().await;
    }
}

async fn assert_all_alike(lab: &Lab, viewers: &Viewers) {
    let _held = viewers.rest().await;
    let titles = viewers.titles();
    assert!(titles.len() >= 30, "every viewer watches something");
    let verdict = agreement::compare(lab, &titles, PATIENCE).await;
    assert!(verdict.is_alike(), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_in_another_region_is_told_the_place_they_left() {
    let lab = busy().await;
    let viewers = Viewers::start(&lab);
    until(&viewers, |changes| {
        let seen = viewers.figures();
        // Everything that a viewer may do has been done, and has been told right.
        changes.right >= 30
            && [seen.failed_starts, seen.watched_offline, seen.repeated].iter().all(|&it| it >= 2)
    })
    .await;
    assert_all_alike(&lab, &viewers).await;
    let changes = viewers.hand_overs();
    assert_eq!(changes.wrong, 0, "{changes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_wrong_while_lines_break_and_a_region_dies() {
    let lab = busy().await;
    let viewers = Viewers::start(&lab);
    until(&viewers, |changes| changes.right >= 5).await;

    for other in ["us", "ap"] {
        lab.cut("eu", other, Ways::Both).expect("two regions of the lab");
    }
    // A region that cannot have seen the last report says so.
    until(&viewers, |changes| changes.stale >= 3).await;
    lab.heal_all().expect("a relay heals");

    lab.kill("us").await.expect("a region of the lab");
    let so_far = viewers.hand_overs().right;
    until(&viewers, |changes| changes.right >= so_far + 5).await;
    lab.start_again("us").await.expect("it starts again");

    let so_far = viewers.hand_overs().right;
    until(&viewers, |changes| changes.right >= so_far + 10).await;
    assert_all_alike(&lab, &viewers).await;
    let changes = viewers.hand_overs();
    assert_eq!(changes.wrong, 0, "{changes:?}");
}
