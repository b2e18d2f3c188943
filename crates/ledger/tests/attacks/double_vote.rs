//! One stake votes twice: beside its validator, from two nodes, or from two accounts.

use nervure_ledger::{
    governance::{Action, Choice, ProposalId},
    params::Params,
    transaction::{Call, Transfer},
};

use crate::{
    parliament::{PART, parliament_with, parts, propose, rules, stake, try_vote, unstake, vote},
    world::{World, node, owner, units},
};

/// A mesh in which unstaked tokens are free at once, and what the attacker has staked on the validator of another owner.
fn attacked() -> (World, ProposalId) {
    // No spec may say this: the vote has to hold without the help of the unbonding time.
    let mut world = parliament_with([300, 300, 100, 100], Params { unbonding: 1, ..rules() });
    stake(&mut world, 3, 0, 200);
    let id = propose(&mut world, Action::Text);
    try_vote(&mut world, (3, &[0]), id, Choice::Yes).unwrap();
    (world, id)
}

fn yes(world: &World, id: ProposalId) -> u64 {
    parts(world.state.tally(id).yes)
}

/// What would be counted if votes kept the stake that they were given with.
fn kept(votes: &[u64]) -> u64 {
    votes.iter().sum()
}

#[test]
fn a_staker_that_votes_like_its_validator_is_counted_once() {
    let (mut world, id) = attacked();
    vote(&mut world, 0, id, Choice::Yes);
    assert_eq!(yes(&world, id), 500);
    let node_and_staker = [500, 200];
    assert_eq!(kept(&node_and_staker), 700, "as if the node voted with all of its stake");
}

#[test]
fn stake_that_moves_to_another_validator_votes_there_only() {
    let (mut world, id) = attacked();
    assert_eq!(yes(&world, id), 200);
    unstake(&mut world, 3, 0);
    assert_eq!(yes(&world, id), 0);
    world.wait(1);
    stake(&mut world, 3, 1, 200);
    try_vote(&mut world, (3, &[1]), id, Choice::Yes).unwrap();
    assert_eq!(yes(&world, id), 200);
    assert_eq!(kept(&[200, 200]), 400);
}

#[test]
fn tokens_that_another_account_stakes_vote_once() {
    let (mut world, id) = attacked();
    unstake(&mut world, 3, 0);
    world.wait(1);
    let pay = Transfer { to: owner(2).node_id(), amount: units(200 * PART), memo: None };
    world.call(&owner(3), Call::Transfer(pay)).unwrap();
    stake(&mut world, 2, 0, 200);
    try_vote(&mut world, (2, &[0]), id, Choice::Yes).unwrap();
    assert_eq!(yes(&world, id), 200);
    assert_eq!(kept(&[200, 200]), 400);
}

/// Who stakes right before the count votes with it, and cannot sell it before the decision takes effect.
#[test]
fn a_stake_of_one_block_is_locked_until_after_the_effect() {
    let rules = rules();
    let decides = rules.governance.voting_period + rules.governance.delay;
    assert!(rules.unbonding >= decides);
    let short = Params { unbonding: decides - 1, evidence_window: 2, max_tempo: 10, ..rules.clone() };
    assert_eq!(short.check().unwrap_err().place, "unbonding");
    let mut world = parliament_with([300, 300, 100, 100], rules.clone());
    let id = propose(&mut world, Action::Text);
    let ends = world.state.governance().proposals()[&id].ends;
    world.wait(ends - 3 - world.state.height().0);
    stake(&mut world, 3, 0, 600);
    try_vote(&mut world, (3, &[0]), id, Choice::Yes).unwrap();
    world.wait(1);
    let before = world.balance(&owner(3));
    unstake(&mut world, 3, 0);
    let paid = world.paid;
    world.wait(rules.governance.delay);
    assert_eq!(world.balance(&owner(3)), before - paid + rules.governance.vote_deposit, "still locked");
    assert!(node(0).node_id() != owner(0).node_id());
}
