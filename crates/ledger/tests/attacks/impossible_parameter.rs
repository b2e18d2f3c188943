//! A proposal makes rules under which the mesh cannot go on.

use nervure_ledger::{
    governance::{ParameterValue, Rulebook},
    params::Params,
    state::ActionError,
    transaction::{GovernanceRejection, Rejection},
};

use crate::parliament::{change, parliament, try_propose};

/// Rules that no spec may have, one by one: each in range alone or not, and what would break.
const IMPOSSIBLE: [(&str, u64); 8] = [
    ("min_tempo", 0),
    ("slash_permille", 1_000),
    ("unbonding", 30),
    ("evidence_window", 40),
    ("min_self_stake", 20_000_000_000_000_000),
    ("governance.quorum_permille", 1),
    ("governance.threshold_permille", 1_000),
    ("min_base_fee", 0),
];

#[test]
fn rules_that_a_spec_could_not_have_are_not_even_proposed() {
    let mut world = parliament([700, 100, 100, 100]);
    let rules = world.state.rulebook();
    for (name, value) in IMPOSSIBLE {
        let refused = try_propose(&mut world, 0, change(name, value)).unwrap_err();
        assert!(
            matches!(refused, Rejection::Governance(GovernanceRejection::Action { .. })),
            "{name}: {refused}"
        );
    }
    assert_eq!(world.state.rulebook(), rules, "nor is anything changed");
}

/// Without the checks, the first one would make epochs without end, and so on: the values themselves can be written.
#[test]
fn without_the_check_of_the_whole_they_would_be_set() {
    let world = parliament([700, 100, 100, 100]);
    let rules: Rulebook = world.state.rulebook();
    let unchecked = Params { min_tempo: 0, unbonding: 30, ..rules.economy.clone() };
    assert!(unchecked.check().is_err());
    let whole = [ParameterValue { name: "unbonding".into(), value: 30 }];
    // In the range of each alone: only the relation to the evidence window and the interval of elections refuses it.
    assert!(rules.economy.max_tempo <= 30);
    assert!(rules.with(&whole).is_err());
}

/// In range and without contradiction, and still the end of the mesh: all validators would lose their office at once.
#[test]
fn a_minimum_that_few_validators_have_is_refused() {
    let world = parliament([700, 100, 100, 100]);
    let all = world.state.rulebook();
    let action = change("min_self_stake", 800_000_000_000);
    assert!(all.with(&[ParameterValue { name: "min_self_stake".into(), value: 800_000_000_000 }]).is_ok());
    let refused = world.state.check_action(&action, 100);
    assert!(matches!(refused, Err(ActionError::SelfStake { .. })), "{refused:?}");
}
