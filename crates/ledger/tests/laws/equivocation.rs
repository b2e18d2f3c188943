//! Equivocations: what is evidence, what it costs whom, and that it cannot be dodged.

use nervure_consensus::statement::{Equivocation, Proposal, Round, SignedStatement, Vote, VoteKind};
use nervure_ledger::{
    accounts::UnbondingKey,
    nodes::NodeNumber,
    params::Params,
    roster::{Standing, Tombstone},
    state::REPORTER_PERMILLE,
    transaction::{
        Call, JoinValidators, LeaveValidators, NodeRejection, Outcome, Rejection, ReportEquivocation,
        ReportEquivocationOutcome, Stake, SwapKey, Transfer, Unstake, ValidatorRejection,
    },
};
use nervure_primitives::{Amount, BlockHeight, Hash, MeshId, NodeId, NodeKey};
use proptest::prelude::*;

use crate::world::{World, node, owner, params, units};

/// Two votes of `key` at one position of `height`.
pub(crate) fn equivocation(mesh: &MeshId, key: &NodeKey, height: u64) -> Equivocation {
    let vote = |value| {
        let height = BlockHeight(height);
        let vote = Vote { height, round: Round(0), kind: VoteKind::Prevote, value };
        SignedStatement::sign(key, mesh, vote).unwrap()
    };
    Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
}

/// Blocks between elections.
const INTERVAL: u64 = 4;

const WINDOW: u64 = 12;

/// Thousandths.
const SLASH: u64 = 100;

fn rules() -> Params {
    Params { unbonding: 20, evidence_window: WINDOW, slash_permille: SLASH, ..params() }
}

const VALIDATOR: u8 = 1;

fn id(index: u8) -> NodeId {
    node(index).node_id()
}

/// Node 1 of owner 1 is elected, with `own` of its owner and `others` of owner 2. Node 0 of owner 0 is only registered.
pub(crate) fn elected(own: u64, others: u64) -> World {
    let mut world = World::with(rules());
    world.register(0, 0);
    let validator = world.register(VALIDATOR, VALIDATOR);
    stake(&mut world, 1, own);
    if others > 0 {
        stake(&mut world, 2, others);
    }
    world.call(&owner(1), Call::JoinValidators(JoinValidators { node: validator })).unwrap();
    while !world.elected().contains(&validator) {
        world.wait(1);
    }
    world
}

fn stake(world: &mut World, who: u8, amount: u64) {
    let call = Stake { node: id(VALIDATOR), amount: units(amount) };
    world.call(&owner(who), Call::Stake(call)).unwrap();
}

fn unstake(world: &mut World, who: u8, amount: u64) {
    let call = Unstake { node: id(VALIDATOR), amount: units(amount) };
    world.call(&owner(who), Call::Unstake(call)).unwrap();
}

fn report(world: &World, key: &NodeKey, height: u64) -> Call {
    Call::ReportEquivocation(ReportEquivocation {
        evidence: equivocation(&world.state.mesh(), key, height).into(),
    })
}

/// Node 0 reports the validator's equivocation at `height`.
fn reported(world: &mut World, height: u64) -> ReportEquivocationOutcome {
    let call = report(world, &node(VALIDATOR), height);
    match world.call(&node(0), call).unwrap() {
        Outcome::EquivocationReported(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn staked(world: &World, who: u8) -> u64 {
    world.state.nodes().stake_of(&id(VALIDATOR), &owner(who).node_id()).base_units()
}

fn height(world: &World) -> u64 {
    world.state.height().0
}

#[test]
fn an_equivocation_costs_all_stakers_a_part_and_the_validator_its_office() {
    let mut world = elected(10_000, 90_000);
    let (at, balance) = (height(&world), world.balance(&owner(0)));
    let issuance = world.state.issuance();
    world.wait(1);
    let minted = world.state.issuance() - issuance;
    let outcome = reported(&mut world, at + 1);
    let expected = ReportEquivocationOutcome {
        node: id(VALIDATOR),
        height: BlockHeight(at + 1),
        slashed: units(10_000),
        reward: units(250),
    };
    assert_eq!(outcome, expected);
    assert_eq!((staked(&world, 1), staked(&world, 2)), (9_000, 81_000));
    assert_eq!(world.balance(&owner(0)), balance + 250 - world.paid);
    assert_eq!(
        world.state.issuance(),
        issuance + 2 * minted - 10_000 + 250 - world.paid,
        "the rest is recycled"
    );
    let tombstone = Tombstone { height: at + 1, reported: at + 2, since: at };
    assert_eq!(world.state.roster().standing(&id(VALIDATOR)), Some(Standing::Tombstoned(tombstone)));
    assert!(world.state.silent_validators().contains(&id(VALIDATOR)), "it proposes last until the election");
    world.next_election();
    assert!(!world.elected().contains(&id(VALIDATOR)));
    let join = Call::JoinValidators(JoinValidators { node: id(VALIDATOR) });
    let refusal =
        Rejection::from(ValidatorRejection::Tombstoned { node: id(VALIDATOR), height: BlockHeight(at + 1) });
    assert_eq!(world.refusal(&owner(1), join), refusal);
    // What is left can be taken out, and is not slashed again.
    unstake(&mut world, 2, 81_000);
    let free: Vec<_> = world.state.unbonding_of(&owner(2).node_id()).map(|(_, amount)| amount).collect();
    assert_eq!(free, [units(81_000)]);
}

/// A precommit of a block in one round, and a proposal of another one in a later round, as if there had been no lock.
#[test]
fn a_proposer_that_forgets_its_precommit_is_slashed_like_one_that_votes_twice() {
    let mut world = elected(10_000, 90_000);
    world.wait(1);
    let (mesh, height) = (world.state.mesh(), world.state.height());
    let sign = |statement| SignedStatement::sign(&node(VALIDATOR), &mesh, statement).unwrap();
    let value = Some(Hash::of("locked", &[]));
    let precommit = sign(Vote { height, round: Round(1), kind: VoteKind::Precommit, value });
    let proposal = |valid_round| {
        let proposal = Proposal { height, round: Round(4), value: Hash::of("other", &[]), valid_round };
        SignedStatement::sign(&node(VALIDATOR), &mesh, proposal).unwrap()
    };
    // With a polka since, it is right.
    assert!(Equivocation::amnesia(precommit, proposal(Some(Round(2)))).is_err());
    let evidence = Equivocation::amnesia(precommit, proposal(Some(Round(0)))).unwrap();
    let call = Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() });
    let Outcome::EquivocationReported(outcome) = world.call(&node(0), call).unwrap() else { panic!() };
    assert_eq!((outcome.node, outcome.height, outcome.slashed), (id(VALIDATOR), height, units(10_000)));
    assert_eq!((staked(&world, 1), staked(&world, 2)), (9_000, 81_000));
}

#[test]
fn only_evidence_of_a_validator_in_office_within_the_window_counts() {
    let mut world = elected(10_000, 0);
    let at = height(&world);
    let stranger = report(&world, &node(0), at);
    let out =
        |height, node| Rejection::from(ValidatorRejection::NotInOffice { node, height: BlockHeight(height) });
    assert_eq!(world.refusal(&node(0), stranger), out(at, id(0)), "it never was one");
    let early = report(&world, &node(VALIDATOR), at);
    assert_eq!(world.refusal(&node(0), early), out(at, id(VALIDATOR)), "not elected yet");
    let future = report(&world, &node(VALIDATOR), at + 9);
    assert_eq!(world.refusal(&node(0), future), out(at + 9, id(VALIDATOR)));
    let mesh = MeshId::from_bytes([9; 32]);
    let foreign = ReportEquivocation { evidence: equivocation(&mesh, &node(VALIDATOR), at + 1).into() };
    let refusal = world.refusal(&node(0), Call::ReportEquivocation(foreign));
    assert!(matches!(refusal, Rejection::Validator(ValidatorRejection::Evidence { .. })), "{refusal}");
    let unknown = report(&world, &node(VALIDATOR), at + 1);
    let unregistered = world.refusal(&node(9), unknown);
    assert_eq!(unregistered, NodeRejection::NoSuchNode { node: id(9) }.into());
    let blocks = at + 1 + WINDOW - height(&world);
    world.wait(blocks);
    let late = report(&world, &node(VALIDATOR), at + 1);
    let refusal = world.refusal(&node(0), late);
    assert_eq!(refusal, ValidatorRejection::EvidenceTooOld { oldest: BlockHeight(at + 2) }.into());
    // The last block of the window.
    reported(&mut world, at + 3);
}

#[test]
fn a_node_is_slashed_once() {
    let mut world = elected(10_000, 0);
    let at = height(&world);
    world.wait(1);
    reported(&mut world, at + 1);
    for height in [at + 1, at + 2] {
        let again = report(&world, &node(VALIDATOR), height);
        let refusal = world.refusal(&node(0), again);
        assert_eq!(refusal, ValidatorRejection::AlreadyReported { node: id(VALIDATOR) }.into());
    }
}

#[test]
fn leaving_a_new_key_and_unstaking_do_not_dodge_a_slash() {
    let mut world = elected(10_000, 90_000);
    let at = height(&world);
    world.call(&owner(1), Call::LeaveValidators(LeaveValidators { node: id(VALIDATOR) })).unwrap();
    let consent = world.consent(&node(50), &owner(1).node_id());
    world.call(&owner(1), Call::SwapKey(SwapKey { old: id(VALIDATOR), consent })).unwrap();
    let all = Unstake { node: id(50), amount: units(90_000) };
    world.call(&owner(2), Call::Unstake(all)).unwrap();
    world.next_election();
    let outcome = reported(&mut world, at + 1);
    assert_eq!((outcome.node, outcome.slashed), (id(50), units(1_000)), "what is left in the pool");
    let free: Vec<_> = world.state.unbonding_of(&owner(2).node_id()).map(|(_, amount)| amount).collect();
    assert_eq!(free, [units(81_000)], "and what is unbonding");
    let before = world.balance(&owner(2));
    let issuance = world.state.issuance();
    world.wait(rules().unbonding);
    assert_eq!(world.balance(&owner(2)), before + 81_000);
    assert!(world.state.issuance() < issuance + rules().unbonding * 1_000_000_000, "the slash is recycled");
    let join = Call::JoinValidators(JoinValidators { node: id(50) });
    assert!(matches!(
        world.refusal(&owner(1), join),
        Rejection::Validator(ValidatorRejection::Tombstoned { .. })
    ));
    // Nor does yet another key.
    let consent = world.consent(&node(51), &owner(1).node_id());
    world.call(&owner(1), Call::SwapKey(SwapKey { old: id(50), consent })).unwrap();
    assert!(world.state.roster().tombstone(&id(51)).is_some());
}

#[test]
fn what_was_unstaked_before_the_election_gave_no_power_and_is_not_slashed() {
    let mut world = elected(10_000, 90_000);
    unstake(&mut world, 2, 40_000);
    world.next_election();
    let at = height(&world);
    // After the election: powers stay until the next one.
    unstake(&mut world, 2, 50_000);
    reported(&mut world, at + 1);
    let free: Vec<_> = world.state.unbonding_of(&owner(2).node_id()).map(|(_, amount)| amount).collect();
    assert_eq!(free, [units(40_000), units(45_000)]);
}

#[test]
fn a_cheap_offence_that_is_reported_first_does_not_hide_an_earlier_one() {
    let mut world = elected(10_000, 90_000);
    let first = height(&world);
    unstake(&mut world, 2, 90_000);
    world.next_election();
    // The validator has little stake left, and reports itself.
    let second = height(&world);
    world.wait(1);
    let call = report(&world, &node(VALIDATOR), second + 1);
    world.call(&node(VALIDATOR), call).unwrap();
    let free = |world: &World| -> Vec<Amount> {
        world.state.unbonding_of(&owner(2).node_id()).map(|(_, amount)| amount).collect()
    };
    assert_eq!(free(&world), [units(90_000)], "unstaked before the election of that offence");
    let outcome = reported(&mut world, first + 1);
    assert_eq!((outcome.slashed, outcome.reward), (Amount::ZERO, Amount::ZERO), "the pool was slashed");
    assert_eq!(free(&world), [units(81_000)]);
    let tombstone = world.state.roster().tombstone(&id(VALIDATOR)).unwrap();
    assert_eq!((tombstone.height, tombstone.since, tombstone.reported), (first + 1, first, second + 2));
}

#[test]
fn what_is_unstaked_in_the_block_of_the_report_is_slashed_once() {
    for unstake_first in [true, false] {
        let mut world = elected(10_000, 90_000);
        let at = height(&world);
        let out = Call::Unstake(Unstake { node: id(VALIDATOR), amount: units(50_000) });
        let mut block = vec![
            world.sign(&owner(2), out, 0),
            world.sign(&node(0), report(&world, &node(VALIDATOR), at + 1), 0),
        ];
        if !unstake_first {
            block.reverse();
        }
        world.apply(block);
        let unbonding: Vec<_> = world.state.unbonding_of(&owner(2).node_id()).collect();
        let (expected, node) = match unstake_first {
            true => (45_000, Some(world.state.roster().term(&id(VALIDATOR)).unwrap().node)),
            false => (50_000, None),
        };
        assert_eq!(unbonding, [(BlockHeight(at + 1 + rules().unbonding), units(expected))]);
        let keys: Vec<UnbondingKey> =
            world.state.accounts().unbonding(&owner(2).node_id()).map(|(key, _)| key).collect();
        assert_eq!(keys.iter().map(|key| key.node).collect::<Vec<Option<NodeNumber>>>(), [node]);
    }
}

#[test]
fn unbonding_of_another_node_is_not_slashed() {
    let mut world = elected(10_000, 0);
    let other = world.register(3, 3);
    world.call(&owner(2), Call::Stake(Stake { node: other, amount: units(5_000) })).unwrap();
    world.call(&owner(2), Call::Unstake(Unstake { node: other, amount: units(5_000) })).unwrap();
    let at = height(&world);
    reported(&mut world, at);
    let free: Vec<_> = world.state.unbonding_of(&owner(2).node_id()).map(|(_, amount)| amount).collect();
    assert_eq!(free, [units(5_000)]);
}

#[test]
fn a_former_validator_answers_for_its_term_until_the_window_is_over() {
    let mut world = elected(10_000, 0);
    let at = height(&world);
    world.call(&owner(1), Call::LeaveValidators(LeaveValidators { node: id(VALIDATOR) })).unwrap();
    world.next_election();
    let last = height(&world);
    let term = world.state.roster().term(&id(VALIDATOR)).unwrap();
    assert_eq!((term.first, term.last), (at + 1, Some(last)));
    world.wait(1);
    let after = report(&world, &node(VALIDATOR), last + 1);
    assert!(matches!(
        world.refusal(&node(0), after),
        Rejection::Validator(ValidatorRejection::NotInOffice { .. })
    ));
    let mut other = World { spec: world.spec.clone(), state: world.state.clone(), ..world };
    assert_eq!(reported(&mut other, last).slashed, units(1_000));
    world.wait(WINDOW + INTERVAL);
    assert_eq!(world.state.roster().term(&id(VALIDATOR)), None, "forgotten");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the shares of owner and stakers: who reports its own node loses more than it gets.
    #[test]
    fn no_validator_gains_by_reporting_itself(own in 1_000u64..1_000_000_000, others in 0u64..100_000_000_000) {
        let others = if others < 100 { 0 } else { others };
        let mut world = elected(own, others);
        let at = height(&world);
        // The reporter's owner has no other income than the reward.
        let wealth = |world: &World| world.balance(&owner(1)) + staked(world, 1);
        let before = wealth(&world);
        let call = report(&world, &node(VALIDATOR), at);
        let early = matches!(world.call(&node(VALIDATOR), call), Err(Rejection::Validator(ValidatorRejection::NotInOffice { .. })));
        prop_assert!(early);
        let call = report(&world, &node(VALIDATOR), at + 1);
        let done = world.call(&node(VALIDATOR), call).unwrap();
        let Outcome::EquivocationReported(outcome) = done else { panic!("{done:?}") };
        let lost = own * SLASH / 1_000;
        prop_assert!(outcome.reward.base_units() <= (lost + 1) * REPORTER_PERMILLE / 1_000);
        prop_assert!(wealth(&world) <= before - (lost - outcome.reward.base_units()));
        prop_assert!(wealth(&world) < before);
    }

    /// Whenever a staker runs, between the election that gave the power and the report, it loses the same part.
    #[test]
    fn running_does_not_help(blocks in 0u64..4, amount in 500u64..90_000) {
        let mut world = elected(10_000, 90_000);
        let at = height(&world);
        world.wait(blocks);
        unstake(&mut world, 2, amount);
        world.call(&owner(3), Call::Transfer(Transfer { to: owner(0).node_id(), amount: units(1), memo: None })).unwrap();
        reported(&mut world, at + 1);
        let unbonding: u64 =
            world.state.unbonding_of(&owner(2).node_id()).map(|(_, amount)| amount.base_units()).sum();
        let left = unbonding + staked(&world, 2);
        let fair = 90_000 - 90_000 * SLASH / 1_000;
        prop_assert!(left.abs_diff(fair) <= 2, "{left}, not {fair}");
    }
}
