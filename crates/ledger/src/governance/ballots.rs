//! The votes of stakes, kept up with the stakes.
//!
//! A vote is of one stake: of a staker on a node. Of each node and open proposal, the [`BallotBox`] sums the shares of
//! those that voted themselves, by choice, and has what the node's owner voted for all others. When a stake changes, the
//! sum changes with it ([`Ballots::follow`], called by the only function that changes shares), so that at the count every
//! stake counts once, as large as it is then: what was unstaked or moved does not count where it was any more.
//!
//! A changed stake costs a look-up for each open proposal and at most one record, that of its node.

use imbl::{OrdMap, OrdSet};
use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Choice, ChoiceShares, ProposalId};
use crate::nodes::NodeNumber;

/// Which vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StakeVoteKey {
    /// The proposal.
    pub proposal: ProposalId,
    /// The node that the stake is on.
    pub node: NodeNumber,
    /// Whose stake.
    pub staker: NodeId,
}

/// The vote of a stake, or of an owner for its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StakeVote {
    /// What for.
    pub choice: Choice,
    /// Whether it is that of the node's owner: it counts for all stake on the node that does not vote itself.
    pub for_node: bool,
    /// What comes back when the vote is removed.
    pub deposit: Amount,
}

/// The votes on one proposal of the stake on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BallotBox {
    /// What the node's owner voted, for all that did not vote themselves.
    pub node: Option<Choice>,
    /// The shares of those that did.
    pub shares: ChoiceShares,
}

/// The votes of the stake on one node on each open proposal, by the proposal's number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeBallots(Vec<(ProposalId, BallotBox)>);

impl NodeBallots {
    /// The votes on one proposal.
    pub fn on(&self, proposal: ProposalId) -> Option<&BallotBox> {
        self.0.iter().find(|(id, _)| *id == proposal).map(|(_, found)| found)
    }

    fn on_mut(&mut self, proposal: ProposalId) -> &mut BallotBox {
        let at = match self.0.binary_search_by_key(&proposal, |(id, _)| *id) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (proposal, BallotBox::default()));
                at
            }
        };
        &mut self.0[at].1
    }
}

/// The votes of all stakes on all proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ballots {
    /// By node.
    pub(crate) boxes: OrdMap<NodeNumber, NodeBallots>,
    /// Each vote with its deposit, until it is removed.
    pub(crate) votes: OrdMap<StakeVoteKey, StakeVote>,
    /// The proposals whose votes follow the stakes, ascending; at most as many as may be open.
    open: Vec<ProposalId>,
    /// The proposals whose votes are to be removed.
    closed: OrdSet<ProposalId>,
}

impl Ballots {
    /// The votes of the stake on a node.
    pub fn of_node(&self, node: NodeNumber, proposal: ProposalId) -> Option<&BallotBox> {
        self.boxes.get(&node)?.on(proposal)
    }

    /// One vote.
    pub fn vote(&self, key: &StakeVoteKey) -> Option<StakeVote> {
        self.votes.get(key).copied()
    }

    /// The deposits of all votes, in base units.
    pub(crate) fn held(&self) -> u128 {
        self.votes.values().map(|vote| u128::from(vote.deposit.base_units())).sum()
    }

    /// Takes votes on `proposal` from now on.
    pub(crate) fn open(&mut self, proposal: ProposalId) {
        self.open.push(proposal);
        self.open.sort_unstable();
    }

    /// Takes no more votes on `proposal`; those that it has are removed by [`Self::clear`].
    pub(crate) fn close(&mut self, proposal: ProposalId) {
        self.open.retain(|open| *open != proposal);
        if self.first_of(proposal).is_some() {
            self.closed.insert(proposal);
        }
    }

    /// Takes the vote of a stake of `held` shares, in place of its former one, whose deposit it then has.
    pub(crate) fn cast(&mut self, key: StakeVoteKey, vote: StakeVote, held: u128) {
        let former = self.votes.get(&key).copied();
        let ballots = self.boxes.entry(key.node).or_default().on_mut(key.proposal);
        if let Some(former) = former.filter(|former| !former.for_node) {
            let shares = ballots.shares.of(former.choice);
            *shares = shares.saturating_sub(held);
        }
        if vote.for_node {
            ballots.node = Some(vote.choice);
        } else {
            let shares = ballots.shares.of(vote.choice);
            *shares = shares.saturating_add(held);
        }
        let deposit = former.map_or(vote.deposit, |former| former.deposit);
        self.votes.insert(key, StakeVote { deposit, ..vote });
    }

    /// A stake has `after` shares instead of `before`: its votes on open proposals count as much.
    pub(crate) fn follow(&mut self, (node, staker): (NodeNumber, NodeId), before: u128, after: u128) {
        if before == after || self.votes.is_empty() {
            return;
        }
        for proposal in self.open.clone() {
            let vote = self.votes.get(&StakeVoteKey { proposal, node, staker });
            let Some(StakeVote { choice, for_node: false, .. }) = vote.copied() else { continue };
            let ballots = self.boxes.entry(node).or_default().on_mut(proposal);
            let shares = ballots.shares.of(choice);
            *shares = shares.saturating_sub(before).saturating_add(after);
        }
    }

    /// Removes at most `most` votes of closed proposals; returns whose deposits come back.
    pub(crate) fn clear(&mut self, most: usize) -> Vec<(NodeId, Amount)> {
        let mut paid = Vec::new();
        while paid.len() < most {
            let Some(proposal) = self.closed.get_min().copied() else { break };
            let Some(key) = self.first_of(proposal) else {
                self.closed.remove(&proposal);
                continue;
            };
            if let Some(vote) = self.votes.remove(&key) {
                paid.push((key.staker, vote.deposit));
            }
            self.forget(key.node, proposal);
            if self.first_of(proposal).is_none() {
                self.closed.remove(&proposal);
            }
        }
        paid
    }

    /// Says which proposals are open, after the votes were read: the others' are to be removed.
    pub(crate) fn restore(&mut self, open: Vec<ProposalId>) {
        self.open = open;
        let closed = self.votes.keys().map(|key| key.proposal);
        self.closed = closed.filter(|proposal| !self.open.contains(proposal)).collect();
    }

    /// The first vote on `proposal`.
    fn first_of(&self, proposal: ProposalId) -> Option<StakeVoteKey> {
        let least = StakeVoteKey { proposal, node: NodeNumber(0), staker: NodeId::from_bytes([0; 32]) };
        let first = self.votes.range(least..).next().map(|(key, _)| *key);
        first.filter(|key| key.proposal == proposal)
    }

    /// Drops the sums of a node for `proposal`, once.
    fn forget(&mut self, node: NodeNumber, proposal: ProposalId) {
        let Some(ballots) = self.boxes.get_mut(&node) else { return };
        ballots.0.retain(|(id, _)| *id != proposal);
        if ballots.0.is_empty() {
            self.boxes.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeNumber = NodeNumber(4);
    const P: ProposalId = ProposalId(7);
    const STAKER: NodeId = NodeId::from_bytes([1; 32]);

    fn key(staker: NodeId) -> StakeVoteKey {
        StakeVoteKey { proposal: P, node: NODE, staker }
    }

    fn vote(choice: Choice, for_node: bool) -> StakeVote {
        StakeVote { choice, for_node, deposit: Amount::from_base_units(5) }
    }

    fn shares(ballots: &Ballots) -> ChoiceShares {
        ballots.of_node(NODE, P).unwrap().shares
    }

    #[test]
    fn a_vote_follows_its_stake_and_replaces_the_former_one() {
        let mut ballots = Ballots::default();
        ballots.open(P);
        ballots.follow((NODE, STAKER), 0, 10);
        ballots.cast(key(STAKER), vote(Choice::Yes, false), 10);
        ballots.follow((NODE, STAKER), 10, 25);
        assert_eq!(shares(&ballots), ChoiceShares { yes: 25, ..ChoiceShares::default() });
        ballots.follow((NodeNumber(5), STAKER), 0, 25);
        ballots.cast(key(STAKER), vote(Choice::No, false), 25);
        assert_eq!(shares(&ballots), ChoiceShares { no: 25, ..ChoiceShares::default() });
        ballots.follow((NODE, STAKER), 25, 0);
        assert_eq!(shares(&ballots), ChoiceShares::default(), "what was unstaked does not count");
        // The same stake became the owner's: it votes for the node, and not beside it.
        ballots.follow((NODE, STAKER), 0, 4);
        ballots.cast(key(STAKER), vote(Choice::Veto, true), 4);
        let found = ballots.of_node(NODE, P).unwrap();
        assert_eq!((found.node, found.shares), (Some(Choice::Veto), ChoiceShares::default()));
        ballots.follow((NODE, STAKER), 4, 9);
        assert_eq!(shares(&ballots), ChoiceShares::default());
        assert_eq!(ballots.held(), 5, "one deposit, however often it votes");
    }

    #[test]
    fn votes_of_a_closed_proposal_are_removed_some_at_a_time() {
        let mut ballots = Ballots::default();
        ballots.open(P);
        ballots.open(ProposalId(6));
        for staker in 0..5 {
            ballots.cast(key(NodeId::from_bytes([staker; 32])), vote(Choice::Yes, false), 1);
        }
        let other = StakeVoteKey { proposal: ProposalId(6), ..key(STAKER) };
        ballots.cast(other, vote(Choice::No, false), 3);
        assert_eq!(ballots.clear(9), []);
        ballots.close(P);
        assert_eq!(ballots.clear(3).len(), 3);
        assert_eq!(ballots.of_node(NODE, P), None);
        let mut restored = ballots.clone();
        restored.restore(vec![ProposalId(6)]);
        assert_eq!(restored, ballots);
        assert_eq!(ballots.clear(3).len(), 2);
        assert_eq!(ballots.clear(3), []);
        assert_eq!((ballots.held(), ballots.votes.len(), ballots.boxes.len()), (5, 1, 1));
    }
}
