//! Starts that cannot work, and what is said about them.

use crate::serving::Serve;
use tempfile::TempDir;

#[tokio::test]
async fn numbers_of_a_file_are_taken() {
    let home = TempDir::new().expect("a directory can be made");
    let lines = "[playback]\nheartbeat_interval_ms = 5000\n[tokens]\nlifetime_s = 3600\n";
    let node = Serve::configured(home.path(), lines).start().await;
    let opened = node.open("metropolis").await;
    assert_eq!(opened["heartbeat_interval_ms"], 5_000);
    let lasts = opened["expires_ms"].as_u64().zip(opened["anchor_ms"].as_u64()).map(|(to, from)| to - from);
    assert_eq!(lasts, Some(3_600_000));
}

#[tokio::test]
async fn a_wrong_configuration_names_its_key_and_the_fix() {
    let cases = [
        ("[http]\nlisten = \"0.0.0.0:7080\"", "http.listen", "loopback"),
        (
            "[http]\nunauthenticated = true\n[auth]\nkeys_file = \"/dev/null\"",
            "http.unauthenticated",
            "contradicts",
        ),
        ("[http]\nallowed_hosts = [\"tv.example:80\"]", "http.allowed_hosts", "without a port"),
        ("[http]\ncors_origins = [\"tv.example\"]", "http.cors_origins", "https://tv.example"),
        ("[http]\ntrusted_proxies = [\"gateway\"]", "http.trusted_proxies", "10.0.0.0/8"),
        ("[limits]\nsessions_per_minute = -1", "limits.sessions_per_minute", "from 0"),
        ("[http]\nunauthenticated = 7", "http.unauthenticated", "true or false"),
        ("[auth]\nkeys_file = \"/nowhere/keys.toml\"", "auth.keys_file", "/nowhere/keys.toml"),
        ("[auth]\nkeys_file = \"/dev/null\"\naudience = \"a\"", "auth.audience", "bearer tokens"),
        ("[auth]\njwks_url = \"http://id.example/keys\"", "auth.jwks_url", "https://"),
        ("[auth]\njwks_url = \"https://id/\"\njwks_file = \"/dev/null\"", "auth.jwks_url", "leave one"),
        ("[auth]\njwks_file = \"/dev/null\"", "auth", "no key set"),
        ("[auth]\njwt_secret_file = \"/dev/null\"", "auth", "must have 32"),
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
