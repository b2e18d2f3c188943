//! Some days of a mesh's life: the same code as `examples/years`, which runs two years.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "../examples/years/history.rs"]
mod history;

use history::{BLOCKS_PER_DAY, History, Pace};
use nervure_ledger::transaction::Outcome;

/// Kinds that move no tokens, and that subnets with plain weights reject.
const WITHOUT: [&str; 2] = ["WeightsCommitted", "WeightsRevealed"];

fn after(pace: Pace, seed: u64, days: u64) -> History {
    let mut history = History::new(pace, seed);
    history.run(days * BLOCKS_PER_DAY);
    history
}

#[test]
fn days_conserve_every_unit() {
    let days = after(Pace::Years, 1, 3);
    for what in ["epochs", "applied", "rejected", "conservation checked"] {
        assert!(days.times(what) > 5, "{what}: {}\n{}", days.times(what), days.report());
    }
    assert_eq!(days.state.held(), u128::from(days.state.issuance()));
}

/// The names of all outcomes, in the words of the decoder.
fn kinds() -> Vec<String> {
    let error = serde_json::from_str::<Outcome>("\"none\"").unwrap_err().to_string();
    let camel = |name: &str| {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        name.split('_').map(capital).collect::<String>()
    };
    error.split('`').skip(3).step_by(2).map(camel).collect()
}

/// Two years in which only transfers, stakes and weights happen would show nothing about the rest.
#[test]
fn every_kind_of_transaction_is_part_of_the_history() {
    let history = after(Pace::Days, 1, 1);
    let report = history.report();
    let kinds = kinds();
    assert!(kinds.len() > 30, "{kinds:?}");
    for kind in kinds.iter().filter(|kind| !WITHOUT.contains(&kind.as_str())) {
        assert!(history.times(&format!("  {kind}")) > 0, "{kind} is missing:\n{report}");
    }
    for what in ["validators jailed", "proposals done", "proposals counted", "neurons pruned"] {
        assert!(history.times(what) > 0, "{what} is missing:\n{report}");
    }
    assert!(history.times("not in a block") * 20 < history.times("applied"), "{report}");
    assert_eq!(history.state.held(), u128::from(history.state.issuance()));
}

#[test]
fn a_seed_is_a_history() {
    let one = after(Pace::Days, 1, 1);
    assert_eq!(one.state, after(Pace::Days, 1, 1).state);
    assert_ne!(one.report(), after(Pace::Days, 2, 1).report());
}
