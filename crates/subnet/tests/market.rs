//! The simulation of a whole subnet (`examples/market.rs`), in small: the gate finds the good and leaves the bad, miners
//! earn by what users get from them, and both fail without the defences.

#![allow(
    clippy::expect_used,
    dead_code,
    reason = "a simulation may fail where it stands, and tells more than this asks"
)]

#[path = "../examples/market/agreement.rs"]
mod agreement;
#[path = "../examples/market/answers.rs"]
mod answers;
#[path = "../examples/market/consensus.rs"]
mod consensus;
#[path = "../examples/market/defences.rs"]
mod defences;
#[path = "../examples/market/detection.rs"]
mod detection;
#[path = "../examples/market/miners.rs"]
mod miners;
#[path = "../examples/market/pay.rs"]
mod pay;
#[path = "../examples/market/questions.rs"]
mod questions;
#[path = "../examples/market/report.rs"]
mod report;
#[path = "../examples/market/simulation.rs"]
mod simulation;
#[path = "../examples/market/validators.rs"]
mod validators;

use std::sync::LazyLock;

use defences::{Defence, Defences};
use report::Report;
use simulation::{Plan, Simulation};

fn play(plan: Plan) -> Report {
    Simulation::run(plan, |_| {})
}

fn calm() -> Plan {
    Plan {
        miners: 300,
        validators: 10,
        epochs: 60,
        questions: 20,
        sybils: 0,
        attackers: false,
        ..Plan::default()
    }
}

fn besieged() -> Plan {
    Plan { miners: 128, validators: 15, epochs: 70, questions: 20, ..Plan::default() }
}

/// With all defences, and with those that there were before.
static DEFENDED: LazyLock<Report> = LazyLock::new(|| play(besieged()));
static BEFORE: LazyLock<Report> = LazyLock::new(|| play(Plan { defences: Defences::BEFORE, ..besieged() }));

fn without(defence: Defence) -> Report {
    play(Plan { defences: Defences::ALL.without(defence), ..besieged() })
}

#[test]
fn questions_go_to_the_good_and_not_to_liars() {
    let report = play(calm());
    let tallies = &report.tallies;
    let regret = |tally| report.regret(tally);
    assert!(regret(&tallies.balanced) < regret(&tallies.lot) / 4.0, "{report}");
    for tally in [&tallies.balanced, &tallies.trusted] {
        assert!(tally.share(tally.to_hostile) <= 0.005, "{report}");
    }
    assert!(report.pay.to_liars() < 0.01, "{report}");
    let alone = tallies.alone.share(tallies.alone.to_hostile);
    assert!(alone > 0.5, "a gate without validators is deceived: {report}");
}

/// More keys than miners leave, registered again and again: they get a part of the newcomers' questions, and good
/// newcomers do not wait for them.
#[test]
fn cheap_keys_get_no_questions_but_those_of_newcomers() {
    let flooded = Plan { miners: 120, validators: 8, epochs: 40, questions: 100, sybils: 4, ..calm() };
    let report = play(flooded);
    let to_liars = |report: &Report| report.tallies.balanced.share(report.tallies.balanced.to_hostile);
    assert!(to_liars(&report) <= 0.005, "{report}");
    assert!(report.newcomers.noticed > 0 && report.newcomers.p50 <= 10, "{report}");
    let without = Defences::ALL.without(Defence::LittleExploration);
    let much = play(Plan { defences: without, ..flooded });
    assert!(to_liars(&much) > 0.005, "with 2 % for newcomers: {much}");
}

#[test]
fn the_same_seed_is_the_same_life() {
    let short = Plan { epochs: 12, ..besieged() };
    assert_eq!(play(short).to_string(), play(short).to_string());
    assert_ne!(play(short).to_string(), play(Plan { seed: 2, ..short }).to_string());
}

#[test]
fn all_attackers_together_get_little() {
    let (defended, before) = (&*DEFENDED, &*BEFORE);
    let bad = |report: &Report| report.tallies.balanced.share(report.tallies.balanced.bad);
    assert!(bad(defended) <= 0.03, "{defended}");
    assert!(bad(before) > 0.5, "{before}");
    assert!(defended.pay.to_liars() < before.pay.to_liars() / 2.0, "{defended}\n{before}");
}

/// The share of the emission follows what users, not validators, get from a miner.
#[test]
fn incentive_and_the_quality_that_users_get_agree() {
    assert!(DEFENDED.agreement >= 0.95, "{}", *DEFENDED);
    assert!(BEFORE.agreement < 0.95, "{}", *BEFORE);
}

#[test]
fn each_defence_is_missed_when_it_is_left_out() {
    let defended = &*DEFENDED;
    let bad = |report: &Report| report.tallies.balanced.share(report.tallies.balanced.bad);
    let own_subnet = without(Defence::SubnetScope);
    assert!(bad(&own_subnet) > 0.9, "{own_subnet}");
    let second = without(Defence::ExpertScope);
    assert!(second.pay.of("second experts") > 1.5 * defended.pay.of("second experts"), "{second}");
    let detectors = without(Defence::TasksLikeUsers);
    assert!(detectors.pay.of("detectors") > 1.5 * defended.pay.of("detectors"), "{detectors}");
    let copies = without(Defence::SharedReward);
    assert!(copies.pay.of("copiers") > 1.5 * defended.pay.of("copiers"), "{copies}");
    let oracles = without(Defence::LateScores);
    assert!(oracles.pay.of("oracles") > 3.0 * defended.pay.of("oracles"), "{oracles}");
}

/// A validator that reads live scores learns no more from them than from revealed weights.
#[test]
fn reading_live_scores_pays_no_better_than_copying_weights() {
    let reader = |report: &Report| report.pay.of_score_reader();
    let at_once = without(Defence::ScoresFollowWeights);
    assert!(reader(&DEFENDED) <= 0.85, "{}", *DEFENDED);
    assert!(reader(&at_once) > reader(&DEFENDED) + 0.1, "{at_once}\n{}", *DEFENDED);
}

/// A slot more with a model that is there already earns half of what a new model would, and takes the other half from
/// the first slot: together they earn what one did, and the second registration is lost. Only epochs count in which the
/// copy is known: before, both rules leave the first slot whole.
#[test]
fn two_slots_with_one_model_earn_what_one_does() {
    let shares = |report: &Report| {
        let honest = report.pay.of("honest miners");
        (report.pay.of("copiers") / honest, report.pay.of_long_copied() / honest)
    };
    let square = without(Defence::LinearShare);
    let (copier, copied) = shares(&DEFENDED);
    let (_, quartered) = shares(&square);
    assert!(copied > 1.5 * quartered, "{copier} {copied}, by the square {quartered}");
}
