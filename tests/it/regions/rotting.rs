//! A log in which a bit has changed: what it held is learnt again, under a new name.

use std::{fs, path::PathBuf};

use super::trio::{Trio, status};
use crate::serving::anonymous;

/// Flips a bit in the middle of the greatest write-ahead log of a store whose node has ended.
fn flip_in_log(store: &PathBuf) {
    let logs = fs::read_dir(store).expect("it is there").flatten().map(|entry| entry.path());
    let logs = logs.filter(|path| path.extension().is_some_and(|it| it == "log"));
    let written = |path: &PathBuf| {
        let bytes = fs::read(path).expect("it can be read");
        // RocksDB sets room aside; what it has not written is zero.
        bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
    };
    let log = logs.max_by_key(written).expect("a store has a log");
    let mut bytes = fs::read(&log).expect("it can be read");
    let middle = written(&log) / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).expect("it can be written");
}

#[tokio::test]
async fn what_a_flipped_bit_takes_from_the_log_is_learnt_again_from_the_others() {
    let trio = Trio::start().await;
    for number in 0..200_u64 {
        trio.ap.stored(&anonymous(&format!("film {number}"), 61_000 + number, "playing")).await;
    }
    trio.until_alike().await;
    let before = status(&trio.ap).await.origin;
    let Trio { authority, eu, us, ap, serve_ap, eu_address } = trio;
    ap.kill().await;
    flip_in_log(&serve_ap.store());

    let ap = serve_ap.start().await;
    ap.until_ready().await;
    let trio = Trio { authority, eu, us, ap, eu_address, serve_ap };
    trio.until_alike().await;
    assert_ne!(status(&trio.ap).await.origin, before, "it writes under another name");
    for number in 0..200_u64 {
        assert_eq!(trio.ap.position(&format!("film {number}")).await, Some(61_000 + number), "film {number}");
    }
    // What it writes now lies above all that it has lost, and takes nobody's place.
    trio.ap.stored(&anonymous("film 7", 99_000, "playing")).await;
    trio.until_alike().await;
    assert_eq!(trio.eu.position("film 7").await, Some(99_000));
}
