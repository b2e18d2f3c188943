//! A validator that tests no miner and copies the last revealed weights of the others.
//!
//! Defence: weights are committed in one epoch and revealed in the next, so that a copy is an epoch old. How much that
//! costs the copier depends on how far miners' quality moves in an epoch: where nothing changes, a copy is as good as
//! the original.

use crate::economy::{Strategy, earned};

/// How far a miner's quality moves in an epoch at most, of 1.
const DRIFT: f64 = 0.4;

#[test]
fn a_copy_is_an_epoch_old_and_earns_less() {
    let copier = earned(Strategy::Copies, true, DRIFT);
    assert!(copier <= 0.85, "{copier:.3} of an honest validator");
    let in_plain_sight = earned(Strategy::Copies, false, DRIFT);
    assert!(in_plain_sight > 0.95, "{in_plain_sight:.3} without commit and reveal");
}

#[test]
fn an_honest_validator_in_the_same_place_earns_as_much() {
    let honest = earned(Strategy::Honest, true, DRIFT);
    assert!((0.97..1.03).contains(&honest), "{honest:.3}");
}

/// The table of `docs/mechanisms.md`.
#[test]
fn the_slower_miners_change_the_more_a_copy_earns() {
    let shares = [0.4, 0.2, 0.05].map(|drift| (drift, earned(Strategy::Copies, true, drift)));
    for (drift, share) in shares {
        println!(
            "quality moves by up to {drift:.2} in an epoch: a copier earns {share:.3} of an honest validator"
        );
    }
    assert!(shares.is_sorted_by(|a, b| a.1 < b.1), "{shares:?}");
}
