//! Finds validators that forget what they are locked on: a precommit of a block, and a later proposal of another one whose
//! polka is not later than the lock. Both statements name what is needed, so that the two are evidence by themselves.

use super::Engine;
use crate::bft::{Effect, Equivocation, Round, SignedProposal, SignedVote, VoteKind, core};

impl Engine {
    /// Looks for an earlier precommit that a verified proposal of the current height contradicts.
    pub(super) fn find_amnesia_of_proposer(&mut self, proposal: &SignedProposal) {
        let Some(state) = &self.state else { return };
        let signer = core::CoreAddress(proposal.signer);
        let before = state.driver.votes().all_rounds().range(..core::core_round(proposal.statement.round));
        let precommits = before.filter_map(|(_, round)| {
            round
                .received_votes()
                .iter()
                .map(core::vote_of)
                .find(|vote| vote.statement.kind == VoteKind::Precommit && vote.signer == signer.0)
        });
        let found: Vec<Equivocation> =
            precommits.filter_map(|vote| Equivocation::amnesia(vote, *proposal).ok()).take(1).collect();
        self.report_amnesia(found);
    }

    /// Looks for a later proposal that contradicts a verified vote of the current height.
    pub(super) fn find_amnesia_of_voter(&mut self, vote: &SignedVote) {
        let Some(state) = &self.state else { return };
        if vote.statement.kind != VoteKind::Precommit {
            return;
        }
        let after = core::core_round(Round(vote.statement.round.0.saturating_add(1)));
        let rounds = state.driver.proposals().all_rounds().range(after..);
        let proposals = rounds.flat_map(|(_, round)| round.get_proposals_and_validities());
        let found: Vec<Equivocation> = proposals
            .filter_map(|(proposal, _)| Equivocation::amnesia(*vote, core::proposal_of(proposal)).ok())
            .take(1)
            .collect();
        self.report_amnesia(found);
    }

    fn report_amnesia(&mut self, found: Vec<Equivocation>) {
        for evidence in found {
            self.adapter.effects.push(Effect::Evidence(evidence));
        }
    }
}
