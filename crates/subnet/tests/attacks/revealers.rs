//! Validators that commit weights and then reveal them late, or only those that suit them.
//!
//! Defence: weights that were committed in an epoch can be revealed in the next one only, and only unchanged.

use crate::economy::{Rules, Strategy, earned};

/// The rules, with and without commit and reveal.
fn rules(commit_reveal: bool) -> Rules {
    Rules { commit_reveal, ..Rules::without_peer_prediction(0.4) }
}

#[test]
fn a_late_reveal_keeps_the_old_weights() {
    let late = earned(Strategy::RevealsLate, rules(true));
    assert!(late < 0.7, "{late:.3} of an honest validator, for what it said before it began to be late");
    let at_any_time = earned(Strategy::RevealsLate, rules(false));
    assert!(at_any_time > 0.8, "{at_any_time:.3} where late weights are taken");
}

#[test]
fn choosing_among_guesses_is_no_better_than_copying() {
    let chooser = earned(Strategy::ChoosesReveal, rules(true));
    assert!(chooser <= 0.85, "{chooser:.3} of an honest validator");
    let after_the_others = earned(Strategy::ChoosesReveal, rules(false));
    assert!(after_the_others > 0.95, "{after_the_others:.3} where it need not have committed");
}
