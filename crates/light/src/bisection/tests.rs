//! Bisections over a small chain whose validators change, and servers that lie.

use nervure_consensus::checkpoint::ValidatorSet;
use nervure_ledger::testing::{Chain, validator};
use nervure_primitives::Hash;

use super::*;
use crate::testing::{light_client, rotating};

fn bisect(
    chain: &Chain,
    goal: &Checkpoint,
    tamper: impl Fn(&mut Checkpoint),
) -> Result<usize, BisectionError> {
    let mut bisection = Bisection::new(light_client(chain), goal.clone());
    while let Some(height) = bisection.advance()? {
        let mut given = chain.checkpoint(height.0);
        tamper(&mut given);
        bisection.supply(given)?;
    }
    assert_eq!(bisection.client().height(), goal.height());
    Ok(bisection.steps())
}

#[test]
fn one_certificate_is_enough_when_validators_stay() {
    let mut chain = Chain::new(4);
    chain.grow(60);
    let goal = chain.checkpoint(60);
    assert_eq!(bisect(&chain, &goal, |_| {}), Ok(1));
}

#[test]
fn requests_checkpoints_between_when_validators_change() {
    let chain = rotating(60);
    let goal = chain.checkpoint(60);
    assert!(!goal.validators.contains(&validator(0).node_id()), "the first validators are gone");
    let steps = bisect(&chain, &goal, |_| {}).unwrap();
    assert!(steps > 2, "{steps}");
}

/// A server that keeps the certificates of some blocks only: of a request, the next one that it has.
fn bisect_thinned(
    chain: &Chain,
    goal: &Checkpoint,
    keeps: impl Fn(&Checkpoint) -> bool,
) -> Result<usize, BisectionError> {
    let mut bisection = Bisection::new(light_client(chain), goal.clone());
    while let Some(height) = bisection.advance()? {
        let kept = (height.0..=goal.height().0).map(|height| chain.checkpoint(height));
        let kept = kept.into_iter().find(|one| keeps(one) || one.height() == goal.height());
        bisection.supply(kept.unwrap())?;
    }
    assert_eq!(bisection.client().height(), goal.height());
    Ok(bisection.steps())
}

#[test]
fn certificates_of_the_blocks_that_name_other_validators_are_enough() {
    let chain = rotating(60);
    let changes = |one: &Checkpoint| one.header.validators != one.header.next_validators;
    for height in [1, 2, 3, 10, 31, 59, 60] {
        let goal = chain.checkpoint(height);
        assert!(bisect_thinned(&chain, &goal, changes).is_ok(), "{height}");
    }
    // Any other choice is not: none of those between two others.
    let error = bisect_thinned(&chain, &chain.checkpoint(60), |_| false).unwrap_err();
    assert!(
        matches!(&error, BisectionError::Light { error, .. } if error.is_too_far()),
        "the server has nothing in between, and the search for it ends: {error}"
    );
}

#[test]
fn refuses_a_forged_checkpoint_at_the_goal_and_between() {
    let chain = rotating(60);
    let goal = chain.checkpoint(60);
    let lie = |tamper: fn(&mut Checkpoint)| {
        let mut false_goal = goal.clone();
        tamper(&mut false_goal);
        let at_goal = bisect(&chain, &false_goal, |_| {}).unwrap_err();
        let between = bisect(&chain, &goal, tamper).unwrap_err();
        (at_goal, between)
    };
    let refused = |(a, b): (BisectionError, BisectionError)| {
        for error in [a, b] {
            assert!(matches!(error, BisectionError::Light { .. }), "{error}");
        }
    };
    refused(lie(|one| one.header.state = Hash::of("another state", &[])));
    refused(lie(|one| one.validators = ValidatorSet::from_stakes([(validator(9).node_id(), 1)]).unwrap()));
    refused(lie(|one| one.header.next_validators = Hash::of("others", &[])));
    refused(lie(|one| one.certificate.signatures = Default::default()));
    let other_height = bisect(&chain, &goal, |one| *one = chain.checkpoint(1)).unwrap_err();
    assert!(matches!(other_height, BisectionError::OtherHeight { .. }), "{other_height}");
}
