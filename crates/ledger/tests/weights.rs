//! No kind of transaction costs more than one and a half times its weight.
//!
//! Only ratios of times of the same run are compared, and of each the fastest of several runs. Without optimisation the
//! ledger's own code is slower against signatures than it is in a release build, so that the ratios mean nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail where it stands, and says what it measured"
)]

#[path = "../benches/weights/cases.rs"]
mod cases;

/// How much more than its weight a kind may cost.
const MAX_RATIO: f64 = 1.5;

#[test]
fn no_kind_costs_much_more_than_its_weight_slow() {
    if cfg!(debug_assertions) {
        println!(
            "SKIPPED: weights are of a release build: cargo test --release -p nervure-ledger --test weights"
        );
        return;
    }
    // A busy machine slows single runs: what stays too slow in many of them is.
    let mut above = Vec::new();
    for rounds in [5, 15, 30] {
        above = cases::measure(rounds);
        above.retain(|case| case.measured > MAX_RATIO * case.weight as f64);
        if above.is_empty() {
            return;
        }
    }
    let above: Vec<_> = above
        .iter()
        .map(|case| (case.name, case.bytes, case.weight, case.measured, case.milliseconds))
        .collect();
    panic!("kinds that cost more than {MAX_RATIO} times their weight: {above:?}");
}
