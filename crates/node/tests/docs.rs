//! The documents: the book lists every page, every relative link leads somewhere, and every command that a document
//! shows is one that the program accepts.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use clap::error::ErrorKind;

/// Documents outside of `docs/`.
const OTHERS: [&str; 6] =
    ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "testnet/README.md", "fuzz/README.md"];

/// Names that stand for a value in a command of a document.
const PLACEHOLDERS: [&str; 7] = ["$", "...", "NODE", "OWNER", "PEER", "IP:PORT", "HEIGHT"];

#[test]
fn the_book_lists_every_page_once() {
    let root = root();
    let summary = fs::read_to_string(root.join("docs/SUMMARY.md")).unwrap();
    let mut listed: Vec<PathBuf> =
        links(&summary).iter().map(|link| plain(&root.join("docs").join(link))).collect();
    listed.sort();
    let mut pages = markdown(&root.join("docs"));
    pages.retain(|page| !page.ends_with("docs/SUMMARY.md"));
    assert_eq!(listed, pages, "docs/SUMMARY.md against the files in docs/");
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in documents() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if let Some(why) = broken_link(&page, &text, &link) {
                broken.push(format!("{}: ({link}): {why}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{} broken links:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_broken_link_is_found() {
    let page = root().join("docs/glossary.md");
    let text = "# One page\n\n## A `part` of it\n\n[a](#a-part-of-it) [b](cli.md#exit-codes)";
    let broken = |link| broken_link(&page, text, link).is_some();
    assert_eq!(links(text), ["#a-part-of-it", "cli.md#exit-codes"]);
    assert!(!broken("#a-part-of-it") && !broken("cli.md#exit-codes") && !broken("https://example.org/x"));
    assert!(broken("#another") && broken("absent.md") && broken("cli.md#exit"));
    assert!(links("```\n[a](b.md)\n```\n`[a](b.md)`").is_empty());
}

#[test]
fn every_command_in_a_document_is_accepted() {
    let mut refused = Vec::new();
    let mut commands = 0;
    for page in documents() {
        for command in commands_of(&fs::read_to_string(&page).unwrap()) {
            commands += 1;
            if let Some(why) = refusal(&command) {
                refused.push(format!("{}: {command}\n    {why}", page.display()));
            }
        }
    }
    assert!(refused.is_empty(), "{} of {commands} commands:\n{}", refused.len(), refused.join("\n"));
    assert!(commands > 80, "only {commands} commands were found");
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let text = "```console\n$ nervure statsu\n$ nervure ask 'a | b' -c text.chat \\\n      --explain | head\n```\nnervure x";
    let commands = commands_of(text);
    assert_eq!(commands, ["nervure statsu", "nervure ask 'a | b' -c text.chat       --explain | head"]);
    assert!(refusal(&commands[0]).is_some() && refusal(&commands[1]).is_none());
    assert!(refusal("nervure ask --explian 'a'").is_some());
    assert!(refusal("nervure wallet send NODE 5   # a comment").is_none());
}

/// Every document of the repository.
fn documents() -> Vec<PathBuf> {
    let root = root();
    let mut found = markdown(&root.join("docs"));
    found.extend(OTHERS.iter().map(|name| root.join(name)));
    let crates = fs::read_dir(root.join("crates")).unwrap();
    found.extend(crates.map(|one| one.unwrap().path().join("README.md")));
    found
}

/// Why `link` of a page with this text leads nowhere.
fn broken_link(page: &Path, text: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { page.to_owned() } else { plain(&page.parent().unwrap().join(path)) };
    if !target.exists() {
        return Some("no such file".into());
    }
    if anchor.is_empty() {
        return None;
    }
    let text =
        if path.is_empty() { text.to_owned() } else { fs::read_to_string(&target).unwrap_or_default() };
    (!anchors(&text).contains(anchor)).then(|| "no such heading".into())
}

/// The targets of the links in a text, without code.
fn links(text: &str) -> Vec<String> {
    let prose: String = outside_blocks(text).map(|line| without_code(line) + "\n").collect();
    let ends = prose.match_indices("](").map(|(at, _)| &prose[at + 2..]);
    ends.filter_map(|rest| Some(rest.split_once(')')?.0.trim().to_owned())).collect()
}

/// The anchors of the headings of a text, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = outside_blocks(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
            let slug: String = kept.map(|one| if one == ' ' { '-' } else { one }).collect();
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
        })
        .collect()
}

/// The lines that are not in a code block.
fn outside_blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// A line without the code between its backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The commands of this program in the code blocks of a text, a continued line as one.
fn commands_of(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", "");
    let (mut inside, mut found) = (false, Vec::new());
    for line in joined.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside
            && let Some(command) = line.strip_prefix("$ ").or(Some(line))
            && command.starts_with("nervure ")
            && !is_synopsis(command)
        {
            found.push(command.to_owned());
        }
    }
    found
}

/// Whether it is the line of the reference that says what a command takes: `nervure ask [OPTIONS] <PROMPT>`.
fn is_synopsis(command: &str) -> bool {
    ["[OPTIONS]", "<COMMAND>"].iter().any(|part| command.contains(part))
}

/// Why the program does not accept a command.
fn refusal(command: &str) -> Option<String> {
    match nervure::cli::command().try_get_matches_from(words(command)) {
        Ok(_) => None,
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
            ErrorKind::ValueValidation if PLACEHOLDERS.iter().any(|name| command.contains(name)) => None,
            _ => Some(error.to_string().lines().next().unwrap_or_default().to_owned()),
        },
    }
}

/// The words of a command as a shell splits them, up to a pipe, another command or a comment.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for one in command.chars() {
        match (quote, one) {
            (None, '|' | ';' | '&' | '#' | '>') if word.is_empty() => break,
            (None, '\'' | '"') => quote = Some(one),
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (Some(open), _) if open == one => quote = None,
            _ => word.push(one),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Every Markdown file below `dir`.
fn markdown(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(markdown(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            _ => plain.push(part),
        }
    }
    plain
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
