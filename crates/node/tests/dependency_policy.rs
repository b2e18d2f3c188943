//! The dependencies of the program: Cargo.lock against a table of the first versions without known vulnerabilities.
//!
//! Advisory databases lag behind for the network crates, so the table is ours. Each row is the
//! first version that has the fix. One copy of each network crate: two would mean two sets of
//! limits, and that a fix in one leaves the other open.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, path::Path};

/// Crate, and the least version that may be locked.
const LEAST: [(&str, [u64; 3]); 8] = [
    ("libp2p-gossipsub", [0, 50, 1]),
    ("yamux", [0, 14, 1]),
    ("libp2p-quic", [0, 13, 1]),
    ("quinn-proto", [0, 11, 15]),
    ("rustls", [0, 23, 18]),
    ("rustls-webpki", [0, 103, 13]),
    ("curve25519-dalek", [4, 1, 3]),
    ("libp2p-tls", [0, 7, 0]),
];

/// Crates of which the tree has exactly one version.
///
/// Not among them: libp2p-identity. Malachite's core names a type of multiaddr 0.18 in its interface and so brings
/// version 0.2 of it, of which nothing is called.
const SINGLE: [&str; 9] = [
    "libp2p",
    "libp2p-core",
    "libp2p-kad",
    "libp2p-gossipsub",
    "libp2p-tls",
    "quinn",
    "quinn-proto",
    "rustls",
    "yamux",
];

/// Crates that must not come back.
const BANNED: [&str; 4] = ["openssl", "native-tls", "serde_cbor", "arc-malachitebft-network"];

#[test]
fn no_network_crate_is_older_than_its_fixes() {
    let locked = locked();
    for (name, least) in LEAST {
        let versions = locked.get(name).unwrap_or_else(|| panic!("{name} is not in Cargo.lock"));
        assert!(too_old(versions, least).is_empty(), "{name} must be at least {least:?}: {versions:?}");
    }
}

/// The lines of `cargo tree` for the program with these kinds of dependencies: each crate with its features.
fn tree(edges: &str) -> String {
    let mut command = std::process::Command::new(env!("CARGO"));
    command.args(["tree", "--package", "nervure", "--edges", edges, "--format", "{p} [{f}]", "--offline"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_shipped_cannot_be_told_to_die() {
    assert!(tree("normal,build,dev").contains("fail-points"), "the tests are built without fail points");
    let shipped = tree("normal,build");
    assert!(shipped.contains("nervure-store") && !shipped.contains("fail-points"), "{shipped}");
}

#[test]
fn an_old_version_would_be_caught() {
    assert_eq!(too_old(&[[0, 50, 0], [0, 51, 0]], [0, 50, 1]), vec![[0, 50, 0]]);
}

#[test]
fn there_is_one_copy_of_each_network_crate() {
    let locked = locked();
    for name in SINGLE {
        let versions = locked.get(name).unwrap_or_else(|| panic!("{name} is not in Cargo.lock"));
        assert_eq!(versions.len(), 1, "{name} is in the tree as {versions:?}");
    }
    for name in BANNED {
        assert!(!locked.contains_key(name), "{name} is in the tree again");
    }
}

fn too_old(versions: &[[u64; 3]], least: [u64; 3]) -> Vec<[u64; 3]> {
    versions.iter().copied().filter(|version| *version < least).collect()
}

/// Every locked version of every crate.
fn locked() -> BTreeMap<String, Vec<[u64; 3]>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let text = std::fs::read_to_string(path).unwrap();
    let lock: toml::Table = text.parse().unwrap();
    let mut versions: BTreeMap<String, Vec<[u64; 3]>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        versions.entry(name).or_default().push(version(package["version"].as_str().unwrap()));
    }
    versions
}

/// The three numbers of a version; what follows them does not matter here.
fn version(text: &str) -> [u64; 3] {
    let core = text.split(['-', '+']).next().unwrap();
    let mut numbers = core.split('.').map(|number| number.parse().unwrap());
    [(); 3].map(|()| numbers.next().unwrap())
}
