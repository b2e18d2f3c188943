//! Validators that commit weights and then reveal them late, or only those that suit them.
//!
//! Defence: weights that were committed in an epoch can be revealed in the next one only, and only unchanged.

use crate::economy::{Strategy, earned};

const DRIFT: f64 = 0.4;

#[test]
fn a_late_reveal_keeps_the_old_weights() {
    let late = earned(Strategy::RevealsLate, true, DRIFT);
    assert!(late < 0.7, "{late:.3} of an honest validator, for what it said before it began to be late");
    let at_any_time = earned(Strategy::RevealsLate, false, DRIFT);
    assert!(at_any_time > 0.8, "{at_any_time:.3} where late weights are taken");
}

#[test]
fn choosing_among_guesses_is_no_better_than_copying() {
    let chooser = earned(Strategy::ChoosesReveal, true, DRIFT);
    assert!(chooser <= 0.85, "{chooser:.3} of an honest validator");
    let after_the_others = earned(Strategy::ChoosesReveal, false, DRIFT);
    assert!(after_the_others > 0.95, "{after_the_others:.3} where it need not have committed");
}
