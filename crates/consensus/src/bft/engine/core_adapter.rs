//! The adapter between the agreement core and the engine: answers the core's questions and turns
//! its effects into ours.
//!
//! When the signer refuses, the core gets [`core::CoreSignature::NONE`]. That signature never
//! verifies, so the core does not count the vote, and the adapter never sends it.

use nervure_primitives::{BlockHeight, MeshId};

use super::{config::Config, effect_buffer::EffectBuffer, error::EngineError};
use crate::{
    bft::{
        Candidate, Effect, Equivocation, Message, Round, SignedProposal, SignedVote, Signer, Statement,
        Timeouts, Timer, TimerKind, Verdict, WalEntry,
        core::{self, BftContext, CoreSignature, Resumable},
        timer::TimeoutBackoff,
    },
    checkpoint::{CommitCertificate, Quorum},
};

/// A statement whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerifiedStatement {
    Vote(SignedVote),
    Proposal(SignedProposal),
}

/// Runs the core and performs its effects.
pub(super) struct CoreAdapter {
    pub(super) signer: Signer,
    pub(super) effects: EffectBuffer,
    /// Statements verified during this input. The core asks again for their signatures.
    pub(super) verified: Vec<VerifiedStatement>,
    pub(super) backoff: TimeoutBackoff,
    /// Our proposal of the current height, for rebroadcasts.
    pub(super) proposal: Option<SignedProposal>,
    /// Blocks that a certificate decides and the application has to validate.
    pub(super) certified: Vec<Candidate>,
    pub(super) height: BlockHeight,
    /// Whether this node is a validator of the height and takes part in its decision.
    pub(super) votes: bool,
    quorum: Quorum,
    timeouts: Timeouts,
    decided: Option<CommitCertificate>,
}

type CoreResume = core::Resume<BftContext>;

impl CoreAdapter {
    pub(super) fn new(config: &Config, signer: Signer) -> Self {
        Self {
            signer,
            effects: EffectBuffer::default(),
            verified: Vec::new(),
            backoff: TimeoutBackoff::default(),
            proposal: None,
            certified: Vec::new(),
            height: BlockHeight(0),
            votes: false,
            quorum: config.quorum,
            timeouts: config.timeouts,
            decided: None,
        }
    }

    pub(super) const fn mesh(&self) -> &MeshId {
        self.signer.mesh()
    }

    pub(super) const fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// The decision that this input led to, if it did.
    pub(super) const fn take_decision(&mut self) -> Option<CommitCertificate> {
        self.decided.take()
    }

    /// Runs the core on one input.
    pub(super) fn feed(
        &mut self,
        state: &mut core::State<BftContext>,
        input: core::Input<BftContext>,
    ) -> Result<(), EngineError> {
        let run =
            || core::process!(input: input, state: state, metrics: &(), with: effect => self.perform(effect));
        let outcome: Result<(), Box<core::Error<BftContext>>> = run();
        outcome.map_err(|error| match *error {
            core::Error::ReplayDivergence(..) => EngineError::Diverged(error.to_string()),
            _ => EngineError::Core(error.to_string()),
        })
    }

    fn perform(&mut self, effect: core::Effect<BftContext>) -> Result<CoreResume, EngineError> {
        use core::Effect as E;
        Ok(match effect {
            E::SignVote(vote, r) => r.resume_with(self.sign_vote(vote)),
            E::SignProposal(proposal, r) => r.resume_with(self.sign_proposal(proposal)),
            // The core asks again for what the engine verified on arrival; `verified` answers without a
            // second Ed25519 verification.
            E::VerifySignature(message, _, r) => r.resume_with(self.is_valid_signature(&message)),
            // The core built it from votes that were verified one by one on arrival.
            E::VerifyCommitCertificate(_, _, _, r) => r.resume_with(Ok(())),
            // The engine verified these before it fed them.
            E::VerifyExtendedCommitCertificate(_, _, _, _, r) => r.resume_with(Ok(())),
            E::VerifyPolkaCertificate(_, _, _, r) | E::VerifyRoundCertificate(_, _, _, r) => {
                r.resume_with(Ok(()))
            }
            // Vote extensions are disabled (`start_height`).
            E::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            E::VerifyVoteExtension(_, _, _, _, _, _, r) => r.resume_with(Ok(())),
            E::WalAppend(_, input, r) => {
                self.append(input);
                r.resume_with(())
            }
            other => return self.emit(other),
        })
    }

    /// Performs the effects that need no answer.
    fn emit(&mut self, effect: core::Effect<BftContext>) -> Result<CoreResume, EngineError> {
        use core::Effect as E;
        match effect {
            E::CancelAllTimeouts(_) => self.effects.push(Effect::CancelAll),
            E::CancelTimeout(timeout, _) => {
                if let Some(timer) = self.timer(timeout) {
                    self.effects.push(Effect::Cancel(timer));
                }
            }
            E::ScheduleTimeout(timeout, _) => self.schedule(timeout),
            E::StartRound(height, round, proposer, _, _) => {
                let (height, round) = (height.0, core::round_of(round));
                self.effects.push(Effect::RoundStarted { height, round, proposer: proposer.0 });
            }
            E::PublishConsensusMsg(core::SignedConsensusMsg::Vote(vote), _)
            | E::PublishLivenessMsg(core::LivenessMsg::Vote(vote), _)
            | E::RepublishVote(vote, _) => self.send_vote(&vote),
            E::PublishConsensusMsg(core::SignedConsensusMsg::Proposal(proposal), _) => {
                self.send_proposal(&proposal);
            }
            E::PublishLivenessMsg(core::LivenessMsg::PolkaCertificate(polka), _) => {
                if let Some(polka) = core::polka_of(&polka) {
                    self.effects.broadcast(Message::Polka(polka));
                }
            }
            E::PublishLivenessMsg(core::LivenessMsg::SkipRoundCertificate(certificate), _)
            | E::RepublishRoundCertificate(certificate, _) => {
                self.effects.broadcast(Message::Round(core::round_certificate_of(&certificate)));
            }
            E::GetValue(height, round, _, _) => self.ask_for_block(height.0, core::round_of(round)),
            E::CertVerifiedSyncValue(response, proposer, _) => self.certified.push(Candidate {
                height: response.certificate.height.0,
                round: core::round_of(response.certificate.round),
                value: response.certificate.value_id.0,
                proposer: proposer.0,
            }),
            E::Finalize(certificate, _, evidence, _) => self.finalize(&certificate, &evidence),
            // The node fetches blocks by their hash, a decision counts when it is final, and the
            // engine rejects invalid inputs before it feeds them.
            _ => {}
        }
        Ok(core::Resume::Continue)
    }

    fn sign_vote(&mut self, vote: core::CoreVote) -> core::SignedVote<BftContext> {
        // A refusal is no error for the core: it continues as a validator whose vote is lost.
        let signed = self.signer.sign(vote.vote).ok();
        self.save_signer_record();
        // The core feeds our own statement back to itself and asks for its signature.
        self.verified.extend(signed.map(VerifiedStatement::Vote));
        core::SignedVote::new(
            vote,
            signed.map_or(CoreSignature::NONE, |signed| CoreSignature(signed.signature)),
        )
    }

    fn sign_proposal(&mut self, proposal: core::CoreProposal) -> core::SignedProposal<BftContext> {
        let signed = self.signer.sign(proposal.proposal).ok();
        self.save_signer_record();
        if signed.is_none() {
            // The core stopped its timer and waits for its own proposal, which never arrives.
            // Without a new timer the round would not end.
            self.schedule(core::Timeout::propose(core::core_round(proposal.proposal.round)));
        }
        self.verified.extend(signed.map(VerifiedStatement::Proposal));
        core::SignedProposal::new(
            proposal,
            signed.map_or(CoreSignature::NONE, |signed| CoreSignature(signed.signature)),
        )
    }

    /// Emits the signer's record if it changed.
    pub(super) fn save_signer_record(&mut self) {
        if let Some(record) = self.signer.take_changed_record() {
            self.effects.save(record);
        }
    }

    fn is_valid_signature(
        &self,
        message: &core::SignedMessage<BftContext, core::ConsensusMsg<BftContext>>,
    ) -> bool {
        // A refused vote must not count, not even locally: the core would count power that no peer sees.
        if message.signature == CoreSignature::NONE {
            return false;
        }
        let statement = match &message.message {
            core::ConsensusMsg::Vote(vote) => VerifiedStatement::Vote(core::vote_of(&core::SignedVote::new(
                vote.clone(),
                message.signature,
            ))),
            core::ConsensusMsg::Proposal(proposal) => VerifiedStatement::Proposal(core::proposal_of(
                &core::SignedProposal::new(proposal.clone(), message.signature),
            )),
        };
        self.verified.contains(&statement)
            || match statement {
                VerifiedStatement::Vote(vote) => vote.verify(self.mesh()).is_ok(),
                VerifiedStatement::Proposal(proposal) => proposal.verify(self.mesh()).is_ok(),
            }
    }

    fn append(&mut self, input: core::Input<BftContext>) {
        let entry = match input {
            core::Input::Vote(vote) => Some(WalEntry::Vote(core::vote_of(&vote))),
            core::Input::Proposal(proposal) => Some(WalEntry::Proposal(core::proposal_of(&proposal))),
            core::Input::ProposedValue(value, _) => Some(WalEntry::Verdict(Verdict {
                height: value.height.0,
                round: core::round_of(value.round),
                proposer: value.proposer.0,
                value: value.value.0,
                valid: value.validity.is_valid(),
            })),
            core::Input::TimeoutElapsed(timeout) => self.timer(timeout).map(WalEntry::Timeout),
            core::Input::PolkaCertificate(polka) => core::polka_of(&polka).map(WalEntry::Polka),
            // The core logs no other inputs.
            _ => None,
        };
        if let Some(entry) = entry {
            self.effects.append(entry);
        }
    }

    fn send_vote(&mut self, vote: &core::SignedVote<BftContext>) {
        if vote.signature != CoreSignature::NONE {
            // What led to the vote has to be durable before it leaves, or a restarted process could
            // vote differently.
            self.effects.require_sync();
            self.effects.broadcast(Message::Vote(core::vote_of(vote)));
        }
    }

    fn send_proposal(&mut self, proposal: &core::SignedProposal<BftContext>) {
        if proposal.signature != CoreSignature::NONE {
            let proposal = core::proposal_of(proposal);
            // The core also forwards the proposals of others; those need no sync.
            if proposal.signer == self.signer.node() {
                self.proposal = Some(proposal);
                self.effects.require_sync();
            }
            self.effects.broadcast(Message::Proposal(proposal));
        }
    }

    fn ask_for_block(&mut self, height: BlockHeight, round: Round) {
        // A block that cannot be signed is not built. The propose timeout ends the round instead.
        if self.signer.may_sign_at(height) {
            let within = self.timeouts.duration(TimerKind::Propose, round, self.backoff);
            self.effects.push(Effect::Propose { height, round, within });
        }
    }

    fn timer(&self, timeout: core::Timeout) -> Option<Timer> {
        let kind = match timeout.kind {
            core::TimeoutKind::Propose => TimerKind::Propose,
            core::TimeoutKind::Prevote => TimerKind::Prevote,
            core::TimeoutKind::Precommit => TimerKind::Precommit,
            core::TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
            // A height is final as soon as it is decided.
            core::TimeoutKind::FinalizeHeight(_) => return None,
        };
        Some(Timer { height: self.height, round: core::round_of(timeout.round), kind })
    }

    fn schedule(&mut self, timeout: core::Timeout) {
        if let Some(timer) = self.timer(timeout) {
            let after = self.timeouts.duration(timer.kind, timer.round, self.backoff);
            self.effects.push(Effect::Schedule { timer, after });
        }
    }

    fn finalize(
        &mut self,
        certificate: &core::CommitCertificate<BftContext>,
        evidence: &core::MisbehaviorEvidence<BftContext>,
    ) {
        self.effects.push(Effect::CancelAll);
        // The core keeps evidence per validator and height; a height reports its own once, here.
        let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs);
        let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs);
        let votes = votes.map(|(one, other)| Equivocation::votes(core::vote_of(one), core::vote_of(other)));
        let proposals = proposals
            .map(|(one, other)| Equivocation::proposals(core::proposal_of(one), core::proposal_of(other)));
        // The core pairs statements that differ, so that none of them is refused.
        for pair in votes.chain(proposals).filter_map(Result::ok) {
            self.effects.push(Effect::Evidence(pair));
        }
        if let Some(certificate) = core::commit_of(certificate) {
            self.precommit_decision(&certificate);
            self.decided = Some(certificate.clone());
            // After the evidence: the host may start the next height as soon as it performs this effect.
            self.effects.push(Effect::Decided(certificate));
        }
    }

    /// Precommits the decided block if this validator has not voted in that step or later: the block was validated after
    /// the precommits of the others came, and the core votes no more. Without this vote a validator whose machine is slower
    /// than the fastest two thirds would look absent at every height. No lock forbids it: more than two thirds precommitted
    /// the block in this round.
    fn precommit_decision(&mut self, certificate: &CommitCertificate) {
        let vote = certificate.vote();
        let last = self.signer.record().last_signed.map(|last| last.position());
        if !self.votes || last.is_some_and(|last| last >= vote.position()) {
            return;
        }
        if let Ok(signed) = self.signer.sign(vote) {
            self.effects.append(WalEntry::Vote(signed));
            self.save_signer_record();
            self.effects.require_sync();
            self.effects.broadcast(Message::Vote(signed));
        }
    }

    /// Verifies a vote, once per input.
    pub(super) fn verify_vote(&mut self, vote: &SignedVote) -> bool {
        let statement = VerifiedStatement::Vote(*vote);
        let valid = self.verified.contains(&statement) || vote.verify(self.mesh()).is_ok();
        if valid {
            self.verified.push(statement);
        }
        valid
    }

    /// Verifies a proposal, once per input.
    pub(super) fn verify_proposal(&mut self, proposal: &SignedProposal) -> bool {
        let statement = VerifiedStatement::Proposal(*proposal);
        let valid = self.verified.contains(&statement) || proposal.verify(self.mesh()).is_ok();
        if valid {
            self.verified.push(statement);
        }
        valid
    }
}
