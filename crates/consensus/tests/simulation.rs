//! Validators on a simulated network, under thousands of seeds.
//!
//! The application only counts blocks; `crates/store/tests/simulation.rs` has the real one. A failing
//! seed is printed; `cargo run --release -p nervure-store --example simulate -- --tally --seed S`
//! replays it with its trace.

use std::{ops::Range, thread};

use nervure_consensus::{
    bft::simulation::{Behaviour, FaultKind, Faults, Outcome, Plan, Violation, run_seed, run_tally},
    checkpoint::Quorum,
};

/// The number of seeds per test run.
const SEEDS: u64 = 2_000;

/// Runs seeds on two threads and fails on the first violation.
fn run_seeds(seeds: Range<u64>) -> Faults {
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
    let faults = run_seeds(0..SEEDS);
    // The counting application has no disk of its own.
    assert_eq!(
        faults.missing(),
        [FaultKind::TornCommit],
        "a kind of fault that never happened is not tested:\n{faults}"
    );
}

/// The check above fails when a kind of fault is missing.
#[test]
fn a_run_without_faults_reports_them_as_missing() {
    let mut plan = Plan::draw(1);
    plan.faults_end = 0;
    for validator in &mut plan.validators {
        validator.behaviour = Behaviour::Honest;
    }
    let outcome = run_tally(&plan);
    assert_eq!(outcome.violations, []);
    assert!(outcome.faults.missing().contains(&FaultKind::Equivocation));
    assert!(outcome.faults.missing().contains(&FaultKind::Loss));
}

#[test]
fn equivocators_are_convicted_and_nobody_else_is_accused() {
    let evidence = |seed| {
        let (plan, outcome) = (Plan::draw(seed), run_seed(seed));
        assert_eq!(outcome.violations, [], "seed {seed}");
        let double = |behaviour| matches!(behaviour, Behaviour::Equivocator | Behaviour::Twins);
        let guilty = plan.validators.iter().any(|validator| double(validator.behaviour));
        assert!(guilty || outcome.evidence == 0, "seed {seed}: evidence without an equivocator");
        (guilty, outcome.evidence > 0)
    };
    let runs: Vec<_> = (0..60).map(evidence).collect();
    let (guilty, convicted) =
        (runs.iter().filter(|run| run.0).count(), runs.iter().filter(|run| run.1).count());
    // An equivocation of which no honest node sees both halves leaves no evidence, and harms nobody.
    assert!(convicted * 2 > guilty, "{convicted} of {guilty} runs with equivocators have evidence");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [0, 7, 42] {
        let (one, again) = (run_seed(seed), run_seed(seed));
        assert_eq!((one.trace, one.events), (again.trace, again.events));
        assert_ne!(one.trace, run_seed(seed + 1).trace);
    }
}

/// Two quorums of one half need not share an honest validator: a simulation that does not detect
/// the fork tests nothing.
#[test]
fn detects_forks_with_a_quorum_of_one_half() {
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
