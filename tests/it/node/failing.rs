//! A store that can no longer be written.

use tempfile::TempDir;

use crate::serving::{Crowd, Node, Serve};

const VIEWERS: usize = 8;

/// How often, for the end is a race between what runs and what is taken down.
const ROUNDS: usize = 4;

#[tokio::test]
async fn a_node_whose_store_fails_ends_with_a_reason_and_loses_nothing_acknowledged() {
    for _ in 0..ROUNDS {
        fail_once().await;
    }
}

async fn fail_once() {
    let home = TempDir::new().expect("a directory can be made");
    // A bound on the size of files, in half kilobytes, with the signal off so that it is an error.
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"];
    let node = Serve::at(home.path()).under(&limited).start().await;
    let origin = node.status().await["origin"].clone();
    let reporting = Crowd::gather(&node, VIEWERS).await.report_to(&node);
    let (code, said) = node.ended().await;
    assert_eq!(code, Some(1), "{said:?}");
    let reasons: Vec<_> = said.iter().filter(|line| line.starts_with("playmark: ")).collect();
    assert_eq!(reasons, [said.last().expect("it says why")], "one line, and the last one: {said:?}");
    assert!(reasons[0].contains("start the node again"), "{said:?}");
    assert!(reasons[0].contains("File too large"), "{said:?}");

    let crowd = reporting.given_up().await;
    let node = Node::serve(home.path()).await;
    assert_ne!(node.status().await["origin"], origin, "it is another life");
    crowd.assert_kept(&node).await;
    assert!(crowd.acknowledged() > 100, "the bound was to leave room for some reports");
}
