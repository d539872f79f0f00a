//! A row of fifty titles out of ten million registers on the disk.
//!
//! `cargo bench --bench rows`: a store is filled through its own interface, as weeks of watching would leave it, and a node
//! is started on it. Then it is asked for rows, each of another profile and one at a time: *cold* where the system has been
//! told to drop the store's files from its memory, *warm* where they are in it, *again* where the node itself has read the
//! same rows before. Between any two rows goes one `GET /healthz`, which does nothing; the times of both
//! stand beside each other.
//!
//! It takes some two gigabytes of the temporary directory (`TMPDIR`) and frees them at its end.

#![expect(clippy::disallowed_methods, reason = "it tells how fast a node is; no run of it sees the time")]

mod exchange;
mod process;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use exchange::{Connection, NOTHING, Times};
use playmark::{
    crdt::{Dot, Origin, Register, Stamp, Timestamp, TitleId, WallTime},
    playback::{Accepted, Heartbeat, Known, Outcome, Policy, Sender, SessionId, accept, slot},
    store::{Batch, Durability, RocksOptions, RocksStore, Store},
};
use process::Node;
use tempfile::TempDir;

const PROFILES: u64 = 50_000;
const TITLES: u64 = 50;
const SESSIONS: u64 = 4;
const REGISTERS: u64 = PROFILES * TITLES * SESSIONS;

/// Profiles whose titles one commit has.
const AT_ONCE: u64 = 40;

/// How many rows are asked for in each state.
const ROWS: u64 = 2_000;

/// How long the store's files must stay the same for it to be at rest.
const AT_REST: Duration = Duration::from_secs(5);

const ORIGIN: Origin = Origin::from_random(1);

/// When the first of them watched.
const BEGAN: u64 = 1_700_000_000_000;

/// The profiles that are asked for, or written, one after the other lie far apart.
fn nth(number: u64) -> u64 {
    number * 7_919 % PROFILES
}

/// Each session of a title lies among those of all other profiles, as evenings do.
fn fill(store: &mut RocksStore) {
    let values: Vec<_> = (0..SESSIONS).map(value).collect();
    let mut written = 0;
    for session in 0..SESSIONS {
        for first in (0..PROFILES).step_by(usize::try_from(AT_ONCE).expect("it is small")) {
            let mut batch = Batch::default();
            for profile in (first..first + AT_ONCE).map(nth) {
                for number in 0..TITLES {
                    written += 1;
                    put(&mut batch, profile, number, session, written, &values);
                }
            }
            store.commit(&batch, Durability::Process).expect("the device is sound");
        }
    }
    store.sync().expect("the device is sound");
    assert_eq!(written, REGISTERS);
}

fn put(batch: &mut Batch, profile: u64, number: u64, session: u64, written: u64, values: &[Arc<[u8]>]) {
    let title = title(profile, number);
    let id = u128::from(xxhash_rust::xxh3::xxh3_64(&written.to_be_bytes())) << 64 | u128::from(written);
    let key = title.key(slot::session(SessionId::from_random(id)));
    let stamp = Stamp { time: WallTime::from_ms(BEGAN + written), counter: 9, writer: key.slot.id };
    let version = Timestamp::from_u64(written);
    let dot = Dot { origin: ORIGIN, version };
    let value = Arc::clone(&values[usize::try_from(session).expect("it is small")]);
    batch.changes.insert((ORIGIN, version), Some(key.clone()));
    batch.vector.advance(ORIGIN, version);
    batch.registers.insert(key.clone(), Some(Register::seal(&key, stamp, dot, value)));
}

fn title(profile: u64, number: u64) -> TitleId {
    let content = format!("shows/{}/episode-{number}", profile % 1_000 + number % 7);
    TitleId::parse(&format!("household-{profile}"), &content).expect("both are ids")
}

/// What a player says of itself, as a node keeps it.
fn value(session: u64) -> Arc<[u8]> {
    let heartbeat = format!(
        r#"{{"profile":"p","content":"c","seq":9,"position_ms":{},"duration_ms":7200000,"event":"stopped",
        "played_ms":60000,"device":"TV","series":"shows/7"}}"#,
        1_200_000 + session
    );
    let heartbeat = Heartbeat::from_json(heartbeat.as_bytes()).expect("a heartbeat");
    let (title, session) = heartbeat.unsigned().expect("it names both");
    let (sender, now) = (Sender::Unsigned { title: &title, session }, WallTime::from_ms(BEGAN));
    let accepted = accept(&heartbeat, sender, Known::default(), now, &Policy::default());
    match accepted.expect("it is let in") {
        Accepted { outcome: Outcome::Write { place, .. }, .. } => place.value,
        accepted => panic!("it says something: {accepted:?}"),
    }
}

/// Waits until the store has put its files in order.
fn until_at_rest(store: &Path) {
    let (mut found, mut since) = (files(store), Instant::now());
    while since.elapsed() < AT_REST {
        sleep(Duration::from_millis(200));
        let again = files(store);
        if again != found {
            (found, since) = (again, Instant::now());
        }
    }
}

fn files(store: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(store).expect("it is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "sst"));
    files.sort_unstable();
    files
}

/// Tells the system that nobody needs the files in its memory.
fn forget(store: &Path) {
    for file in files(store) {
        let file = format!("if={}", file.display());
        let told = Command::new("dd").args([&file, "iflag=nocache", "count=0", "status=none"]).status();
        assert!(told.is_ok_and(|status| status.success()), "dd cannot drop {file}");
    }
}

/// Reads the files, so that they are in the system's memory.
fn remember(store: &Path) {
    for file in files(store) {
        fs::read(file).expect("it can be read");
    }
}

/// Asks for rows, and in between for nothing.
fn ask(node: &Node, what: &str, profiles: std::ops::Range<u64>) {
    let mut connection = Connection::over(node.connect());
    let (mut rows, mut nothing) = (Vec::new(), Vec::new());
    for profile in profiles.map(nth) {
        nothing.push(connection.ask_for(NOTHING));
        let path = format!("/v1/profiles/household-{profile}/continue-watching?limit={TITLES}");
        rows.push(connection.ask_for(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")));
        let titles = connection.answer().matches("\"content\":").count();
        assert_eq!(titles, usize::try_from(TITLES).expect("it is small"), "{}", connection.answer());
    }
    let (rows, nothing) = (Times::new(rows), Times::new(nothing));
    println!(
        "{} rows, {what}: p50 {:?} p99 {:?} most {:?}; nothing: p50 {:?} p99 {:?}; p50 against p50 {:.1}",
        rows.count(),
        rows.within(500),
        rows.within(990),
        rows.within(1_000),
        nothing.within(500),
        nothing.within(990),
        rows.within(500).as_secs_f64() / nothing.within(500).as_secs_f64()
    );
}

fn main() {
    let home = TempDir::new().expect("a directory can be made");
    let store = home.path().join("data").join("store");
    fs::create_dir_all(&store).expect("it is new");
    let began = Instant::now();
    {
        let mut opened = RocksStore::open(&store, RocksOptions::default()).expect("it is new");
        fill(&mut opened);
        until_at_rest(&store);
    }
    let bytes: u64 = files(&store).iter().map(|file| fs::metadata(file).map_or(0, |it| it.len())).sum();
    println!("{REGISTERS} registers in {:?}: {} MB on the disk", began.elapsed(), bytes / 1_000_000);

    let node = Node::start_in(home);
    until_at_rest(&store);
    forget(&store);
    ask(&node, "cold", 0..ROWS);
    remember(&store);
    ask(&node, "warm", ROWS..2 * ROWS);
    let again = 2 * ROWS..2 * ROWS + ROWS / 10;
    ask(&node, "before", again.clone());
    ask(&node, "again", again);
    println!("the node: {} KiB at most", node.peak());
}
