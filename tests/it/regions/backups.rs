//! Backups, and what is left when all regions are lost.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::trio::status;
use crate::{
    patience::{until_found, within},
    serving::{Authority, Node, Serve, anonymous, report},
};

/// Runs the command; its exit code and what it said.
async fn playmark(words: &[&str]) -> (Option<i32>, String) {
    playmark_in(Path::new("."), words).await
}

/// The same in a folder.
async fn playmark_in(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
    command.current_dir(folder);
    let output = within(command.args(words).output()).await.expect("it can be started");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).expect("it is text"));
    (output.status.code(), said.concat())
}

/// Lets a node make a backup; where it is.
async fn back_up(node: &Node) -> PathBuf {
    let (code, said) = playmark(&["backup", "--http", &node.address.to_string()]).await;
    assert_eq!(code, Some(0), "{said}");
    PathBuf::from(said.split_once(": ").expect("it says where it is, and how much").0)
}

async fn restore(from: &Path, data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let [from, data] = [from, data].map(|path| path.to_str().expect("a plain name"));
    playmark(&[&["restore", "--from", from, "--data", data], more].concat()).await
}

async fn until_at(node: &Node, content: &str, position_ms: u64) {
    until_found(async || (node.position(content).await == Some(position_ms)).then_some(())).await;
}

/// Two nodes, of which the first makes backups.
struct Pair {
    authority: Authority,
    serve_eu: Serve,
    eu: Node,
    serve_us: Serve,
    us: Node,
}

impl Pair {
    async fn start(backups: &TempDir) -> Self {
        let authority = Authority::make().await;
        let serve_eu = authority.node("eu", &[]).await.with("--backup-dir", backups.path());
        let eu = serve_eu.start().await;
        let serve_us = authority.node("us", &[("eu", serve_eu.replication_address())]).await;
        let us = serve_us.start().await;
        us.until_ready().await;
        Self { authority, serve_eu, eu, serve_us, us }
    }
}

#[tokio::test]
async fn all_regions_are_lost_and_rebuilt_from_one_backup_and_what_players_send_again() {
    let backups = TempDir::new().expect("a directory can be made");
    let Pair { authority, serve_eu, eu, serve_us, us, .. } = Pair::start(&backups).await;
    for number in 0..20_u64 {
        us.stored(&anonymous(&format!("film {number}"), 61_000 + number, "playing")).await;
    }
    let opened: Value = us.open("film 3").await;
    until_at(&eu, "film 19", 61_019).await;
    let replica = status(&eu).await.replica;
    let backup = back_up(&eu).await;

    // Nobody's disk is left, and what came after the backup is with the players alone.
    let after = report(&opened, 1, 300_000, "paused");
    us.stored(&after).await;
    until_at(&eu, "film 3", 300_000).await;
    eu.kill().await;
    us.kill().await;
    for serve in [&serve_eu, &serve_us] {
        fs::remove_dir_all(serve.store().parent().expect("it is in the data directory")).expect("it is ours");
    }

    let data = serve_eu.store().with_file_name("");
    let (code, said) = restore(&backup, &data, &["--last-copy"]).await;
    assert_eq!(code, Some(0), "{said}");
    let eu = serve_eu.start().await;
    eu.until_ready().await;
    let serve_ap = authority.node("ap", &[("eu", serve_eu.replication_address())]).await;
    let ap = serve_ap.start().await;
    ap.until_ready().await;
    ap.stored(&after).await;
    for node in [&eu, &ap] {
        until_at(node, "film 3", 300_000).await;
        assert_eq!(node.position("film 19").await, Some(61_019));
    }
    assert_ne!(status(&eu).await.replica, replica, "what it was copied from may still run");
}

#[tokio::test]
async fn one_of_several_answers_only_when_it_knows_what_came_after_its_backup() {
    let (authority, backups) = (Authority::make().await, TempDir::new().expect("a directory can be made"));
    let serve_eu = authority.node("eu", &[]).await.with("--backup-dir", backups.path());
    let eu = serve_eu.start().await;
    eu.stored(&anonymous("film", 61_000, "playing")).await;
    let backup = back_up(&eu).await;
    eu.stored(&anonymous("film", 75_000, "playing")).await;

    let serve_us = authority.node("us", &[("eu", serve_eu.replication_address())]).await;
    let (code, said) = restore(&backup, &serve_us.store().with_file_name(""), &[]).await;
    assert!(code == Some(0) && said.contains("once it has caught up"), "{said}");
    let us = serve_us.start().await;
    us.until_ready().await;
    assert_eq!(us.position("film").await, Some(75_000), "from its first answer on");
}

#[tokio::test]
async fn what_is_damaged_or_would_overwrite_something_is_not_restored() {
    let [home, backups, elsewhere] = [(); 3].map(|()| TempDir::new().expect("a directory can be made"));
    let node = Serve::at(home.path()).with("--backup-dir", backups.path()).start().await;
    node.stored(&anonymous("film", 61_000, "playing")).await;
    let backup = back_up(&node).await;

    let (code, said) = restore(&backup, &home.path().join("data"), &[]).await;
    assert!(code == Some(1) && said.contains("there is something already"), "{said}");

    let target = elsewhere.path().join("data");
    let (code, said) = restore(&backups.path().join("nowhere"), &target, &[]).await;
    assert!(code == Some(1) && said.contains("manifest.json"), "{said}");

    let store = backup.join("store");
    let largest = fs::read_dir(&store).expect("it is there").map(|entry| entry.expect("it is there").path());
    let largest = largest.max_by_key(|path| fs::metadata(path).expect("it is there").len());
    let largest = largest.expect("a store has files");
    let mut bytes = fs::read(&largest).expect("it can be read");
    bytes[7] ^= 1;
    // Files are linked with the node's own: the damage is to the copy alone.
    fs::remove_file(&largest).expect("it is ours");
    fs::write(&largest, bytes).expect("it is ours");
    let (code, said) = restore(&backup, &target, &[]).await;
    assert!(code == Some(1) && said.contains("the backup is damaged"), "{said}");
    let left: Vec<_> = fs::read_dir(elsewhere.path()).expect("it is there").collect();
    assert!(left.is_empty(), "nothing is half done: {left:?}");
}

#[tokio::test]
async fn a_node_without_a_directory_for_backups_says_so() {
    let (_home, node) = Node::alone().await;
    let (code, said) = playmark(&["backup", "--http", &node.address.to_string()]).await;
    assert!(code == Some(1) && said.contains("no `backup.dir` is configured"), "{said}");
}

#[tokio::test]
async fn what_was_erased_since_a_backup_stays_erased_when_it_is_brought_back() {
    let backups = TempDir::new().expect("a directory can be made");
    let Pair { authority: _certified, serve_eu, eu, us, .. } = Pair::start(&backups).await;
    for film in ["kept", "erased", "of nobody"] {
        us.stored(&anonymous(film, 61_000, "playing")).await;
    }
    let mut of_bob = anonymous("kept", 75_000, "playing");
    of_bob["profile"] = "bob".into();
    us.stored(&of_bob).await;
    until_at(&eu, "of nobody", 61_000).await;
    let backup = back_up(&eu).await;

    // Elsewhere than where the backups are: the node that makes them hears of it like everybody.
    for path in ["/v1/profiles/ada/titles/erased", "/v1/profiles/bob"] {
        let erased = us.delete(path).await;
        assert!(erased.status().is_success(), "{path}: {erased:?}");
    }
    let list = backups.path().join("eu-1.erasures");
    until_found(async || fs::read_to_string(&list).ok().filter(|text| text.lines().count() == 2)).await;
    eu.kill().await;
    us.kill().await;

    let data = serve_eu.store().with_file_name("");
    fs::remove_dir_all(&data).expect("it is ours");
    // By its name alone, in the folder where it is.
    let name = backup.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let words = ["restore", "--from", name, "--data", data.to_str().expect("a plain name"), "--last-copy"];
    fs::write(backups.path().join("spoilt.erasures"), "no erasure\n").expect("it is ours");
    let (code, said) = playmark_in(backups.path(), &words).await;
    assert!(code == Some(1) && said.contains("spoilt.erasures") && said.contains("line 1"), "{said}");
    fs::remove_file(backups.path().join("spoilt.erasures")).expect("it is ours");
    let (code, said) = playmark_in(backups.path(), &words).await;
    assert_eq!(code, Some(0), "{said}");
    let eu = serve_eu.start().await;
    eu.until_ready().await;
    assert_eq!(eu.position("kept").await, Some(61_000));
    assert_eq!(eu.position("erased").await, None, "it was erased after the backup was made");
    assert_eq!(eu.get("/v1/profiles/bob/resume-points/kept").await.status(), 404, "and so was all of bob");
}
