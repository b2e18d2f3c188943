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
