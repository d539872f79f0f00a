//! Data directories that a node must not touch, and what is said about them.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::serving::{Node, Serve, anonymous};

#[tokio::test]
async fn a_directory_that_another_node_holds_is_refused_until_that_one_is_gone() {
    let (home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    let serve = Serve::at(home.path());
    refuse(&serve, "another process has it open").await;
    let published = fs::read_to_string(home.path().join("data/http.addr")).expect("it is published");
    assert_eq!(published.trim(), node.address.to_string(), "it is still the first that is found there");
    node.stored(&anonymous("metropolis", 99_000, "playing")).await;
    node.kill().await;
    assert_eq!(serve.start().await.position("metropolis").await, Some(99_000));
}

#[tokio::test]
async fn a_directory_of_another_format_is_refused_and_left_as_it_was() {
    let (home, node) = Node::alone().await;
    node.stored(&anonymous("metropolis", 61_000, "playing")).await;
    node.kill().await;
    let format = home.path().join("data/store/FORMAT");
    let own = fs::read_to_string(&format).expect("every store has one");
    fs::write(&format, "playmark store 2\n").expect("it is ours");
    let before = files(&home.path().join("data"));
    let serve = Serve::at(home.path());
    refuse(&serve, "its format is \"playmark store 2\\n\"").await;
    assert_eq!(files(&home.path().join("data")), before);
    fs::write(&format, own).expect("it is ours");
    assert_eq!(serve.start().await.position("metropolis").await, Some(61_000));
}

#[tokio::test]
async fn a_directory_that_cannot_be_one_is_refused() {
    let home = TempDir::new().expect("a directory can be made");
    let data = home.path().join("data");
    fs::write(&data, "no directory").expect("a file can be written");
    refuse(&Serve::at(home.path()), "data").await;
    assert_eq!(fs::read(&data).expect("it is still there"), b"no directory");
}

/// Fails unless the start is refused as the operator's to mend, in one line that names the key.
async fn refuse(serve: &Serve, why: &str) {
    let lines = serve.refused(2).await;
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("playmark: data: ") && line.contains(why), "{line}");
}

/// Names, lengths and contents of the files below a directory.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("it can be listed").path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("it can be read")));
        }
    }
    found.sort();
    found
}
