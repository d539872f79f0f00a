//! Starts that cannot work, and what is said about them.

use crate::serving::Serve;
use tempfile::TempDir;

#[tokio::test]
async fn a_wrong_configuration_names_its_key_and_the_fix() {
    let cases = [
        ("[http]\nlisten = \"0.0.0.0:7080\"", "http.listen", "loopback"),
        ("regoin = \"eu\"", "regoin", "did you mean region"),
        ("[playback]\nengaged_ms = 5", "playback.engaged_ms", "3000"),
        ("[replication]", "replication.ca", "certs"),
    ];
    let home = TempDir::new().expect("a directory can be made");
    let file = home.path().join("playmark.toml");
    for (text, key, fix) in cases {
        std::fs::write(&file, text).expect("a file can be written");
        let lines = Serve::with_file(home.path(), &file).refused(2).await;
        assert!(lines.iter().any(|line| line.contains(key) && line.contains(fix)), "{text}: {lines:?}");
    }
}
