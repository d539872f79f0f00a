//! Nodes that are killed while many report to them.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tempfile::TempDir;
use tokio::process::Child;

use crate::{
    patience::within,
    serving::{Crowd, Node, Serve},
};

/// How often one node is killed.
const ROUNDS: u32 = 8;
const VIEWERS: usize = 12;
/// The most acknowledgements that a round waits for.
const ACKNOWLEDGED_MAX: u64 = 400;

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_a_node_is_killed_under_many_reports() {
    let seed = SmallRng::from_os_rng().random();
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let (home, mut node) = Node::alone().await;
    let mut crowd = Crowd::gather(&node, VIEWERS).await;
    for round in 0..ROUNDS {
        let reporting = crowd.report_to(&node);
        let enough = rng.random_range(1..=ACKNOWLEDGED_MAX);
        reporting.until(enough).await;
        node.kill().await;
        crowd = reporting.given_up().await;
        println!("round {round}: killed after {enough} acknowledgements");
        node = Node::serve(home.path()).await;
        crowd.assert_kept(&node).await;
    }
}

#[tokio::test]
async fn a_node_killed_in_its_first_start_starts_the_next_time() {
    for made in ["", "cluster.secret", "store", "store/FORMAT", "store/CURRENT", "http.addr"] {
        let home = TempDir::new().expect("a directory can be made");
        let serve = Serve::at(home.path());
        let mut first: Child = serve.spawn();
        let made = home.path().join("data").join(made);
        while !made.exists() {
            assert!(
                first.try_wait().expect("it is our child").is_none(),
                "it ended before {made:?} was there"
            );
            tokio::task::yield_now().await;
        }
        within(first.kill()).await.expect("it is our child");
        let node = serve.start().await;
        node.assert_untouched("a killed start").await;
    }
}
