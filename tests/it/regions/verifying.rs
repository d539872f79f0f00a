//! `playmark verify`: whether the disks of nodes hold the same.

use std::{path::Path, process::Output};

use tempfile::TempDir;
use tokio::process::Command;

use super::{repairing::forget, trio::Trio};
use crate::{
    patience::within,
    serving::{Node, Serve, anonymous},
};

/// Asks whether nodes hold the same.
async fn verify(nodes: &[&Node]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
    command.arg("verify");
    for node in nodes {
        command.args(["--http", &node.address.to_string()]);
    }
    let Output { status, stdout, stderr } = within(command.output()).await.expect("it can be started");
    let said = [stdout, stderr].map(|said| String::from_utf8(said).expect("it is text")).concat();
    (status.code(), said)
}

#[tokio::test]
async fn nodes_that_hold_the_same_are_said_to() {
    let trio = Trio::start().await;
    for number in 0..20_u64 {
        trio.eu.stored(&anonymous(&format!("film {number}"), 61_000 + number, "playing")).await;
    }
    // Whatever of it is on its way is no difference.
    let (code, said) = verify(&[&trio.eu, &trio.us, &trio.ap]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("eu-1, us-1, ap-1 hold the same: ") && said.contains(" in 4096 shards"),
        "{said}"
    );
}

#[tokio::test]
async fn a_row_that_one_disk_has_lost_is_named() {
    let (homes, node) = ([(); 2].map(|()| TempDir::new().expect("a directory can be made")), "film 7");
    let [one, other] = [&homes[0], &homes[1]].map(|home| Serve::at(home.path()));
    let first = one.start().await;
    for number in 0..20_u64 {
        first.stored(&anonymous(&format!("film {number}"), 61_000 + number, "playing")).await;
    }
    first.signal("TERM").await;
    assert_eq!(first.ended().await.0, Some(0));
    copy(homes[0].path(), homes[1].path()).await;
    forget(&other.store(), node);

    let (first, second) = (one.start().await, other.start().await);
    let (code, said) = verify(&[&first, &second]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ada / film 7, ") && said.contains("at node; nothing at node"), "{said}");
    assert_eq!(said.lines().count(), 2, "one register, and what is to be done: {said}");
    let (code, said) = verify(&[&first]).await;
    assert_eq!(code, Some(2), "{said}");
}

/// What somebody restores who has stopped a node.
async fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from.join("data")).arg(to).status().await;
    assert!(copied.expect("every system copies").success());
}
