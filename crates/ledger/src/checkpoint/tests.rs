//! Pursuits over a small chain whose validators change, and servers that lie.

use nervure_primitives::{Hash, NodeId};

use super::*;
use crate::testing::{Chain, validator};

/// A chain of `blocks` whose validators hand over to others, one after the other.
fn rotating(blocks: usize) -> Chain {
    let mut chain = Chain::new(4);
    for round in 0..blocks {
        // The one who was validator longest loses its stake, so that every election has others.
        chain.move_stake(round);
        chain.grow(1);
    }
    chain
}

fn pursue(chain: &Chain, goal: &Checkpoint, tamper: impl Fn(&mut Checkpoint)) -> Result<usize, PursuitError> {
    let mut pursuit = Pursuit::new(chain.light_client(), goal.clone());
    while let Some(height) = pursuit.advance()? {
        let mut given = chain.checkpoint(height.0);
        tamper(&mut given);
        pursuit.give(given)?;
    }
    assert_eq!(pursuit.client().height(), goal.height());
    Ok(pursuit.steps())
}

#[test]
fn where_validators_stay_one_certificate_is_enough() {
    let mut chain = Chain::new(4);
    chain.grow(60);
    let goal = chain.checkpoint(60);
    assert_eq!(pursue(&chain, &goal, |_| {}), Ok(1));
}

#[test]
fn where_validators_change_those_between_are_asked_for() {
    let chain = rotating(60);
    let goal = chain.checkpoint(60);
    assert!(!goal.validators.contains(&validator(0).node_id()), "the first validators are gone");
    let steps = pursue(&chain, &goal, |_| {}).unwrap();
    assert!(steps > 2, "{steps}");
}

#[test]
fn lies_are_found_wherever_they_are() {
    let chain = rotating(60);
    let goal = chain.checkpoint(60);
    let lie = |tamper: fn(&mut Checkpoint)| {
        let mut false_goal = goal.clone();
        tamper(&mut false_goal);
        let at_goal = pursue(&chain, &false_goal, |_| {}).unwrap_err();
        let between = pursue(&chain, &goal, tamper).unwrap_err();
        (at_goal, between)
    };
    let refused = |(a, b): (PursuitError, PursuitError)| {
        for error in [a, b] {
            assert!(matches!(error, PursuitError::Light { .. }), "{error}");
        }
    };
    refused(lie(|one| one.header.state = Hash::of("another state", &[])));
    refused(lie(|one| one.validators = ValidatorSet::from_stakes([(validator(9).node_id(), 1)]).unwrap()));
    refused(lie(|one| one.header.next_validators = Hash::of("others", &[])));
    refused(lie(|one| one.certificate.signatures = Default::default()));
    let other_height = pursue(&chain, &goal, |one| *one = chain.checkpoint(1)).unwrap_err();
    assert!(matches!(other_height, PursuitError::OtherHeight { .. }), "{other_height}");
}

#[test]
fn the_largest_fits_its_bound_and_reads_back() {
    let chain = rotating(12);
    let mut largest = chain.checkpoint(10);
    assert_eq!(Checkpoint::decode(&largest.encode().unwrap()), Ok(largest.clone()));
    let many = (0..MAX_VALIDATORS as u8).map(|n| (NodeId::from_bytes([n; 32]), u64::MAX >> 8));
    let set = ValidatorSet::from_stakes(many).unwrap();
    (largest.validators, largest.next_validators) = (set.clone(), Some(set));
    let bytes = largest.encode().unwrap();
    assert!(bytes.len() < MAX_CHECKPOINT_LEN, "{}", bytes.len());
}
