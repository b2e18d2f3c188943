//! Measures the built-in experts: bits per byte on held-out text, and how fast one worker writes.
//!
//! ```text
//! cargo run --release -p nervure-experts --example evaluate              # a Markdown table of bits per byte
//! cargo run --release -p nervure-experts --example evaluate -- --speed   # bytes per second of one worker
//! cargo run --release -p nervure-experts --example evaluate -- --json    # either, as JSON
//! ```
//!
//! Design: every model scores the text of every domain, which shows what the domains are worth to each other. The same
//! probabilities, averaged byte by byte, are those of the uniform mixture. The bar is an order-2 model of the same
//! training text, whose figures were written down when the models were trained.
//!
//! Hazard: the held-out text is small (32 KiB a domain, eight files). Differences of a few hundredths mean nothing.

// A measurement talks to whoever runs it.
#![allow(clippy::print_stdout)]

mod quality;
mod speed;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let (mut json, mut speed) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            "--speed" => speed = true,
            other => bail!("unexpected argument {other}: --json and --speed are known"),
        }
    }
    match (speed, json) {
        (false, false) => print!("{}", quality::measure()?.markdown()),
        (false, true) => println!("{}", serde_json::to_string_pretty(&quality::measure()?)?),
        (true, false) => print!("{}", speed::markdown(&speed::measure()?)),
        (true, true) => println!("{}", serde_json::to_string_pretty(&speed::measure()?)?),
    }
    Ok(())
}

/// Text of `domain` from files that no model was trained on.
fn heldout(domain: &str) -> Result<Vec<u8>> {
    let path = format!("{}/data/{domain}.heldout", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).with_context(|| format!("cannot read {path}"))
}
