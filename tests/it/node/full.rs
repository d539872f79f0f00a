//! A disk that fills, and one on which room is made again.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::{
    patience::until_found,
    serving::{Serve, anonymous, problem},
};

/// A file system of its own, in a namespace in which this user is root: nothing on the machine notices.
const OF_256_MB: &str = r#"mkdir -p "$0" && mount -t tmpfs -o size=256m tmpfs "$0" && exec "$@""#;

/// What leaves less free than the reserve.
const BALLAST_BYTES: usize = 160 * 1_024 * 1_024;

#[tokio::test]
async fn with_a_full_disk_a_node_answers_and_erases_and_goes_on_when_there_is_room() {
    let home = TempDir::new().expect("a directory can be made");
    let data = home.path().join("data");
    let inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", OF_256_MB];
    let inside = [&inside[..], &[data.to_str().expect("temporary directories have plain names")]].concat();
    let node = Serve::configured(home.path(), "data_reserve_mb = 64").under(&inside).start().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let before = node.status().await;

    // The file system as the process sees it.
    let ballast = PathBuf::from(format!("/proc/{}/root", node.pid()))
        .join(data.strip_prefix("/").expect("it is absolute"));
    let ballast = ballast.join("ballast");
    fs::write(&ballast, vec![0; BALLAST_BYTES]).expect("there is room for it");
    until_found(async || (node.status().await["disk_full"] == true).then_some(())).await;
    let refused = node.beat(&anonymous("metropolis", 99_000, "playing")).await;
    problem(refused, 503, "disk-full", "write to another node").await;
    assert_eq!(node.position("metropolis").await, Some(61_000), "it answers what it is asked");
    let erased = node.delete("/v1/profiles/bob").await;
    assert!(erased.status().is_success(), "an erasure is taken: {erased:?}");

    fs::remove_file(&ballast).expect("it is there");
    until_found(async || (node.status().await["disk_full"] == false).then_some(())).await;
    node.stored(&anonymous("metropolis", 99_000, "playing")).await;
    assert_eq!(node.position("metropolis").await, Some(99_000));
    assert_eq!(node.status().await["origin"], before["origin"], "it is the same life");
}
