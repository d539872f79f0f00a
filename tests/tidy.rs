//! Keeps the house tidy: which room may know which, how long a file may grow, and that words stay true.
//!
//! It reads the repository as text and knows nothing but `std`, so that it runs before anything is built.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which rooms each room may name. Data goes down through them once and up once.
const ROOMS: &[(&str, &[&str])] = &[
    ("crdt", &["zoo"]),
    ("playback", &["crdt"]),
    ("store", &["crdt"]),
    ("membership", &["crdt", "zoo"]),
    ("replica", &["crdt", "store", "zoo"]),
    ("transport", &["crdt"]),
    ("node", &["config", "crdt", "membership", "playback", "replica", "store", "transport"]),
    ("config", &["crdt", "http", "node", "playback", "store", "transport"]),
    ("http", &["config", "crdt", "node", "playback"]),
];

/// The rooms that know no runtime, socket, file or clock.
const PURE: &[&str] = &["crdt", "membership", "playback", "store", "replica"];

/// What a pure room does not name; the store's folder for a disk stands behind the feature `node`.
const IMPURE: &[&str] =
    &["tokio::", "quinn::", "rocksdb::", "std::net", "std::fs", "std::thread", "Instant", "SystemTime"];

/// What may stand at the top level, beside names that begin with a dot.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "cluster",
    "docs",
    "simulations",
    "src",
    "tests",
];

/// Longer than this, before its tests, a file has more than one subject.
const FILE_LINES_MAX: usize = 500;

#[test]
fn every_room_knows_only_the_rooms_below_it() {
    let mut strangers = Vec::new();
    for &(room, allowed) in ROOMS {
        for file in rust_files(&root().join("src").join(room)) {
            for (number, line) in code_lines(&file) {
                let named = rooms_named(&line).into_iter();
                let unknown = named.filter(|name| name != room && !allowed.contains(&name.as_str()));
                strangers
                    .extend(unknown.map(|name| format!("{}:{number}: {room} names {name}", show(&file))));
            }
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<_> = ROOMS.iter().map(|&(room, _)| room.to_owned()).collect();
    for entry in fs::read_dir(root().join("src")).expect("there is a src").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_room = entry.path().is_dir() && name != "cli";
        assert!(!is_room || rooms.contains(&name), "src/{name} is no room of the table in tests/tidy.rs");
    }
}

#[test]
fn pure_rooms_name_no_runtime_socket_file_or_clock() {
    let mut found = Vec::new();
    for room in PURE {
        let files = rust_files(&root().join("src").join(room)).into_iter();
        for file in files.filter(|file| !show(file).starts_with("src/store/rocks")) {
            for (number, line) in code_lines(&file) {
                let impure = IMPURE.iter().filter(|&&name| line.contains(name));
                found.extend(impure.map(|name| format!("{}:{number}: {name}", show(&file))));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_file_has_more_than_one_subject() {
    let folders = ["src", "cluster", "simulations", "tests"].map(|folder| rust_files(&root().join(folder)));
    for file in folders.into_iter().flatten() {
        let text = fs::read_to_string(&file).expect("a listed file can be read");
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines before its tests", show(&file));
    }
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let readme = read("README.md");
    for entry in fs::read_dir(root().join("docs")).expect("there is a docs").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_page = Path::new(&name).extension().is_some_and(|it| it == "md");
        assert!(!is_page || readme.contains(&format!("docs/{name}")), "README.md does not link docs/{name}");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = ["README.md".into()].into_iter().chain(
        fs::read_dir(root().join("docs")).expect("there is a docs").flatten().map(|entry| entry.path()),
    );
    for page in pages.map(|page| root().join(page)).filter(|it| it.extension().is_some_and(|it| it == "md")) {
        let text = fs::read_to_string(&page).expect("a listed file can be read");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().expect("splitting gives at least one piece");
            let target = page.parent().expect("a page is in a folder").join(path);
            let outside = link.contains("://") || link.starts_with('#') || link.starts_with("mailto:");
            assert!(outside || target.exists(), "{} links {link}, which does not exist", show(&page));
        }
    }
}

#[test]
fn the_version_is_in_the_changelog() {
    let version = concat!("## ", env!("CARGO_PKG_VERSION"));
    assert!(read("docs/CHANGELOG.md").contains(version), "docs/CHANGELOG.md has no heading `{version}`");
}

#[test]
fn the_top_level_stays_as_it_is() {
    for entry in fs::read_dir(root()).expect("there is a root").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // What a build or a running node leaves there is not part of the repository.
        let known = name.starts_with('.') || ["target", "playmark-data"].contains(&name.as_str());
        assert!(known || TOP_LEVEL.contains(&name.as_str()), "{name} does not belong at the top level");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn show(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The lines of a file before its tests, without comments.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a listed file can be read");
    let before_tests = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    let code = before_tests.enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(index, line)| (index + 1, line.to_owned())).collect()
}

/// The rooms that a line names as `crate::room`, or, inside a `use crate::{…}` block, as `room::`.
fn rooms_named(line: &str) -> BTreeSet<String> {
    let after_crate = line.split("crate::").skip(1);
    let direct = after_crate.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
    let trimmed = line.trim_start();
    let is_use = line.starts_with("    ") && trimmed.ends_with([',', '{']);
    let grouped = trimmed.split_once("::").map(|(head, _)| head).filter(|_| is_use);
    let names = direct.chain(grouped).filter(|name| ROOMS.iter().any(|(room, _)| room == name));
    names.map(str::to_owned).collect()
}
