//! Blocks: those we propose, and verdicts on those of others.

use nervure_primitives::{BlockHeight, Hash};

use super::{Engine, EngineError};
use crate::bft::{Candidate, Effect, Round, SignedProposal, core};

impl Engine {
    /// Our block is ready. Ignored when it comes too late.
    pub(super) fn on_proposed(
        &mut self,
        height: BlockHeight,
        round: Round,
        value: Hash,
    ) -> Result<(), EngineError> {
        if !self.is_running() || self.position() != Some((height, round)) {
            return Ok(());
        }
        let asked = self.candidates.know(value, true);
        let block = core::LocallyProposedValue::new(
            core::Height(height),
            core::core_round(round),
            core::Block(value),
        );
        self.feed(core::Input::Propose(block))?;
        // Somebody proposed the same block before, and what was said of it then waits for the verdict.
        asked.map_or(Ok(()), |candidate| self.give_verdict(candidate, true))
    }

    /// The application has looked at a block. Ignored unless it was asked.
    pub(super) fn on_validated(
        &mut self,
        height: BlockHeight,
        value: Hash,
        valid: bool,
    ) -> Result<(), EngineError> {
        if !self.is_running() || self.position().is_none_or(|(current, _)| current != height) {
            return Ok(());
        }
        match self.candidates.answer(&value, valid) {
            Some(candidate) => self.give_verdict(candidate, valid),
            None => Ok(()),
        }
    }

    /// A verified proposal of the current height by the proposer of its round.
    pub(super) fn accept_proposal(&mut self, proposal: &SignedProposal) -> Result<(), EngineError> {
        self.feed(core::Input::Proposal(core::core_proposal(proposal)))?;
        self.look_at(proposal)
    }

    /// Has the proposal's block looked at, or gives the verdict that is known.
    pub(super) fn look_at(&mut self, proposal: &SignedProposal) -> Result<(), EngineError> {
        let statement = &proposal.statement;
        let candidate = Candidate {
            height: statement.height,
            round: statement.round,
            value: statement.value,
            proposer: proposal.signer,
        };
        if let Some(valid) = self.candidates.verdict(&candidate.value) {
            // The core has paired a block it knows with the proposal, unless it had no room for it.
            let paired = self.state.as_ref().is_some_and(|state| {
                let (height, round) = (core::Height(candidate.height), core::core_round(candidate.round));
                state
                    .full_proposal_at_round_and_value(&height, round, &core::Block(candidate.value))
                    .is_some()
            });
            return if paired { Ok(()) } else { self.give_verdict(candidate, valid) };
        }
        if !self.candidates.is_asked(&candidate.value) && self.candidates.has_room() {
            self.candidates.ask(candidate);
            self.desk.outbox.push(Effect::Validate(candidate));
        }
        Ok(())
    }

    /// Tells the core what the application thinks of a block.
    pub(super) fn give_verdict(&mut self, candidate: Candidate, valid: bool) -> Result<(), EngineError> {
        let certificate = self.candidates.certificate_of(&candidate.value).cloned();
        let (round, origin) = match &certificate {
            Some(certificate) => (certificate.round, core::ValueOrigin::Sync),
            None => (candidate.round, core::ValueOrigin::Consensus),
        };
        self.feed(core::Input::ProposedValue(
            core::ProposedValue {
                height: core::Height(candidate.height),
                round: core::core_round(round),
                valid_round: core::Round::Nil,
                proposer: core::Member(candidate.proposer),
                value: core::Block(candidate.value),
                validity: core::Validity::from_bool(valid),
            },
            origin,
        ))?;
        if let Some(certificate) = certificate.filter(|_| !valid) {
            self.desk.outbox.push(Effect::Contradicted(certificate));
        }
        Ok(())
    }
}
