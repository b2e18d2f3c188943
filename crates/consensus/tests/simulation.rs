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
fn equivocators_are_convicted_and_honest_nodes_are_not_accused() {
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
    // An equivocation of which no honest node sees both halves leaves no evidence, and harms none.
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

/// Runs without faults but for one validator of four, whose clock is off by `skew` milliseconds.
fn with_a_wrong_clock(seed: u64, skew: i64, checks_time: bool) -> Outcome {
    let mut plan = Plan::draw(seed);
    plan.checks_time = checks_time;
    for validator in &mut plan.validators {
        (validator.behaviour, validator.power, validator.skew) = (Behaviour::Honest, 10, 0);
    }
    if let Some(one) = plan.validators.first_mut() {
        (one.behaviour, one.skew) = (Behaviour::WrongClock, skew);
    }
    run_tally(&plan)
}

/// Seeds whose plan has an instance per validator, so that behaviours can be replaced.
fn without_twins() -> impl Iterator<Item = u64> {
    let has_twins = |seed: &u64| {
        Plan::draw(*seed).validators.iter().any(|validator| validator.behaviour == Behaviour::Twins)
    };
    (0..25).filter(move |seed| !has_twins(seed))
}

/// The mesh keeps the time of the honest validators, and makes blocks.
#[test]
fn a_wrong_clock_changes_neither_the_time_nor_the_progress_of_the_mesh() {
    let mut refused = 0;
    for skew in [2_000, 60_000, 86_400_000, -2_000, -86_400_000] {
        for seed in without_twins() {
            let outcome = with_a_wrong_clock(seed, skew, true);
            assert_eq!(outcome.violations, [], "seed {seed}, {skew} ms");
            refused += outcome.faults.count(FaultKind::Untimely);
        }
    }
    assert!(refused > 0, "honest validators saw its blocks");
}

/// Without the check of times, a proposer whose clock is a day ahead puts the mesh a day ahead.
#[test]
fn without_the_check_of_times_one_proposer_sets_the_time() {
    let is_wrong = |outcome: &Outcome| {
        outcome.violations.iter().any(|violation| matches!(violation, Violation::WrongTime { .. }))
    };
    let found = without_twins().find(|seed| is_wrong(&with_a_wrong_clock(*seed, 86_400_000, false)));
    assert!(found.is_some(), "no seed without the check, and no block had a wrong time");
}

/// Clocks that differ by more than the assumed precision: the bounds grow with the rounds, so that the mesh continues.
#[test]
fn clocks_beyond_the_precision_slow_the_mesh_down_and_do_not_stop_it() {
    let mut plan = Plan::draw(3);
    plan.target = nervure_primitives::BlockHeight(1);
    for (at, validator) in (0..).zip(&mut plan.validators) {
        // A precision of 50 ms, and neighbours 200 ms apart.
        (validator.behaviour, validator.skew) = (Behaviour::Honest, 200 * at);
    }
    let outcome = run_tally(&plan);
    let is_stuck = |violation: &Violation| matches!(violation, Violation::Stuck { .. });
    assert!(!outcome.violations.iter().any(is_stuck), "{:?}", outcome.violations);
    assert!(outcome.faults.count(FaultKind::Untimely) > 0, "the bounds mattered");
}
