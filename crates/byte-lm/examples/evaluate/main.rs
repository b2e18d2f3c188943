//! Measures the built-in models: bits per byte on held-out text, alone and mixed, and the speed of one worker.
//!
//! ```text
//! cargo run --release -p nervure-byte-lm --example evaluate              # a Markdown table of bits per byte
//! cargo run --release -p nervure-byte-lm --example evaluate -- --speed   # bytes per second of one worker
//! cargo run --release -p nervure-byte-lm --example evaluate -- --mixture # bits per byte where the domain changes
//! cargo run --release -p nervure-byte-lm --example evaluate -- --json    # any of them, as JSON
//! ```
//!
//! Design: every model scores the text of every domain, which shows how far each model generalises. The mean of their
//! probabilities at each byte is the uniform mixture. The baseline is an order-2 model of the same training text, whose
//! figures were recorded when the models were trained.
//!
//! Hazard: the held-out text is small (32 KiB a domain, eight files). Differences of a few hundredths are not significant.

// A measurement prints its results.
#![allow(clippy::print_stdout)]

mod mixture;
mod quality;
mod speed;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// The measurement to run.
#[derive(Clone, Copy)]
enum Measurement {
    Quality,
    Mixture,
    Speed,
}

fn main() -> Result<()> {
    let (mut json, mut measurement) = (false, Measurement::Quality);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            "--mixture" => measurement = Measurement::Mixture,
            "--speed" => measurement = Measurement::Speed,
            other => bail!("unexpected argument {other}: --json, --mixture and --speed are known"),
        }
    }
    match measurement {
        Measurement::Quality => show(json, &quality::measure()?, quality::Quality::markdown),
        Measurement::Mixture => show(json, &mixture::measure()?, mixture::Mixtures::markdown),
        Measurement::Speed => show(json, &speed::measure()?, |speeds| speed::markdown(speeds)),
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
