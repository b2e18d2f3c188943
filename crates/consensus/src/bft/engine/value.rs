//! Blocks: our own proposals, and the application's verdicts on the proposals of others.

use nervure_primitives::{BlockHeight, Hash};

use super::{Engine, error::EngineError};
use crate::bft::{BlockStamp, Candidate, Effect, Round, SignedProposal, core};

impl Engine {
    /// Handles our block for a round. Ignored when the round is over.
    pub(super) fn on_proposed(
        &mut self,
        height: BlockHeight,
        round: Round,
        value: Hash,
    ) -> Result<(), EngineError> {
        if !self.is_running() || self.position() != Some((height, round)) {
            return Ok(());
        }
        // The application made this block, so it is valid without a validation.
        let asked = self.candidates.set_verdict(value, true);
        let block = core::LocallyProposedValue::new(
            core::Height(height),
            core::core_round(round),
            core::Block(value),
        );
        self.feed(core::Input::Propose(block))?;
        // Another validator proposed the same block before, and votes for it wait for the verdict.
        asked.map_or(Ok(()), |candidate| self.feed_verdict(candidate, true))
    }

    /// Handles the application's verdict on a block. Ignored unless it was asked for.
    pub(super) fn on_validated(
        &mut self,
        height: BlockHeight,
        value: Hash,
        stamp: Option<BlockStamp>,
    ) -> Result<(), EngineError> {
        // The answer takes time: the height may be over. The round does not matter, a verdict is per block.
        if !self.is_running() || self.position().is_none_or(|(current, _)| current != height) {
            return Ok(());
        }
        let Some(candidate) = self.candidates.answer(&value, stamp) else { return Ok(()) };
        // A decided block needs no prevote of ours.
        if self.candidates.certificate_of(&value).is_none() {
            self.end_untimely_round(&value)?;
        }
        self.feed_verdict(candidate, stamp.is_some())
    }

    /// Feeds a verified proposal of the current height by the proposer of its round, whose times were judged.
    pub(super) fn accept_proposal(&mut self, proposal: &SignedProposal) -> Result<(), EngineError> {
        self.end_untimely_round(&proposal.statement.value)?;
        // The proposal comes before the verdict. The core votes only when it has both.
        self.feed(core::Input::Proposal(core::core_proposal(proposal)))?;
        self.request_validation(proposal)
    }

    /// Asks the application about the proposal's block, or feeds the verdict that is known.
    pub(super) fn request_validation(&mut self, proposal: &SignedProposal) -> Result<(), EngineError> {
        let statement = &proposal.statement;
        let candidate = Candidate {
            height: statement.height,
            round: statement.round,
            value: statement.value,
            proposer: proposal.signer,
        };
        if let Some(valid) = self.candidates.verdict(&candidate.value) {
            // The core pairs a block that it knows with the proposal, unless its limit for the round
            // was reached. Only then does it need the verdict again.
            let paired = self.state.as_ref().is_some_and(|state| {
                let (height, round) = (core::Height(candidate.height), core::core_round(candidate.round));
                state
                    .full_proposal_at_round_and_value(&height, round, &core::Block(candidate.value))
                    .is_some()
            });
            return if paired { Ok(()) } else { self.feed_verdict(candidate, valid) };
        }
        // Without capacity the block stays without a verdict, and this node prevotes nil at the timeout.
        if !self.candidates.is_asked(&candidate.value) && self.candidates.has_capacity() {
            self.candidates.ask(candidate);
            self.adapter.effects.push(Effect::Validate(candidate));
        }
        Ok(())
    }

    /// Feeds the core the application's verdict on a block.
    pub(super) fn feed_verdict(&mut self, candidate: Candidate, valid: bool) -> Result<(), EngineError> {
        let certificate = self.candidates.certificate_of(&candidate.value).cloned();
        // The round of the certificate counts: the block may have been proposed in several rounds, and the
        // core pairs the value with precommits of that one.
        let (round, origin) = match &certificate {
            Some(certificate) => (certificate.round, core::ValueOrigin::Sync),
            None => (candidate.round, core::ValueOrigin::Consensus),
        };
        self.feed(core::Input::ProposedValue(
            core::ProposedValue {
                height: core::Height(candidate.height),
                round: core::core_round(round),
                valid_round: core::Round::Nil,
                proposer: core::CoreAddress(candidate.proposer),
                value: core::Block(candidate.value),
                validity: core::Validity::from_bool(valid),
            },
            origin,
        ))?;
        // Two thirds decided a block that our application calls invalid.
        if let Some(certificate) = certificate.filter(|_| !valid) {
            self.adapter.effects.push(Effect::Contradicted(certificate));
        }
        Ok(())
    }
}
