//! Validators on a simulated network, thousands of times over.
//!
//! With an application that only counts; `crates/store/tests/simulation.rs` has the real one. A failing
//! seed is printed; `cargo run --release -p nervure-store --example simulate -- --tally --seed S`
//! replays it with its trace.

use std::{ops::Range, thread};

use nervure_consensus::{
    bft::simulation::{Behaviour, FaultKind, Faults, Outcome, Plan, Violation, run_seed, run_tally},
    checkpoint::Quorum,
};

/// Seeds that every run of the tests plays.
const SEEDS: u64 = 2_000;

/// Plays seeds on two threads and fails on the first violation.
fn play(seeds: Range<u64>) -> Faults {
    let half = |odd: u64| {
        let mut faults = Faults::default();
        for seed in seeds.clone().filter(|seed| seed % 2 == odd) {
            let outcome = run_seed(seed);
            assert_eq!(outcome.violations, [], "seed {seed}");
            faults.add(&outcome.faults);
        }
        faults
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut faults = half(0);
        match other.join() {
            Ok(others) => faults.add(&others),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        faults
    })
}

#[test]
fn thousands_of_seeds_agree_and_recover() {
    let faults = play(0..SEEDS);
    // The counting application has no disk of its own.
    assert_eq!(
        faults.missing(),
        [FaultKind::TornCommit],
        "a fault that never happened shows nothing:\n{faults}"
    );
}

/// The check above does fail when a kind of fault is missing.
#[test]
fn a_run_without_faults_is_not_enough() {
    let mut plan = Plan::draw(1);
    plan.calm = 0;
    for seat in &mut plan.seats {
        seat.behaviour = Behaviour::Honest;
    }
    let outcome = run_tally(&plan);
    assert_eq!(outcome.violations, []);
    assert!(outcome.faults.missing().contains(&FaultKind::Equivocation));
    assert!(outcome.faults.missing().contains(&FaultKind::Loss));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [0, 7, 42] {
        let (one, again) = (run_seed(seed), run_seed(seed));
        assert_eq!((one.trace, one.events), (again.trace, again.events));
        assert_ne!(one.trace, run_seed(seed + 1).trace);
    }
}

/// With a quorum of one half, two quorums need not share anybody honest: a simulation that does
/// not notice would notice nothing.
#[test]
fn a_quorum_of_one_half_is_found_out() {
    let weak = |seed| -> Outcome {
        let mut plan = Plan::draw(seed);
        plan.quorum = Quorum::ONE_HALF;
        run_tally(&plan)
    };
    let forked = |outcome: &Outcome| {
        outcome.violations.iter().any(|violation| matches!(violation, Violation::Disagreement { .. }))
    };
    let found = (0..40).find(|seed| forked(&weak(*seed)));
    assert!(found.is_some(), "40 seeds with half a quorum, and no two nodes disagreed");
}
