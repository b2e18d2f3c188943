//! A proposal and the count of its votes, under a certified state.
//!
//! The source only names nothing here: which validators are in office, and what is staked and voted on each of them, are
//! records under one root, and the count is made of them by the ledger's own function.

use nervure_ledger::{
    governance::{BallotBox, Choice, Counted, Proposal, ProposalId, StakeVote, StakeVoteKey, Tally},
    nodes::{NodeNumber, StakePool},
    tree::{Key, Record},
};
use nervure_primitives::{Amount, BlockHeight, NodeId};

use super::{Verified, Verifier, VerifyError};
use crate::source::Source;

/// A proposal, and the count of its votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// The count that was made, or the one that would be made after this block.
    pub count: Tally,
    /// The validators in office, whose stake votes; none when the count was made.
    pub validators: Vec<ProvenValidator>,
}

/// A validator in office, and the votes of the stake on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenValidator {
    /// Its present key.
    pub node: NodeId,
    /// Its number.
    pub number: NodeNumber,
    /// Its owner, who votes for all stake on it that does not vote itself.
    pub owner: NodeId,
    /// Its stake.
    pub pool: StakePool,
    /// The votes on the proposal.
    pub ballots: Option<BallotBox>,
}

/// What a stake on a validator says on a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StakeOpinion {
    /// The stake.
    pub staked: Amount,
    /// What it votes for; nothing when neither its staker nor its validator voted.
    pub choice: Option<Choice>,
    /// Whether the staker voted itself.
    pub own: bool,
}

impl<S: Source> Verifier<S> {
    /// Proposal `id` and the count of its votes in the state after the block at `height`; `None` if its absence is proven.
    ///
    /// # Errors
    /// As for [`Self::record`].
    pub async fn proposal(
        &mut self,
        id: ProposalId,
        height: BlockHeight,
    ) -> Verified<Option<ProvenProposal>, S> {
        let Some(Record::Proposal { proposal, .. }) = self.record(Key::Proposal(id), height).await? else {
            return Ok(None);
        };
        let proposal = *proposal;
        if let Some(count) = proposal.tally {
            return Ok(Some(ProvenProposal { proposal, count, validators: Vec::new() }));
        }
        let Some(Record::Chain(chain)) = self.record(Key::Chain, height).await? else {
            return Err(VerifyError::Missing { key: Key::Chain, height }.into());
        };
        let members = chain.validators.iter().flat_map(|set| set.members().iter().map(|member| member.node));
        let mut validators = Vec::new();
        for member in members.collect::<Vec<_>>() {
            validators.extend(self.voter(member, id, height).await?);
        }
        let counted = validators.iter().map(|one| Counted { pool: &one.pool, ballots: one.ballots.as_ref() });
        let count = Tally::count(height.0, counted);
        Ok(Some(ProvenProposal { proposal, count, validators }))
    }

    /// A member of the validator set, by its key in the set, as a voter on a proposal.
    async fn voter(
        &mut self,
        member: NodeId,
        id: ProposalId,
        height: BlockHeight,
    ) -> Verified<Option<ProvenValidator>, S> {
        let key = Key::Liveness(member);
        let Some(Record::Liveness { liveness, .. }) = self.record(key, height).await? else {
            return Err(VerifyError::Missing { key, height }.into());
        };
        let record = self.record(Key::Node(liveness.node), height).await?;
        // As the ledger does: a key that is no node any more has no stake.
        let Some(Record::Node { node, number, owner, pool, .. }) = record else { return Ok(None) };
        let ballots = match self.record(Key::Ballots(number), height).await? {
            Some(Record::Ballots { ballots, .. }) => ballots.on(id).copied(),
            _ => None,
        };
        Ok(Some(ProvenValidator { node, number, owner, pool, ballots }))
    }

    /// What the stake of `staker` on `validator` says on proposal `id`; `None` if it has none there.
    ///
    /// # Errors
    /// As for [`Self::record`].
    pub async fn opinion(
        &mut self,
        (validator, staker): (&ProvenValidator, NodeId),
        id: ProposalId,
        height: BlockHeight,
    ) -> Verified<Option<StakeOpinion>, S> {
        let stake = self.record(Key::Stake(validator.number, staker), height).await?;
        let Some(Record::Stake { shares, .. }) = stake else { return Ok(None) };
        let key = StakeVoteKey { proposal: id, node: validator.number, staker };
        let vote = match self.record(Key::StakeVote(key), height).await? {
            Some(Record::StakeVote { vote, .. }) => Some(vote),
            _ => None,
        };
        let staked = validator.pool.worth_at(height, shares);
        let inherited = validator.ballots.and_then(|ballots| ballots.node);
        let (choice, own) = match vote {
            Some(StakeVote { choice, for_node: false, .. }) => (Some(choice), true),
            Some(StakeVote { for_node: true, .. }) | None => (inherited, validator.owner == staker),
        };
        Ok(Some(StakeOpinion { staked, choice, own }))
    }
}
