//! A mesh whose owners have validators and vote.

use nervure_ledger::{
    event::Event,
    governance::{Action, Choice, GovernanceRules, ParameterValue, Proposal, ProposalId, Tally, Verdict},
    params::Params,
    transaction::{
        Call, JoinValidators, Outcome, Rejection, Stake, SubmitProposal, SubmitProposalOutcome, Unstake,
        VoteProposal, VoteProposalOutcome,
    },
};
use nervure_primitives::Amount;

use crate::world::{KEYS, World, node, owner, units};

/// A thousandth of the stake of a mesh whose stakes add up to a thousand of it.
pub(crate) const PART: u64 = 1_000_000_000;

/// Rules that a mesh spec could have, with short times.
pub(crate) fn rules() -> Params {
    let governance = GovernanceRules {
        deposit: 1_000_000,
        vote_deposit: 10,
        voting_period: 12,
        delay: 3,
        treasury_permille: 500,
        ..GovernanceRules::default()
    };
    let rules = Params {
        min_base_fee: 8,
        // Votes are told apart by single units; what state costs is another matter.
        deposit_per_byte: 0,
        min_stake: 100,
        min_self_stake: 1_000,
        election_interval: 4,
        liveness_window: 8,
        // No dividends, so that stakes stay as they are.
        weight_stake: u64::MAX,
        governance,
        ..Params::local()
    };
    assert_eq!(rules.check(), Ok(()));
    rules
}

/// Each owner has a validator in office with so many [`PART`]s of its own. The validator of the genesis has next to
/// nothing.
pub(crate) fn parliament(parts: [u64; KEYS as usize]) -> World {
    parliament_with(parts, rules())
}

pub(crate) fn parliament_with(parts: [u64; KEYS as usize], rules: Params) -> World {
    let mut world = World::with(rules);
    for (who, parts) in (0..KEYS).zip(parts) {
        let id = world.register(who, who);
        stake(&mut world, who, who, parts);
        world.call(&owner(who), Call::JoinValidators(JoinValidators { node: id })).unwrap();
    }
    world.next_election();
    world
}

/// `owner(who)` stakes on `node(on)`.
pub(crate) fn stake(world: &mut World, who: u8, on: u8, parts: u64) {
    let stake = Stake { node: node(on).node_id(), amount: units(parts * PART) };
    world.call(&owner(who), Call::Stake(stake)).unwrap();
}

/// `owner(who)` takes its stake on `node(on)` back.
pub(crate) fn unstake(world: &mut World, who: u8, on: u8) {
    let all = Unstake { node: node(on).node_id(), amount: Unstake::ALL };
    world.call(&owner(who), Call::Unstake(all)).unwrap();
}

pub(crate) fn proposal(action: Action) -> Call {
    Call::SubmitProposal(SubmitProposal { title: "a proposal".into(), document: None, action })
}

pub(crate) fn change(name: &str, value: u64) -> Action {
    Action::Params { values: vec![ParameterValue { name: name.into(), value }] }
}

pub(crate) fn try_propose(
    world: &mut World,
    who: u8,
    action: Action,
) -> Result<SubmitProposalOutcome, Rejection> {
    match world.call(&owner(who), proposal(action))? {
        Outcome::ProposalSubmitted(outcome) => Ok(outcome),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn propose(world: &mut World, action: Action) -> ProposalId {
    try_propose(world, 0, action).unwrap().proposal
}

/// `owner(who)` votes with its stakes on these nodes.
pub(crate) fn try_vote(
    world: &mut World,
    (who, nodes): (u8, &[u8]),
    proposal: ProposalId,
    choice: Choice,
) -> Result<VoteProposalOutcome, Rejection> {
    let nodes = nodes.iter().map(|index| node(*index).node_id()).collect();
    match world.call(&owner(who), Call::VoteProposal(VoteProposal { proposal, choice, nodes }))? {
        Outcome::ProposalVoted(outcome) => Ok(outcome),
        other => panic!("{other:?}"),
    }
}

/// `owner(who)` votes for its own validator.
pub(crate) fn vote(world: &mut World, who: u8, proposal: ProposalId, choice: Choice) {
    try_vote(world, (who, &[who]), proposal, choice).unwrap();
}

pub(crate) fn found(world: &World, id: ProposalId) -> &Proposal {
    &world.state.governance().proposals()[&id]
}

/// Empty blocks up to `block`; what happened in the last one beside epochs.
pub(crate) fn wait_until(world: &mut World, block: u64) -> Vec<Event> {
    let mut last = Vec::new();
    while world.state.height().0 < block {
        last = world.apply(Vec::new());
    }
    last.retain(|event| !matches!(event, Event::Epoch { .. }));
    last
}

/// Waits for the count.
pub(crate) fn count(world: &mut World, id: ProposalId) -> (Verdict, Tally) {
    let ends = found(world, id).ends;
    let events = wait_until(world, ends);
    let counted = events.into_iter().find_map(|event| match event {
        Event::ProposalCounted { proposal, verdict, tally } if proposal == id => Some((verdict, tally)),
        _ => None,
    });
    counted.unwrap()
}

/// A part of a tally, in thousandths of [`PART`], without what the genesis' validator has.
pub(crate) fn parts(amount: Amount) -> u64 {
    amount.base_units() / PART
}
