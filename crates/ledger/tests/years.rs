//! Some days of a mesh's life: the same code as `examples/years`, which runs two years.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "../examples/years/history.rs"]
mod history;

use history::{BLOCKS_PER_DAY, History};

fn after(seed: u64, days: u64) -> History {
    let mut history = History::new(seed);
    history.run(days * BLOCKS_PER_DAY);
    history
}

#[test]
fn days_conserve_every_unit() {
    let days = after(1, 3);
    for what in ["epochs", "applied", "rejected", "neurons pruned", "conservation checked"] {
        assert!(days.times(what) > 5, "{what}: {}\n{}", days.times(what), days.report());
    }
    assert_eq!(days.state.held(), u128::from(days.state.issuance()));
}

#[test]
fn a_seed_is_a_history() {
    let one = after(1, 1);
    assert_eq!(one.state, after(1, 1).state);
    assert_ne!(one.report(), after(2, 1).report());
}
