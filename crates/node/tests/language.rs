//! The words that this project does not use: `docs/glossary.md` has the ones that it uses instead.
//!
//! Reads every source file and every document of the repository, without git, so that it also holds in an unpacked
//! archive. A word that is denied here is either a private metaphor or a construction that made sentences hard to read.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Denied in every file, in any case: word, and what to write instead.
const DENIED_WORDS: [(&str, &str); 14] = [
    ("whoever", "name who: the caller, a peer, the sender"),
    ("whomever", "name who"),
    ("nobody", "no peer, no caller, none"),
    ("somebody", "a peer, a caller, a user"),
    ("anybody", "any peer, any caller"),
    ("everybody", "every peer, all"),
    ("anew", "again"),
    ("goes on", "continues"),
    ("go on with", "continue"),
    ("what is none", "invalid"),
    ("is no more", "no longer is"),
    ("stand-in", "mock model server"),
    ("stand_in", "mock_server"),
    ("in vain", "without success"),
];

/// Denied as an identifier in Rust code.
const DENIED_IDENTIFIERS: [(&str, &str); 24] = [
    ("PATIENCE", "*_TIMEOUT"),
    ("LOOK", "*_INTERVAL"),
    ("LOOK_EVERY", "POLL_INTERVAL"),
    ("EVERY", "*_INTERVAL"),
    ("LATER", "RETRY_DELAY"),
    ("AGAIN", "RETRY_DELAY"),
    ("SILENCE", "STALL_TIMEOUT"),
    ("MOST", "MAX_*"),
    ("NAMES", "MAX_*"),
    ("SHORT", "*_TIMEOUT"),
    ("Desk", "CoreAdapter, ValidatorStore, LedgerQueries"),
    ("Pursuit", "Bisection"),
    ("Succession", "ResumableStream"),
    ("Heir", "Successor"),
    ("Panel", "Ensemble"),
    ("Seat", "SubnetWorker"),
    ("Hearing", "DoubleSignGuard"),
    ("Early", "FutureMessages"),
    ("Everybody", "AllowAll"),
    ("Nobody", "DenyAll"),
    ("Said", "a noun"),
    ("Told", "a noun"),
    ("Heard", "a noun"),
    ("StandIn", "MockServer"),
];

/// Files that must name denied words.
const EXEMPT: [&str; 3] = ["crates/node/tests/language.rs", "CHANGELOG.md", "docs/glossary.md"];

/// Directories with text that is not the project's own: training data, build output, dependencies.
const SKIPPED_DIRECTORIES: [&str; 7] =
    ["target", ".git", "node_modules", "models", "corpus", "artifacts", "fixtures"];

#[test]
fn contains_no_denied_words() {
    let root = root();
    let mut found = Vec::new();
    for path in files(&root, &["rs", "md", "toml", "sol", "mjs", "py", "yml"]) {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        if EXEMPT.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            // Earlier names of commands and fields are still accepted, and marked as such.
            if line.contains("earlier name") {
                continue;
            }
            for (word, instead) in denied_in(line, name.ends_with(".rs")) {
                found.push(format!("{name}:{}: '{word}': {instead}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{} denied words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn finds_denied_words_and_only_those() {
    let words = |line| denied_in(line, true).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(words("/// Whoever asks, and nobody else"), ["whoever", "nobody"]);
    assert_eq!(words("const PATIENCE: Duration = LOOK_EVERY;"), ["PATIENCE", "LOOK_EVERY"]);
    assert!(words("const READ_PATIENCES: usize = 1; fn renewed() {}").is_empty());
    assert!(denied_in("The word MOST in prose", false).is_empty());
}

/// The denied words of a line, with what to write instead.
fn denied_in(line: &str, code: bool) -> Vec<(&'static str, &'static str)> {
    let lower = line.to_lowercase();
    let mut found: Vec<_> = DENIED_WORDS.into_iter().filter(|(word, _)| has_word(&lower, word)).collect();
    // Prose in a comment may use these as ordinary words.
    if code && !line.trim_start().starts_with("//") {
        found.extend(DENIED_IDENTIFIERS.into_iter().filter(|(word, _)| has_word(line, word)));
    }
    found
}

/// Whether `word` is in `line` and not a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let part = |character: Option<char>| character.is_some_and(|one| one.is_alphanumeric() || one == '_');
    line.match_indices(word)
        .any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}

/// Every file below `dir` with one of these endings.
fn files(dir: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED_DIRECTORIES.contains(&name.as_str()) {
                found.extend(files(&path, endings));
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
