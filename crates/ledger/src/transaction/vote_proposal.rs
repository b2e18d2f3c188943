//! Voting on a proposal with stakes. See [`crate::governance`].
//!
//! A vote names the nodes whose stake it is about. The owner of a node votes for all stake on it that does not vote
//! itself; another staker votes with its own stake on the node, and so not as the owner does.

use std::collections::BTreeSet;

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Description, GovernanceRejection, NodeRejection, Rejection, SignerKey, StakeRejection, TransactionKind,
    ValidatorRejection, weight,
};
use crate::{
    governance::{Choice, ProposalId, ProposalStatus, StakeVote, StakeVoteKey, Tally, Verdict},
    nodes::NodeNumber,
    proxies::ProxyScope,
    state::LedgerState,
};

/// Most nodes that one vote names.
const MAX_NODES: u16 = 32;

/// Votes on a proposal with the signer's stakes on these nodes, in place of their former votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteProposal {
    /// The proposal.
    pub proposal: ProposalId,
    /// What for.
    pub choice: Choice,
    /// The nodes that the stakes are on, at most 32.
    pub nodes: Vec<NodeId>,
}

/// A vote that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VoteProposalOutcome {
    /// The proposal.
    pub proposal: ProposalId,
    /// What for.
    pub choice: Choice,
    /// The signer's stakes on these nodes: as large as they are at the count, they count.
    pub staked: Amount,
    /// The nodes of the signer: their stakers vote like it, unless they vote themselves.
    pub for_nodes: Vec<NodeId>,
    /// What is held back until the vote is removed, after the count.
    pub deposit: Amount,
    /// The block at whose end the votes are counted.
    pub ends: BlockHeight,
    /// The count with this vote and all stakes as they are. Only a trial of the vote computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// What that count would decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// A stake that votes.
struct Voter {
    node: NodeId,
    number: NodeNumber,
    for_node: bool,
}

impl VoteProposalOutcome {
    /// Counts all votes with this one.
    pub(crate) fn foresee(&mut self, state: &LedgerState) {
        let tally = state.tally(self.proposal);
        let rules = state.governance.proposals.get(&self.proposal).map(|proposal| proposal.rules);
        self.verdict = rules.map(|rules| tally.verdict(&rules));
        self.tally = Some(tally);
    }

    /// The vote, in words: completes "votes".
    fn words(&self) -> String {
        let Self { proposal, choice, staked, for_nodes, ends, .. } = self;
        let others = match for_nodes.len() {
            0 => String::new(),
            1 => format!(", and for the stakers of {} that do not vote themselves", for_nodes[0]),
            many => format!(", and for the stakers of {many} nodes that do not vote themselves"),
        };
        format!(
            "{choice} on proposal {proposal} with a stake of {staked} tokens{others}; the stakes at the end of block \
             {ends} count"
        )
    }
}

impl VoteProposal {
    /// The stakes that it is about.
    fn voters(&self, state: &LedgerState, signer: NodeId) -> Result<Vec<Voter>, Rejection> {
        let different: BTreeSet<&NodeId> = self.nodes.iter().collect();
        if self.nodes.is_empty()
            || self.nodes.len() > usize::from(MAX_NODES)
            || different.len() < self.nodes.len()
        {
            return Err(GovernanceRejection::VotedNodes { most: MAX_NODES }.into());
        }
        let mut voters = Vec::new();
        for node in &self.nodes {
            let node = *node;
            let found = state.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?;
            // Only their stake counts, and this bounds the records: each of them has the minimum self-stake.
            if !state.roster.has_joined(&node) && state.roster.liveness_of(&node).is_none() {
                return Err(ValidatorRejection::NotValidator { node }.into());
            }
            let (number, for_node) = (found.number, found.owner == signer);
            let staked = state.nodes.stake_of(&node, &signer);
            if staked.is_zero() && !for_node {
                return Err(StakeRejection::NotStaked { staked }.into());
            }
            voters.push(Voter { node, number, for_node });
        }
        Ok(voters)
    }
}

impl TransactionKind for VoteProposal {
    type Outcome = VoteProposalOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::VOTE.saturating_add(weight::each(weight::STAKE_VOTE, self.nodes.len()))
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.params.vote_deposit().saturating_mul(self.nodes.len() as u64)
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Voting)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { proposal, choice, .. } = *self;
        let found = state
            .governance
            .proposals
            .get(&proposal)
            .ok_or(GovernanceRejection::NoSuchProposal { proposal })?;
        let ends = BlockHeight(found.ends);
        if found.status != ProposalStatus::Voting {
            return Err(GovernanceRejection::VotingOver { proposal, ended: ends }.into());
        }
        let voters = self.voters(state, signer)?;
        let key = |voter: &Voter| StakeVoteKey { proposal, node: voter.number, staker: signer };
        let each = Amount::from_base_units(state.params.vote_deposit());
        let new = voters.iter().filter(|voter| state.nodes.ballots.vote(&key(voter)).is_none()).count();
        let deposit = Amount::from_base_units(each.base_units().saturating_mul(new as u64));
        state.spend(&signer, deposit.base_units())?;
        let mut staked = 0u64;
        for voter in &voters {
            staked = staked.saturating_add(state.nodes.stake_of(&voter.node, &signer).base_units());
            let vote = StakeVote { choice, for_node: voter.for_node, deposit: each };
            state.nodes.cast(key(voter), vote);
        }
        let for_nodes = voters.iter().filter(|voter| voter.for_node).map(|voter| voter.node).collect();
        let staked = Amount::from_base_units(staked);
        Ok(VoteProposalOutcome {
            proposal,
            choice,
            staked,
            for_nodes,
            deposit,
            ends,
            tally: None,
            verdict: None,
        })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let words = outcome.words();
        let deposit = match outcome.deposit {
            Amount::ZERO => String::new(),
            deposit => format!("; {deposit} tokens are held back until the vote is removed"),
        };
        let now = outcome
            .verdict
            .map_or_else(String::new, |verdict| format!("; counted now, it would be {verdict}"));
        Description {
            future: format!("votes {words}{deposit}{now}"),
            past: format!("voted {words}{deposit}"),
        }
    }

    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Validator(ValidatorRejection::NotValidator { .. }) => {
                "only stake on validators votes: nervure validator show; without --node, all your stakes that can vote do"
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, BLOCK, node};
        let tally = Tally { total: AMOUNT, yes: AMOUNT, ..Tally::default() };
        super::Sample {
            call: Self { proposal: ProposalId(3), choice: Choice::Yes, nodes: vec![node()] },
            call_hash: "83af9d2b7dfc9f62e3a9193df3a65521c6fb56f5ac0b935bdb95920dc0a3e259",
            outcome: VoteProposalOutcome {
                proposal: ProposalId(3),
                choice: Choice::Yes,
                staked: AMOUNT,
                for_nodes: vec![node()],
                deposit: Amount::from_base_units(10_000_000),
                ends: BLOCK,
                tally: Some(tally),
                verdict: Some(Verdict::Passed),
            },
            outcome_hash: "8c1ba448348022b76d849013027f1cd128de4345bcf988df96a9939c98627cfd",
            future: "votes yes on proposal 3 with a stake of 1.5 tokens, and for the stakers of NODE that do not vote themselves; the stakes at the end of block 300 count; 0.01 tokens are held back until the vote is removed; counted now, it would be passed",
            past: "voted yes on proposal 3 with a stake of 1.5 tokens, and for the stakers of NODE that do not vote themselves; the stakes at the end of block 300 count; 0.01 tokens are held back until the vote is removed",
        }
    }
}
