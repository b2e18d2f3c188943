//! The simulation of a whole subnet (`examples/market.rs`), in small: that the gate finds the good and leaves the bad,
//! and that one without validators does not.

#![allow(
    clippy::expect_used,
    dead_code,
    reason = "a simulation may fail where it stands, and tells more than this asks"
)]

#[path = "../examples/market/consensus.rs"]
mod consensus;
#[path = "../examples/market/miners.rs"]
mod miners;
#[path = "../examples/market/questions.rs"]
mod questions;
#[path = "../examples/market/simulation.rs"]
mod simulation;
#[path = "../examples/market/validators.rs"]
mod validators;

use simulation::{Plan, Report, Simulation};

fn play(plan: Plan) -> Report {
    let mut simulation = Simulation::new(plan);
    (0..plan.epochs).for_each(|_| simulation.epoch());
    simulation.report()
}

const SMALL: Plan = Plan { miners: 300, validators: 10, epochs: 60, questions: 20, seed: 1 };

#[test]
fn questions_go_to_the_good_and_not_to_liars() {
    let report = play(SMALL);
    let tallies = &report.tallies;
    let regret = |tally| report.regret(tally);
    assert!(regret(&tallies.balanced) < regret(&tallies.lot) / 4.0, "{report}");
    assert!(tallies.balanced.share(tallies.balanced.to_liars) <= 0.01, "{report}");
    assert!(tallies.trusted.share(tallies.trusted.to_liars) <= 0.01, "{report}");
    assert!(report.pay_to_liars < 0.01, "{report}");
    assert!(
        tallies.alone.share(tallies.alone.to_liars) > 0.5,
        "a gate without validators is deceived: {report}"
    );
}

#[test]
fn the_same_seed_is_the_same_life() {
    let short = Plan { epochs: 12, ..SMALL };
    assert_eq!(play(short).to_string(), play(short).to_string());
    assert_ne!(play(short).to_string(), play(Plan { seed: 2, ..short }).to_string());
}
