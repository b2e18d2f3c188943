//! Stake that is moved to another node: it counts there at once, and answers for the node that it was on.

use nervure_ledger::{
    params::Params,
    transaction::{
        Call, FundsRejection, JoinValidators, MoveStake, MoveStakeOutcome, NodeRejection, Outcome, Rejection,
        ReportEquivocation, Stake, StakeRejection, Unstake,
    },
};
use nervure_primitives::{Amount, BlockHeight, NodeId};
use proptest::{collection::vec, prelude::*};

use crate::{
    equivocation::equivocation,
    world::{World, node, owner, params, units},
};

/// Thousandths.
const SLASH: u64 = 100;

/// Blocks.
const UNBONDING: u64 = 20;

fn rules() -> Params {
    Params { unbonding: UNBONDING, evidence_window: 12, slash_permille: SLASH, ..params() }
}

fn id(index: u8) -> NodeId {
    node(index).node_id()
}

/// Node 1 of owner 1 is elected, with 90,000 of owner 2 on it. Node 3 of owner 3 is only registered, with 1,000 of its own.
fn elected() -> World {
    let mut world = World::with(rules());
    for (who, amount) in [(1, 10_000), (3, 1_000)] {
        world.register(who, who);
        world.call(&owner(who), Call::Stake(Stake { node: id(who), amount: units(amount) })).unwrap();
    }
    world.call(&owner(2), Call::Stake(Stake { node: id(1), amount: units(90_000) })).unwrap();
    world.call(&owner(1), Call::JoinValidators(JoinValidators { node: id(1) })).unwrap();
    while !world.elected().contains(&id(1)) {
        world.wait(1);
    }
    world
}

fn moving(from: u8, to: u8, amount: u64) -> Call {
    Call::MoveStake(MoveStake { from: id(from), to: id(to), amount: units(amount) })
}

fn moved(world: &mut World, from: u8, to: u8, amount: u64) -> MoveStakeOutcome {
    match world.call(&owner(2), moving(from, to, amount)).unwrap() {
        Outcome::StakeMoved(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn report(world: &mut World, key: u8, height: u64) {
    let evidence = equivocation(&world.state.mesh(), &node(key), height);
    world.call(&node(3), Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() })).unwrap();
}

fn staked(world: &World, on: u8, who: u8) -> u64 {
    world.state.nodes().stake_of(&id(on), &owner(who).node_id()).base_units()
}

#[test]
fn moved_stake_counts_at_once_and_stays_until_it_answers_for_the_former_node_no_more() {
    let mut world = elected();
    let outcome = moved(&mut world, 1, 3, 40_000);
    let free = BlockHeight(world.state.height().0 + UNBONDING);
    assert_eq!((outcome.amount, outcome.free, outcome.validates), (units(40_000), Some(free), false));
    assert_eq!((staked(&world, 1, 2), staked(&world, 3, 2)), (50_000, 40_000));
    assert_eq!(world.state.unbonding_of(&owner(2).node_id()).count(), 0);
    let bound = Rejection::from(StakeRejection::StakeBound { bound: units(40_000) });
    let out = |amount| Call::Unstake(Unstake { node: id(3), amount });
    for amount in [units(1), units(40_000), Unstake::ALL] {
        assert_eq!(world.refusal(&owner(2), out(amount)), bound, "{amount}");
    }
    assert_eq!(world.refusal(&owner(2), moving(3, 1, 100)), bound, "no second hop");
    // What was there otherwise is free.
    world.call(&owner(2), Call::Stake(Stake { node: id(3), amount: units(500) })).unwrap();
    world.call(&owner(2), out(Unstake::ALL)).unwrap();
    assert_eq!(staked(&world, 3, 2), 40_000);
    world.wait(free.0 - world.state.height().0);
    assert_eq!(world.state.nodes().moved_by(owner(2).node_id()).count(), 0);
    world.call(&owner(2), out(Unstake::ALL)).unwrap();
    assert_eq!(staked(&world, 3, 2), 0);
}

#[test]
fn an_equivocation_of_the_former_node_is_slashed_from_what_was_moved() {
    let mut world = elected();
    let at = world.state.height().0;
    let free = moved(&mut world, 1, 3, 90_000).free.unwrap();
    report(&mut world, 1, at + 1);
    assert_eq!((staked(&world, 1, 1), staked(&world, 3, 2)), (9_000, 90_000), "not yet");
    let issuance = world.state.issuance();
    world.wait(free.0 - world.state.height().0 - 1);
    assert_eq!(staked(&world, 3, 2), 90_000);
    world.wait(1);
    assert_eq!(staked(&world, 3, 2), 81_000);
    assert!(world.state.issuance() > issuance, "and recycled: see the conservation of every block");
    assert_eq!(staked(&world, 3, 3), 1_000, "other stakers of the new node lose nothing");
}

#[test]
fn what_was_moved_before_the_election_or_after_the_report_is_not_slashed() {
    let mut world = elected();
    let free = moved(&mut world, 1, 3, 30_000).free.unwrap();
    world.next_election();
    let at = world.state.height().0;
    world.wait(1);
    report(&mut world, 1, at + 1);
    let left = staked(&world, 1, 2);
    assert_eq!(left, 54_000, "it was slashed in the pool");
    let later = moved(&mut world, 1, 3, left);
    assert_eq!(later.free, None, "a node that was slashed has nothing to answer for");
    world.wait(free.0 - world.state.height().0);
    assert_eq!(staked(&world, 3, 2), 84_000);
}

#[test]
fn moved_stake_is_slashed_for_the_new_node_too() {
    let mut world = elected();
    let free = moved(&mut world, 1, 3, 90_000).free.unwrap();
    world.call(&owner(3), Call::JoinValidators(JoinValidators { node: id(3) })).unwrap();
    world.next_election();
    let at = world.state.height().0;
    world.wait(1);
    let evidence = equivocation(&world.state.mesh(), &node(3), at + 1);
    world.call(&node(1), Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() })).unwrap();
    assert_eq!(staked(&world, 3, 2), 81_000);
    report(&mut world, 1, at);
    world.wait(free.0 - world.state.height().0);
    assert_eq!(staked(&world, 3, 2), 72_000, "a tenth of what was moved for each");
}

#[test]
fn moves_that_move_nothing_are_refused() {
    let mut world = elected();
    let refused = |world: &mut World, call| world.refusal(&owner(2), call);
    assert_eq!(refused(&mut world, moving(1, 1, 100)), StakeRejection::SameNode { node: id(1) }.into());
    assert_eq!(refused(&mut world, moving(1, 9, 100)), NodeRejection::NoSuchNode { node: id(9) }.into());
    assert_eq!(refused(&mut world, moving(9, 1, 100)), NodeRejection::NoSuchNode { node: id(9) }.into());
    assert_eq!(refused(&mut world, moving(1, 3, 0)), FundsRejection::Nothing.into());
    assert_eq!(
        refused(&mut world, moving(1, 3, 499)),
        StakeRejection::UnstakeTooSmall { least: units(500) }.into()
    );
    assert_eq!(
        refused(&mut world, moving(3, 1, 100)),
        StakeRejection::NotStaked { staked: Amount::ZERO }.into()
    );
    assert_eq!(
        refused(&mut world, moving(1, 3, 90_001)),
        StakeRejection::NotStaked { staked: units(90_000) }.into()
    );
    // A remainder below the least stake goes with the rest.
    assert_eq!(moved(&mut world, 1, 3, 89_950).amount, units(90_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a staker does between the election that gave the power and the report, it loses the same part.
    #[test]
    fn moving_does_not_help(steps in vec((0u8..4, 100u64..60_000), 0..5)) {
        let mut world = elected();
        let at = world.state.height().0;
        let (before, mut fees) = (world.balance(&owner(2)), 0);
        for (step, amount) in steps {
            let call = match step {
                0 => moving(1, 3, amount),
                1 => moving(3, 1, amount),
                2 => Call::Unstake(Unstake { node: id(3), amount: units(amount) }),
                _ => Call::Unstake(Unstake { node: id(1), amount: units(amount) }),
            };
            // Some are refused.
            let _ = world.call(&owner(2), call);
            fees += world.paid;
        }
        report(&mut world, 1, at + 1);
        world.wait(UNBONDING + 1);
        prop_assert_eq!(world.state.unbonding_of(&owner(2).node_id()).count(), 0);
        prop_assert_eq!(world.state.nodes().moved_by(owner(2).node_id()).count(), 0);
        let returned = world.balance(&owner(2)) + fees - before;
        let left = returned + staked(&world, 1, 2) + staked(&world, 3, 2);
        // Each step rounds down once.
        prop_assert!(left.abs_diff(81_000) <= 6, "{left}");
    }
}
