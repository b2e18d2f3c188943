//! No text of a peer acts on the terminal of the user who runs a command.
//!
//! The program runs on a terminal of its own, and a node that answers with hostile text in every field that a peer, an
//! upstream or the chain can fill. What arrives at the terminal has no control character but line breaks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "hostile_text/node.rs"]
mod node;
#[path = "hostile_text/terminal.rs"]
mod terminal;

use node::{HOSTILE, HostileNode, MARK};
use terminal::on_terminal;

/// Whether a terminal obeys `c` instead of showing it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// What a command prints. The terminal itself puts a carriage return before each line break.
fn printed(node: &HostileNode, arguments: &[&str]) -> String {
    let shown = on_terminal(node.dir(), arguments).replace("\r\n", "\n");
    let acting: Vec<_> = shown.chars().filter(|c| acts(*c) && !matches!(c, '\n')).collect();
    assert!(acting.is_empty(), "{arguments:?}: {acting:?} in {shown:?}");
    assert!(shown.contains(MARK), "{arguments:?} does not show the text: {shown:?}");
    shown
}

#[test]
fn tables_and_fields_are_escaped() {
    let node = HostileNode::start();
    let id = node.id().to_string();
    for arguments in [
        &["experts", "find"][..],
        &["experts", "show", id.as_str()],
        &["peers"],
        &["status"],
        &["subnet", "list"],
        &["subnet", "show", "1"],
        &["checkpoint", "list"],
    ] {
        let shown = printed(&node, arguments);
        assert!(shown.contains(r"\u{1b}[2J"), "{arguments:?}: {shown}");
        assert!(
            !shown.lines().any(|line| line.starts_with("forged")),
            "{arguments:?}: a line of its own: {shown}"
        );
    }
}

#[test]
fn an_answer_and_its_trace_are_escaped() {
    let node = HostileNode::start();
    let ask = ["ask", "x", "--strategy", "mix:2", "--explain"];
    let shown = printed(&node, &ask);
    for part in ["answers (", "left out:", "together:", "in the end:", "continued the answer", "left: "] {
        assert!(shown.contains(part), "no '{part}' in {shown}");
    }
    // The text of an answer keeps its line breaks; all others are written out.
    assert_eq!(shown.lines().filter(|line| line.starts_with("forged")).count(), 1, "{shown}");
}

#[test]
fn errors_and_their_hints_are_escaped() {
    let node = HostileNode::start();
    for arguments in
        [&["checkpoint", "show", "7"][..], &["subnet", "show", "2"], &["ask", "x", "--model", "broken"]]
    {
        printed(&node, arguments);
    }
}

#[test]
fn json_on_a_terminal_says_the_same_in_ascii_escapes() {
    let node = HostileNode::start();
    let found: serde_json::Value =
        serde_json::from_str(&printed(&node, &["experts", "find", "--json"])).unwrap();
    assert_eq!(found["experts"][0]["model"], HOSTILE);
    let lines = printed(&node, &["ask", "x", "--json"]);
    let texts = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(texts.into_iter().any(|line| line["text"] == HOSTILE), "{lines}");
}
