//! Measures what every kind of transaction costs in its worst case, and prints it beside its weight.
//!
//! `cargo bench -p nervure-ledger --bench weights`. A thousand units of weight are one strict ed25519 check in the same
//! run. The constants of `src/transaction/weight.rs` come from this table: a kind's weight without that of its bytes and
//! of every transaction, rounded up.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "weights/cases.rs"]
mod cases;

/// Runs of which the fastest counts.
const ROUNDS: usize = 9;

fn main() {
    println!(
        "{:<24} {:>6} {:>10} {:>10} {:>6}",
        "kind, in its worst case", "bytes", "weight", "measured", "ratio"
    );
    for case in cases::measure(ROUNDS) {
        let cases::Measured { name, bytes, weight, measured } = case;
        let ratio = measured / weight as f64;
        println!("{name:<24} {bytes:>6} {weight:>10} {measured:>10.0} {ratio:>6.2}");
    }
}
