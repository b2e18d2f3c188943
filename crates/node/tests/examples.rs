//! The example prints what its header shows, but for its id and its port.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[allow(dead_code, reason = "the test calls `run` instead of `main`")]
#[path = "../examples/embed-node.rs"]
mod embed_node;

#[tokio::test(flavor = "multi_thread")]
async fn embed_node_prints_what_its_header_shows() {
    let source = include_str!("../examples/embed-node.rs");
    let mut printed = Vec::new();
    embed_node::run(&mut printed, std::future::ready(())).await.unwrap();
    assert_eq!(without_names(&shown(source)), without_names(&String::from_utf8(printed).unwrap()));
}

/// The output in an example's header: the lines between the command and the end of its block.
fn shown(source: &str) -> String {
    let lines = source.lines().skip_while(|line| !line.starts_with("//! $ cargo run")).skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    lines.map(|line| format!("{}\n", line.strip_prefix("//! ").unwrap_or_default())).collect()
}

/// The text with `ID` for node ids and `PORT` for ports, which differ in each run.
fn without_names(text: &str) -> String {
    let mut plain = String::new();
    for (number, part) in text.split("127.0.0.1:").enumerate() {
        let rest = if number == 0 { part } else { part.trim_start_matches(|one: char| one.is_ascii_digit()) };
        plain.push_str(if number == 0 { "" } else { "127.0.0.1:PORT" });
        plain.push_str(rest);
    }
    let words = plain.split_inclusive([' ', '\n']);
    words.map(|word| if word.starts_with("12D3KooW") { "ID\n" } else { word }).collect()
}
