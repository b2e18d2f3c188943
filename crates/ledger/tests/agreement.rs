//! Validators on a simulated network agree on blocks of the ledger while their set changes: elections, opt-in and opt-out,
//! missed heights and jail, reports of equivocation, slashes, swaps of keys, and clocks that are wrong.
//!
//! The set that a run ends with has been elected by what happened in it: validators that were cut off or crashed are jailed
//! and return, one that equivocates is slashed and gone. An honest validator is jailed only when faults were active in the
//! heights that counted. Nothing is promised from the moment on at which jailings of honest validators leave a third of the
//! power to the Byzantine; such runs are counted. Below, each defence is off once, and what it prevents is found.
//!
//! `cargo run --release -p nervure-ledger --example liveness` prints the same seeds as a table, and replays one of them.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "agreement/application.rs"]
mod application;
#[path = "agreement/owners.rs"]
mod owners;
#[path = "agreement/scenario.rs"]
mod scenario;
#[path = "agreement/watch.rs"]
mod watch;

use std::{collections::BTreeMap, ops::Range};

use application::play;
use nervure_consensus::{
    bft::simulation::{Behaviour, FaultKind, Faults, MILLISECOND, Micros, Outcome, Violation},
    checkpoint::Quorum,
};
use nervure_primitives::BlockHeight;
use scenario::{Defences, Scenario};
use watch::{Finding, Seen};

/// Seeds of a run of the tests.
const SEEDS: u64 = 2_000;

/// What was seen in many runs.
#[derive(Default)]
struct Summary {
    faults: Faults,
    counts: BTreeMap<&'static str, u64>,
    recovery: Micros,
    assumption_lost: u64,
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.faults.add(&other.faults);
        other.counts.iter().for_each(|(what, times)| *self.counts.entry(what).or_default() += times);
        self.recovery = self.recovery.max(other.recovery);
        self.assumption_lost += other.assumption_lost;
    }
}

/// Plays seeds and fails on the first violation or finding.
fn play_seeds(seeds: Range<u64>) -> Summary {
    let mut all = Summary::default();
    for seed in seeds {
        let (outcome, seen) = play(Scenario::draw(seed));
        if !seen.assumption_lost {
            assert_eq!((outcome.violations, seen.findings), (vec![], vec![]), "seed {seed}");
        }
        all.add(&Summary {
            faults: outcome.faults,
            counts: seen.counts,
            recovery: if seen.assumption_lost { 0 } else { outcome.recovery },
            assumption_lost: seen.assumption_lost.into(),
        });
    }
    all
}

/// A quarter of the seeds.
#[allow(clippy::print_stdout, reason = "the output is the test's report")]
fn agree_while_the_validators_change(quarter: u64) {
    let seeds = SEEDS / 4;
    let Summary { faults, counts, recovery, assumption_lost } =
        play_seeds(quarter * seeds..(quarter + 1) * seeds);
    println!("{seeds} seeds; longest recovery {:.1} ms; {counts:#?}\n{faults}", recovery as f64 / 1e3);
    println!("{assumption_lost} runs in which jailings gave the Byzantine a third");
    let missing = [FaultKind::TornCommit, FaultKind::Listening];
    assert_eq!(faults.missing(), missing, "a kind of fault that never happened is not tested:\n{faults}");
    for what in ["joined", "left", "keys swapped", "stake moved", "jailed", "slashed", "refused", "elections"]
    {
        assert!(counts.get(what).is_some_and(|times| *times > seeds / 20), "too rare: {what} in {counts:#?}");
    }
    assert!(assumption_lost * 20 < seeds, "{assumption_lost} runs show little");
    assert!(recovery < 30_000 * MILLISECOND, "the mesh grew too slowly after the faults");
}

// Thousands of seeds in four tests, so that none of them takes minutes.

#[test]
fn validators_agree_while_their_set_changes_first_quarter() {
    agree_while_the_validators_change(0);
}

#[test]
fn validators_agree_while_their_set_changes_second_quarter() {
    agree_while_the_validators_change(1);
}

#[test]
fn validators_agree_while_their_set_changes_third_quarter() {
    agree_while_the_validators_change(2);
}

#[test]
fn validators_agree_while_their_set_changes_fourth_quarter() {
    agree_while_the_validators_change(3);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [0, 7, 42] {
        let (one, again) = (play(Scenario::draw(seed)).0, play(Scenario::draw(seed)).0);
        assert_eq!((one.trace, one.events), (again.trace, again.events), "seed {seed}");
        assert_ne!(one.trace, play(Scenario::draw(seed + 1)).0.trace);
    }
}

/// Whether one of `seeds` shows what `is_it` looks for when `weaken` has changed its scenario.
fn is_found(seeds: u64, weaken: impl Fn(&mut Scenario), is_it: impl Fn(&Outcome, &Seen) -> bool) -> bool {
    (0..seeds).any(|seed| {
        let mut scenario = Scenario::draw(seed);
        // A mesh that does not recover at once does not recover.
        scenario.plan.patience = 5_000 * MILLISECOND;
        weaken(&mut scenario);
        let (outcome, seen) = play(scenario);
        is_it(&outcome, &seen)
    })
}

#[test]
fn without_jail_the_dead_stay_in_office() {
    let weaken = |scenario: &mut Scenario| scenario.defences = Defences { jailing: false, ..Defences::ALL };
    let stay = |_: &Outcome, seen: &Seen| {
        seen.findings
            .iter()
            .any(|finding| matches!(finding, Finding::Jailing { jailed, .. } if jailed.is_empty()))
    };
    assert!(is_found(20, weaken, stay));
}

#[test]
fn without_reports_an_equivocator_is_elected_again() {
    let weaken = |scenario: &mut Scenario| scenario.defences = Defences { reports: false, ..Defences::ALL };
    assert!(is_found(60, weaken, |_, seen| elected_again(seen)));
}

fn elected_again(seen: &Seen) -> bool {
    let is_unpunished = seen.findings.iter().any(|finding| matches!(finding, Finding::Unpunished { .. }));
    is_unpunished && seen.findings.iter().any(|finding| matches!(finding, Finding::ElectedAgain { .. }))
}

#[test]
fn a_slash_that_is_too_small_is_found_out() {
    let weaken = |scenario: &mut Scenario| scenario.defences = Defences { slashing: false, ..Defences::ALL };
    let is_cheap = |_: &Outcome, seen: &Seen| {
        seen.findings.iter().any(|finding| matches!(finding, Finding::CheapSlash { .. }))
    };
    assert!(is_found(60, weaken, is_cheap));
}

/// Rounds that were lost after the faults in runs in which a validator sends nothing and is not jailed for it.
fn rounds_lost_to_the_silent(order: bool) -> u64 {
    let is_silent =
        |scenario: &Scenario| scenario.members.iter().any(|member| member.behaviour == Behaviour::Silent);
    (0..60)
        .map(Scenario::draw)
        .filter(is_silent)
        .map(|mut scenario| {
            scenario.defences = Defences { jailing: false, order, ..Defences::ALL };
            // Enough heights for eight missed ones, and for the order that follows from them.
            (scenario.plan.growth, scenario.plan.target) = (30, BlockHeight(30));
            play(scenario).1.counts.get("rounds lost after the faults").copied().unwrap_or(0)
        })
        .sum()
}

#[test]
#[allow(clippy::print_stdout, reason = "the output is the test's report")]
fn without_the_order_the_dead_cost_a_round_at_each_of_their_turns() {
    let (with, without) = (rounds_lost_to_the_silent(true), rounds_lost_to_the_silent(false));
    println!("{with} rounds were lost, and {without} without the order");
    assert!(
        without > 10 && with * 3 < without * 2,
        "{with} rounds were lost, and {without} without the order"
    );
}

#[test]
fn without_the_bound_on_clocks_one_proposer_sets_the_time() {
    let weaken = |scenario: &mut Scenario| {
        scenario.plan.checks_time = false;
        scenario.set_clock_ahead(60_000);
    };
    let is_wrong = |outcome: &Outcome, _: &Seen| {
        outcome.violations.iter().any(|violation| matches!(violation, Violation::WrongTime { .. }))
    };
    assert!(is_found(10, weaken, is_wrong));
}

#[test]
fn nodes_that_change_their_validators_a_block_late_are_found_out() {
    let weaken = |scenario: &mut Scenario| scenario.defences = Defences { sets: false, ..Defences::ALL };
    assert!(is_found(20, weaken, |outcome, _| !outcome.violations.is_empty()));
}

/// Two quorums of one half need not share an honest validator.
#[test]
fn with_a_quorum_of_one_half_nodes_disagree() {
    let weaken = |scenario: &mut Scenario| scenario.plan.quorum = Quorum::ONE_HALF;
    let is_fork = |outcome: &Outcome, _: &Seen| {
        outcome.violations.iter().any(|violation| matches!(violation, Violation::Disagreement { .. }))
    };
    assert!(is_found(120, weaken, is_fork));
}
