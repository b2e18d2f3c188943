//! Time per height of our engine next to that of the bare Malachite core, in one process.
//!
//! ```text
//! cargo run --release -p nervure-consensus --example agreement
//! ```
//!
//! prints a line per number of validators: time per height of the core alone (messages as values,
//! every signature made and verified with ed25519), of the engine (the same, and admission, signer's
//! record, log entries and effects), and their ratio. Messages are delivered in order, at once, by
//! one thread; disks and networks are not part of it.

#[path = "agreement/bare.rs"]
mod bare;
#[path = "agreement/engine.rs"]
mod engine;

use std::time::{Duration, Instant};

use nervure_primitives::NodeKey;

/// Runs per measurement. The fastest counts, which leaves out noise of the machine.
const RUNS: usize = 5;

fn keys(count: u8) -> Vec<NodeKey> {
    (1..=count).map(|n| NodeKey::from_seed(&[n; 32])).collect()
}

fn timed(heights: u64, run: impl FnOnce(u64)) -> Duration {
    let start = Instant::now();
    run(heights);
    start.elapsed() / u32::try_from(heights).unwrap_or(u32::MAX)
}

#[allow(clippy::print_stdout)]
fn main() {
    println!("{:>10} {:>12} {:>12} {:>6}", "validators", "core", "engine", "ratio");
    for (count, heights) in [(4u8, 100), (16, 20), (64, 3)] {
        let (mut core, mut ours) = (Duration::MAX, Duration::MAX);
        for _ in 0..RUNS {
            core = core.min(timed(heights, |heights| bare::run(&keys(count), heights)));
            ours = ours.min(timed(heights, |heights| engine::run(&keys(count), heights)));
        }
        let ratio = ours.as_secs_f64() / core.as_secs_f64();
        println!("{count:>10} {core:>12.2?} {ours:>12.2?} {ratio:>6.2}");
    }
}
