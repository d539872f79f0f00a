//! Certificates in files.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use playmark::transport::certs::{CertsError, make_ca, make_node, make_secret};

use super::world::{directory, wall_now};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn keys_and_secrets_are_for_their_owner_alone() {
    let out = directory().join("made/if/missing");
    let ca = make_ca("demo", &out, wall_now()).expect("an authority");
    let node = make_node(&out, "eu-1", &"eu".parse().expect("a region"), &out, wall_now()).expect("a node");
    let alone = directory().join("cluster.secret");
    make_secret(&alone).expect("a secret");
    for private in [&ca.key, &ca.secret, &node.key, &alone] {
        assert_eq!(mode(private), 0o600, "{}", private.display());
    }
    assert_eq!(node.name.to_string(), "eu-1.eu.demo");
    assert_eq!((ca.certificate, node.certificate), (out.join("ca.crt"), out.join("eu-1.crt")));

    let (first, second) = (fs::read_to_string(ca.secret), fs::read_to_string(alone));
    let (first, second) = (first.expect("a file"), second.expect("a file"));
    assert_ne!(first, second);
    assert_eq!(first.trim_end().len(), 64);
    assert!(first.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
}

#[test]
fn nothing_is_overwritten() {
    let out = directory();
    let region = "eu".parse().expect("a region");
    make_ca("demo", &out, wall_now()).expect("an authority");
    make_node(&out, "eu-1", &region, &out, wall_now()).expect("a node");
    let everything = || {
        let files = fs::read_dir(&out).expect("a directory").map(|file| file.expect("a file").path());
        files.map(|path| (fs::read(&path).expect("a file"), path)).collect::<Vec<_>>()
    };
    let before = everything();
    for error in [
        make_ca("demo", &out, wall_now()).expect_err("it is there"),
        make_node(&out, "eu-1", &region, &out, wall_now()).expect_err("it is there"),
        make_secret(&out.join("cluster.secret")).expect_err("it is there"),
    ] {
        assert!(matches!(error, CertsError::Exists { .. }), "{error}");
    }
    // One file of a set is enough to refuse the set.
    fs::remove_file(out.join("ca.key")).expect("a file");
    make_ca("demo", &out, wall_now()).expect_err("the others are there");
    assert!(!out.join("ca.key").exists());
    assert_eq!(everything().len(), before.len() - 1);
    assert!(everything().iter().all(|file| before.contains(file)));
}

#[test]
fn what_is_no_name_and_no_authority_is_refused_in_one_line() {
    let region = "eu".parse().expect("a region");
    let (out, empty, wrong) = (directory(), directory(), directory());
    make_ca("demo", &out, wall_now()).expect("an authority");
    let node = make_node(&out, "eu-1", &region, &empty, wall_now()).expect("a node");
    // A node's certificate is no authority's, even where it lies in its place.
    fs::copy(&node.certificate, wrong.join("ca.crt")).expect("a file");
    fs::copy(&node.key, wrong.join("ca.key")).expect("a file");
    for (error, words) in [
        (make_ca("two words", &directory(), wall_now()).map(|_| ()), "cluster \"two words\""),
        (make_ca("42", &directory(), wall_now()).map(|_| ()), "letter"),
        (make_node(&out, "EU", &region, &out, wall_now()).map(|_| ()), "name \"EU\""),
        (make_node(&empty, "a", &region, &out, wall_now()).map(|_| ()), "ca.crt"),
        (make_node(&wrong, "a", &region, &out, wall_now()).map(|_| ()), "no authority"),
    ] {
        let error = error.expect_err("it cannot work").to_string();
        assert!(error.contains(words) && !error.contains('\n'), "{error}");
    }
}
