//! Nodes that are asked to leave while they are busy.

use crate::serving::{Crowd, Node};

const VIEWERS: usize = 8;

#[tokio::test]
async fn a_node_that_is_asked_to_leave_under_reports_ends_in_order_and_keeps_everything() {
    let (home, mut node) = Node::alone().await;
    let mut crowd = Crowd::gather(&node, VIEWERS).await;
    for signal in ["TERM", "INT"] {
        let reporting = crowd.report_to(&node);
        reporting.until(100).await;
        node.signal(signal).await;
        let (code, said) = node.ended().await;
        assert_eq!(code, Some(0), "{signal}: {said:?}");
        assert!(said.iter().any(|line| line.contains("node leaves")), "{said:?}");
        crowd = reporting.given_up().await;
        node = Node::serve(home.path()).await;
        crowd.assert_kept(&node).await;
    }
}
