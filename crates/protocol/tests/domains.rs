//! The domains in `docs/protocol.md` are those in the source code.
//!
//! Domains stand where they are used, in several crates, so the test reads the source: every string that begins with
//! `nervure/`, in the library code of the crates that nodes run.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Crates whose domains are part of the protocol.
const CRATES: [&str; 8] =
    ["anchor", "consensus", "ledger", "light", "p2p", "primitives", "protocol", "subnet"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Rust files below `dir`, without tests and the simulation.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "tests" || name == "testing" || name == "simulation" || name.ends_with("_tests") {
            continue;
        }
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// Every `nervure/...` between these marks.
fn quoted(text: &str, mark: char) -> BTreeSet<String> {
    let is_name = |part: &&str| {
        part.strip_prefix("nervure/").is_some_and(|rest| {
            !rest.is_empty()
                && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/-".contains(c))
        })
    };
    text.split(mark).filter(is_name).map(str::to_owned).collect()
}

#[test]
fn the_page_has_the_domains_of_the_source_code() {
    let mut files = Vec::new();
    for name in CRATES {
        sources(&root().join("crates").join(name).join("src"), &mut files);
    }
    let mut code = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let library = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        code.extend(quoted(library, '"'));
    }
    let page = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    assert_eq!(quoted(&page, '`'), code, "docs/protocol.md has other domains than the source code");
}
