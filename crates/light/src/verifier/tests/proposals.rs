//! A proposal and its count, over an honest source and over one that leaves votes out.

use nervure_ledger::{
    governance::{Action, Choice, ProposalId, Verdict},
    transaction::{Call, Stake, SubmitProposal, VoteProposal},
};
use nervure_primitives::{Amount, NodeKey};

use super::*;

const PROPOSAL: ProposalId = ProposalId(1);

fn vote(key: &NodeKey, on: u8, choice: Choice, chain: &mut Chain) {
    let nodes = vec![validator(on).node_id()];
    chain.call(key, Call::VoteProposal(VoteProposal { proposal: PROPOSAL, choice, nodes }));
}

/// Validator 0 votes yes with 1 and 3 of its staker, which then votes no itself; validator 1 votes no; two say nothing.
fn voted(own: bool) -> Chain {
    let mut chain = Chain::new(4);
    let (node, amount) = (validator(0).node_id(), Amount::from_base_units(3_000_000_000));
    chain.call(&validator(9), Call::Stake(Stake { node, amount }));
    let action = Action::Text;
    let submit = SubmitProposal { title: "a text".into(), document: None, action };
    chain.call(&validator(0), Call::SubmitProposal(submit));
    chain.grow(2);
    vote(&validator(0), 0, Choice::Yes, &mut chain);
    vote(&validator(1), 1, Choice::No, &mut chain);
    if own {
        vote(&validator(9), 0, Choice::No, &mut chain);
    }
    chain.grow(1);
    chain
}

#[test]
fn a_count_is_that_of_the_ledger_and_says_what_each_stake_votes_for() {
    for own in [false, true] {
        let source = MemorySource::honest(voted(own));
        let (height, counted) = (source.height(), source.chain.tip.state.tally(PROPOSAL));
        let mut verifier = start(source);
        let proven = block_on(verifier.proposal(PROPOSAL, height)).unwrap().unwrap();
        assert_eq!((proven.count, proven.validators.len()), (counted, 4));
        let verdict = proven.count.verdict(&proven.proposal.rules);
        assert_eq!(verdict, if own { Verdict::Refused } else { Verdict::Passed });
        let of = proven.validators.iter().find(|one| one.node == validator(0).node_id()).unwrap();
        let mut opinion =
            |staker: u8| block_on(verifier.opinion((of, validator(staker).node_id()), PROPOSAL, height));
        let staker = opinion(9).unwrap().unwrap();
        let choice = if own { Choice::No } else { Choice::Yes };
        assert_eq!((staker.choice, staker.own), (Some(choice), own));
        assert_eq!(opinion(0).unwrap().unwrap().choice, Some(Choice::Yes));
        assert_eq!(opinion(5).unwrap(), None, "no stake");
        assert_eq!(block_on(verifier.proposal(ProposalId(7), height)).unwrap(), None);
    }
}

#[test]
fn a_closed_proposal_has_the_count_that_was_made() {
    let mut chain = voted(false);
    let counted = chain.spec.economy.governance.voting_period;
    chain.grow(counted as usize + 1);
    let source = MemorySource::honest(chain);
    let height = source.height();
    let proven = block_on(start(source).proposal(PROPOSAL, height)).unwrap().unwrap();
    assert_eq!(proven.count.verdict(&proven.proposal.rules), Verdict::Passed);
    assert!(proven.validators.is_empty() && proven.proposal.tally.is_some());
}

#[test]
fn votes_that_the_source_leaves_out_are_noticed() {
    let mut source = MemorySource::honest(voted(true));
    source.fact = |chain, key| match key {
        // The proof that a record is absent which is there.
        Key::Ballots(_) => chain.fact(&Key::Ballots(nervure_ledger::nodes::NodeNumber(999))),
        key => chain.fact(&key),
    };
    let height = source.height();
    let refused = refusal(block_on(start(source).proposal(PROPOSAL, height)));
    assert!(matches!(refused, VerifyError::Fact { key: Key::Ballots(_), .. }), "{refused}");
}
