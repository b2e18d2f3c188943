//! Validators on a simulated network agree on blocks of the real ledger, thousands of times over.
//!
//! A failing seed is printed; `cargo run --release -p nervure-store --example simulate -- --seed S` replays it
//! with its trace.

use std::{collections::BTreeMap, ops::Range, thread};

use nervure_consensus::{
    bft::simulation::{Faults, Outcome, Plan, Violation},
    checkpoint::Quorum,
};

#[path = "simulation/application.rs"]
mod application;
#[path = "simulation/crowd.rs"]
mod crowd;
#[path = "simulation/disk.rs"]
mod disk;

use application::run_ledger;

/// Seeds that every run of the tests plays. Without optimisation one takes ten times as long.
const SEEDS: u64 = if cfg!(debug_assertions) { 200 } else { 2_000 };

/// What was seen in many runs.
#[derive(Default)]
struct Seen {
    faults: Faults,
    done: BTreeMap<String, u64>,
    finality: u64,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.faults.add(&other.faults);
        self.finality = self.finality.max(other.finality);
        other.done.iter().for_each(|(what, times)| *self.done.entry(what.clone()).or_default() += times);
    }
}

fn run_seed(seed: u64) -> Outcome {
    run_ledger(Plan::draw(seed), true).0
}

/// Plays seeds on two threads and fails on the first violation.
fn play(seeds: Range<u64>) -> Seen {
    let half = |odd: u64| {
        let mut seen = Seen::default();
        for seed in seeds.clone().filter(|seed| seed % 2 == odd) {
            let (outcome, done) = run_ledger(Plan::draw(seed), true);
            assert_eq!(outcome.violations, [], "seed {seed}");
            seen.add(&Seen { faults: outcome.faults, done, finality: outcome.finality });
        }
        seen
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut seen = half(0);
        match other.join() {
            Ok(others) => seen.add(&others),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        seen
    })
}

#[test]
#[allow(clippy::print_stdout, reason = "the output is the test's report")]
fn thousands_of_seeds_agree_on_blocks_and_states_and_recover() {
    let Seen { faults, done, finality } = play(0..SEEDS);
    println!("{SEEDS} seeds; longest to finality {:.1} ms; faults:\n{faults}", finality as f64 / 1e3);
    println!("what blocks did, on all nodes: {done:#?}");
    assert_eq!(faults.missing(), [], "a fault that never happened shows nothing:\n{faults}");
    for what in ["Elected", "Epoch", "Rejected", "Staked", "Transferred", "WeightsSet", "NeuronRegistered"] {
        assert!(done.contains_key(what), "no block did this: {what}; they did {done:#?}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [0, 7, 42] {
        let (one, again) = (run_seed(seed), run_seed(seed));
        assert_eq!((one.trace, one.events), (again.trace, again.events), "seed {seed}");
        assert_ne!(one.trace, run_seed(seed + 1).trace);
    }
}

/// With a quorum of one half, two quorums need not share an honest validator: a simulation that does not notice would
/// notice nothing.
#[test]
fn a_quorum_of_one_half_is_found_out() {
    let forked = |seed: &u64| {
        let mut weak = Plan::draw(*seed);
        weak.quorum = Quorum::ONE_HALF;
        // A proposer and Byzantine validators are half, so that they can also decide a block that carries a certificate of
        // half the power. The ledger refuses it: a contradiction ends such a run, and is no disagreement.
        let violations = run_ledger(weak, true).0.violations;
        violations.iter().any(|violation| matches!(violation, Violation::Disagreement { .. }))
    };
    assert!((0..60).any(|seed| forked(&seed)), "60 seeds with half a quorum, and no two nodes disagreed");
}

/// Nor would one that does not notice what a disk loses that says it has synced.
#[test]
fn disks_that_lie_are_found_out() {
    let lost = |seed: &u64| {
        let violations = run_ledger(Plan::draw(*seed), false).0.violations;
        violations.iter().any(|violation| matches!(violation, Violation::Lost { .. }))
    };
    assert!((0..20).any(|seed| lost(&seed)), "20 seeds on disks that lie, and no block was lost");
}
