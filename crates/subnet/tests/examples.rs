//! The example prints what its header shows.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[allow(dead_code, reason = "the test calls `run` instead of `main`")]
#[path = "../examples/custom-mechanism.rs"]
mod custom_mechanism;

#[test]
fn custom_mechanism_prints_what_its_header_shows() {
    let source = include_str!("../examples/custom-mechanism.rs");
    let mut printed = Vec::new();
    custom_mechanism::run(&mut printed).unwrap();
    assert_eq!(shown(source), String::from_utf8(printed).unwrap());
}

/// The output in an example's header: the lines between the command and the end of its block.
fn shown(source: &str) -> String {
    let lines = source.lines().skip_while(|line| !line.starts_with("//! $ cargo run")).skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    lines.map(|line| format!("{}\n", line.strip_prefix("//! ").unwrap_or_default())).collect()
}
