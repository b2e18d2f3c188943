//! A validator moves its stake to another node of its own right after an election, equivocates with the power that it still
//! has, and is reported as late as possible: its tokens should be out of reach by then, in a clean node or unstaked from it.

use nervure_consensus::statement::{Equivocation, Round, SignedStatement, Vote, VoteKind};
use nervure_ledger::{
    params::Params,
    transaction::{
        Call, JoinValidators, MoveStake, Rejection, ReportEquivocation, Stake, StakeRejection, Unstake,
    },
};
use nervure_primitives::{BlockHeight, Hash, NodeId};

use crate::world::{World, node, owner, params, units};

/// Blocks in which an equivocation can be reported.
const WINDOW: u64 = 12;

/// Blocks between elections.
const INTERVAL: u64 = 4;

const STAKE: u64 = 100_000;

/// Rules that keep a stake answerable for everything that it gave power for.
fn rules() -> Params {
    Params {
        unbonding: WINDOW + INTERVAL,
        evidence_window: WINDOW,
        election_interval: INTERVAL,
        max_tempo: 10,
        netuid_rest: params().max_lifetime,
        min_stake: 600,
        ..params()
    }
}

fn id(index: u8) -> NodeId {
    node(index).node_id()
}

/// Two precommits of the attacker's validator.
fn evidence(world: &World, height: u64) -> Equivocation {
    let vote = |value| {
        let vote = Vote { height: BlockHeight(height), round: Round(0), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&node(1), &world.state.mesh(), vote).unwrap()
    };
    Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
}

/// What is left to the attacker, on its nodes and back in its account, of what it staked. The report comes in the last
/// block of the window.
fn attacked(economy: Params) -> u64 {
    let mut world = World::with(economy);
    for who in [0, 1] {
        world.register(who, who);
    }
    let clean = world.register(1, 2);
    world.call(&owner(1), Call::Stake(Stake { node: id(1), amount: units(STAKE) })).unwrap();
    world.call(&owner(1), Call::JoinValidators(JoinValidators { node: id(1) })).unwrap();
    while !world.elected().contains(&id(1)) {
        world.wait(1);
    }
    let at = world.state.height().0;
    let mut fees = 0;
    let before = world.balance(&owner(1));
    let move_all = MoveStake { from: id(1), to: clean, amount: Unstake::ALL };
    world.call(&owner(1), Call::MoveStake(move_all)).unwrap();
    fees += world.paid;
    assert!(world.elected().contains(&id(1)), "powers stay between elections");
    // It tries to take it out in each block until the report.
    while world.state.height().0 < at + WINDOW {
        let out = Call::Unstake(Unstake { node: clean, amount: Unstake::ALL });
        match world.call(&owner(1), out) {
            Ok(_)
            | Err(Rejection::Stake(StakeRejection::StakeBound { .. } | StakeRejection::NotStaked { .. })) => {
                fees += world.paid
            }
            Err(other) => panic!("{other}"),
        }
    }
    let evidence = evidence(&world, at + 1);
    let report = Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() });
    world.call(&node(0), report).unwrap();
    world.wait(2 * (WINDOW + INTERVAL));
    let staked: u64 = [id(1), clean]
        .iter()
        .map(|node| world.state.nodes().stake_of(node, &owner(1).node_id()).base_units())
        .sum();
    world.balance(&owner(1)) + fees - before + staked
}

#[test]
fn who_moves_its_stake_right_after_the_election_is_slashed_all_the_same() {
    assert_eq!(rules().check(), Ok(()));
    let lost = STAKE * rules().slash_permille / 1_000;
    assert_eq!(attacked(rules()), STAKE - lost);
}

#[test]
fn with_a_liability_that_ends_before_the_evidence_window_nothing_is_lost() {
    let short = Params { unbonding: WINDOW - 3, ..rules() };
    assert_eq!(short.check().unwrap_err().place, "unbonding");
    assert_eq!(attacked(short), STAKE);
}
