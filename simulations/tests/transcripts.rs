//! Conversations of replicas, compared with how they went when somebody last read them.
//!
//! `UPDATE=1 cargo test -p simulations` writes them anew; the difference is the change's meaning.

use std::{env, fs, path::PathBuf};

use simulations::transcript::play;

#[test]
fn conversations_go_as_they_are_written_down() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let entries = fs::read_dir(&folder).expect("the transcripts are beside the tests").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "transcripts are missing");
    for path in paths {
        let written = fs::read_to_string(&path).expect("a listed file can be read");
        let played = play(&written).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        if is_to_be_written() {
            fs::write(&path, &played).expect("a transcript can be written");
        } else {
            assert_eq!(played, written, "{} goes otherwise; UPDATE=1 accepts it", path.display());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests, no input of the program")]
fn is_to_be_written() -> bool {
    env::var_os("UPDATE").is_some()
}
