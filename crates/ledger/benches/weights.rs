//! Measures what every kind of transaction costs in its worst case, and prints it beside its weight.
//!
//! `cargo bench -p nervure-ledger --bench weights`. A thousand units of weight are one strict ed25519 check in the same
//! run. The constants of `src/transaction/weight.rs` come from this table: a kind's weight without that of its bytes and
//! of every transaction, rounded up. The last column is a block that is full of the kind, with one core and without a disk: on
//! the reference machine it must be within a quarter of the block time, which is 250 ms here.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "weights/cases.rs"]
mod cases;

use nervure_ledger::{block_weight::BlockWeight, spec::MeshSpec};

/// Runs of which the fastest counts.
const ROUNDS: usize = 9;

fn main() {
    let mut spec = MeshSpec::local("weights");
    spec.consensus.block_milliseconds = 1_000;
    let BlockWeight { paid, lane } = BlockWeight::limit(&spec);
    println!(
        "{:<24} {:>6} {:>10} {:>10} {:>6} {:>14}",
        "kind, in its worst case", "bytes", "weight", "measured", "ratio", "full block, ms"
    );
    for case in cases::measure(ROUNDS) {
        let cases::Measured { name, bytes, weight, measured, milliseconds } = case;
        let (ratio, full) = (measured / weight as f64, (paid + lane) as f64 / weight as f64 * milliseconds);
        println!("{name:<24} {bytes:>6} {weight:>10} {measured:>10.0} {ratio:>6.2} {full:>14.0}");
    }
}
