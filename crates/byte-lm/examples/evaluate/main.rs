//! Measures the built-in experts: bits per byte on held-out text, alone and mixed, and how fast one worker writes.
//!
//! ```text
//! cargo run --release -p nervure-byte-lm --example evaluate              # a Markdown table of bits per byte
//! cargo run --release -p nervure-byte-lm --example evaluate -- --speed   # bytes per second of one worker
//! cargo run --release -p nervure-byte-lm --example evaluate -- --mixture # bits per byte where the domain changes
//! cargo run --release -p nervure-byte-lm --example evaluate -- --json    # any of them, as JSON
//! ```
//!
//! Design: every model scores the text of every domain, which shows what the domains are worth to each other. The same
//! probabilities, averaged byte by byte, are those of the uniform mixture. The bar is an order-2 model of the same
//! training text, whose figures were written down when the models were trained.
//!
//! Hazard: the held-out text is small (32 KiB a domain, eight files). Differences of a few hundredths mean nothing.

// A measurement talks to whoever runs it.
#![allow(clippy::print_stdout)]

mod mixture;
mod quality;
mod speed;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy)]
enum What {
    Quality,
    Mixture,
    Speed,
}

fn main() -> Result<()> {
    let (mut json, mut what) = (false, What::Quality);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            "--mixture" => what = What::Mixture,
            "--speed" => what = What::Speed,
            other => bail!("unexpected argument {other}: --json, --mixture and --speed are known"),
        }
    }
    match what {
        What::Quality => show(json, &quality::measure()?, quality::Quality::markdown),
        What::Mixture => show(json, &mixture::measure()?, mixture::Mixtures::markdown),
        What::Speed => show(json, &speed::measure()?, |speeds| speed::markdown(speeds)),
    }
}

fn show<T: Serialize>(json: bool, measured: &T, markdown: impl FnOnce(&T) -> String) -> Result<()> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(measured)?),
        false => print!("{}", markdown(measured)),
    }
    Ok(())
}

/// Text of `domain` from files that no model was trained on.
fn heldout(domain: &str) -> Result<Vec<u8>> {
    let path = format!("{}/data/{domain}.heldout", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).with_context(|| format!("cannot read {path}"))
}
