//! Three regions close together, and a person who reports and asks by hand.

use std::time::Duration;

use cluster::{
    agreement::{self, Title, Vector},
    api::{Event, Heartbeat},
    lab::Lab,
    topology::Topology,
};
use tokio::time::Instant;

/// Long enough for two busy cores, and waited out only when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// As a topology file; the ports are free ones.
pub(crate) const CLOSE_TOGETHER: &str = "
    cluster = 'demo'
    regions = [{ name = 'eu' }, { name = 'us' }, { name = 'ap' }]
    lines = [
        { from = 'eu', to = 'us', delay_ms = 5, jitter_ms = 1 },
        { from = 'eu', to = 'ap', delay_ms = 8, jitter_ms = 1, loss_percent = 1 },
        { from = 'us', to = 'ap', delay_ms = 11, jitter_ms = 2, loss_percent = 1 },
    ]
";

pub(crate) const REGIONS: [&str; 3] = ["eu", "us", "ap"];

pub(crate) async fn close_together() -> Lab {
    let topology = Topology::parse(CLOSE_TOGETHER).expect("a topology of three");
    Lab::start_scratch(topology).await.expect("three nodes start")
}

pub(crate) fn title(content: &str) -> Title {
    Title { profile: "ada".to_owned(), content: content.to_owned() }
}

/// Seeks to a place in a session of its own; answers the dot of the acknowledgement.
pub(crate) async fn report(lab: &Lab, region: &str, title: &Title, position_ms: u64) -> String {
    let url = lab.url(region).expect("a region of the lab");
    let began = Instant::now();
    let opened =
        lab.api().open(&url, &title.profile, &title.content, "by hand").await.expect("the node runs");
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).expect("it took less than an age");
    let heartbeat = Heartbeat {
        token: opened.token,
        seq: 1,
        elapsed_ms,
        sent_elapsed_ms: elapsed_ms,
        position_ms,
        duration_ms: 7_200_000,
        event: Event::Seeked,
        played_ms: 0,
        deliberate: true,
    };
    let said = lab.api().heartbeat(&url, &heartbeat).await.expect("the node runs");
    said.dot.expect("an acknowledgement names its dot")
}

/// Where a region says that a title stands.
pub(crate) async fn place(lab: &Lab, region: &str, title: &Title) -> Option<u64> {
    let url = lab.url(region).expect("a region of the lab");
    let found = lab.api().resume_point(&url, &title.profile, &title.content, None).await;
    found.expect("the node runs").point.map(|point| point.position_ms)
}

/// Where a region says that a title stands once it has seen a report.
pub(crate) async fn place_after(lab: &Lab, region: &str, title: &Title, dot: &str) -> u64 {
    let url = lab.url(region).expect("a region of the lab");
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Waits at the node, for two seconds at most.
        let found = lab.api().resume_point(&url, &title.profile, &title.content, Some(dot)).await;
        let found = found.expect("the node runs");
        if !found.stale {
            return found.point.expect("what was reported stands").position_ms;
        }
        assert!(Instant::now() < deadline, "{region} never saw the report of {title}");
    }
}

/// Fails unless every node that runs comes to hold the same and answers alike.
pub(crate) async fn assert_alike(lab: &Lab, titles: &[Title]) {
    let verdict = agreement::compare(lab, titles, PATIENCE).await;
    assert!(verdict.is_alike(), "{verdict}");
}

/// Waits until every node that runs holds what has been written.
pub(crate) async fn until_all_hold_all(lab: &Lab) {
    let all = Vector::of_all(lab).await;
    if let Err(verdict) = agreement::until_held(lab, &all, PATIENCE).await {
        panic!("{verdict}");
    }
}
