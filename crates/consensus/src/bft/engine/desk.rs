//! Where the core's questions are answered and its wishes become effects.
//!
//! A refusal by the signer is answered with [`core::Sig::NONE`]: it verifies for nobody, so the
//! core does not count such a vote, and it is dropped wherever it would leave.

use nervure_primitives::{BlockHeight, MeshId};

use super::{Config, EngineError, outbox::Outbox};
use crate::{
    bft::{
        Candidate, Effect, Equivocation, Message, Round, Signed, SignedProposal, SignedVote, Signer,
        Timeouts, Timer, TimerKind, Verdict, WalEntry,
        core::{self, Agreement, Resumable, Sig},
        timer::Patience,
    },
    checkpoint::Quorum,
};

/// A statement whose signature is known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    Vote(SignedVote),
    Proposal(SignedProposal),
}

/// Answers the core.
pub(super) struct Desk {
    pub(super) signer: Signer,
    pub(super) outbox: Outbox,
    /// Verified during this input, so not again.
    pub(super) trusted: Vec<Trusted>,
    pub(super) patience: Patience,
    /// Our proposal of the current height, for sending again.
    pub(super) proposal: Option<SignedProposal>,
    /// Blocks that certificates call for, to be asked about.
    pub(super) wanted: Vec<Candidate>,
    pub(super) height: BlockHeight,
    quorum: Quorum,
    timeouts: Timeouts,
    decided: Option<Round>,
}

type CoreResume = core::Resume<Agreement>;

impl Desk {
    pub(super) fn new(config: &Config, signer: Signer) -> Self {
        Self {
            signer,
            outbox: Outbox::default(),
            trusted: Vec::new(),
            patience: Patience::default(),
            proposal: None,
            wanted: Vec::new(),
            height: BlockHeight(0),
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

    /// The round of the decision made during this input.
    pub(super) const fn take_decision(&mut self) -> Option<Round> {
        self.decided.take()
    }

    /// Runs the core on one input.
    pub(super) fn feed(
        &mut self,
        state: &mut core::State<Agreement>,
        input: core::Input<Agreement>,
    ) -> Result<(), EngineError> {
        let run =
            || core::process!(input: input, state: state, metrics: &(), with: effect => self.perform(effect));
        let outcome: Result<(), Box<core::Error<Agreement>>> = run();
        outcome.map_err(|error| match *error {
            core::Error::ReplayDivergence(..) => EngineError::Diverged(error.to_string()),
            _ => EngineError::Core(error.to_string()),
        })
    }

    fn perform(&mut self, effect: core::Effect<Agreement>) -> Result<CoreResume, EngineError> {
        use core::Effect as E;
        Ok(match effect {
            E::SignVote(vote, r) => r.resume_with(self.sign_vote(vote)),
            E::SignProposal(proposal, r) => r.resume_with(self.sign_proposal(proposal)),
            E::VerifySignature(message, _, r) => r.resume_with(self.holds(&message)),
            // Built from votes that were each verified when they came.
            E::VerifyCommitCertificate(_, _, _, r) => r.resume_with(Ok(())),
            // These were verified before they were fed.
            E::VerifyExtendedCommitCertificate(_, _, _, _, r) => r.resume_with(Ok(())),
            E::VerifyPolkaCertificate(_, _, _, r) | E::VerifyRoundCertificate(_, _, _, r) => {
                r.resume_with(Ok(()))
            }
            E::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            E::VerifyVoteExtension(_, _, _, _, _, _, r) => r.resume_with(Ok(())),
            E::WalAppend(_, input, r) => {
                self.append(input);
                r.resume_with(())
            }
            other => return self.tell(other),
        })
    }

    /// The effects that ask nothing.
    fn tell(&mut self, effect: core::Effect<Agreement>) -> Result<CoreResume, EngineError> {
        use core::Effect as E;
        match effect {
            E::CancelAllTimeouts(_) => self.outbox.push(Effect::CancelAll),
            E::CancelTimeout(timeout, _) => {
                if let Some(timer) = self.timer(timeout) {
                    self.outbox.push(Effect::Cancel(timer));
                }
            }
            E::ScheduleTimeout(timeout, _) => self.schedule(timeout),
            E::StartRound(height, round, proposer, _, _) => {
                let (height, round) = (height.0, core::round_of(round));
                self.outbox.push(Effect::RoundStarted { height, round, proposer: proposer.0 });
            }
            E::PublishConsensusMsg(core::SignedConsensusMsg::Vote(vote), _)
            | E::PublishLivenessMsg(core::LivenessMsg::Vote(vote), _)
            | E::RepublishVote(vote, _) => self.send_vote(&vote),
            E::PublishConsensusMsg(core::SignedConsensusMsg::Proposal(proposal), _) => {
                self.send_proposal(&proposal);
            }
            E::PublishLivenessMsg(core::LivenessMsg::PolkaCertificate(polka), _) => {
                if let Some(polka) = core::polka_of(&polka) {
                    self.outbox.broadcast(Message::Polka(polka));
                }
            }
            E::PublishLivenessMsg(core::LivenessMsg::SkipRoundCertificate(certificate), _)
            | E::RepublishRoundCertificate(certificate, _) => {
                self.outbox.broadcast(Message::Round(core::round_certificate_of(&certificate)));
            }
            E::GetValue(height, round, _, _) => self.ask_for_block(height.0, core::round_of(round)),
            E::CertVerifiedSyncValue(response, proposer, _) => self.wanted.push(Candidate {
                height: response.certificate.height.0,
                round: core::round_of(response.certificate.round),
                value: response.certificate.value_id.0,
                proposer: proposer.0,
            }),
            E::Finalize(certificate, _, evidence, _) => self.finalize(&certificate, &evidence),
            // Blocks are fetched by their hash; a decision is acted on when it is final; and what
            // would be rejected here was rejected before.
            _ => {}
        }
        Ok(core::Resume::Continue)
    }

    fn sign_vote(&mut self, vote: core::CoreVote) -> core::SignedVote<Agreement> {
        let signed = self.signer.sign(vote.vote).ok();
        self.remember_signature();
        self.trusted.extend(signed.map(Trusted::Vote));
        core::SignedVote::new(vote, signed.map_or(Sig::NONE, |signed| Sig(signed.signature)))
    }

    fn sign_proposal(&mut self, proposal: core::CoreProposal) -> core::SignedProposal<Agreement> {
        let signed = self.signer.sign(proposal.proposal).ok();
        self.remember_signature();
        if signed.is_none() {
            // The core waits for its own proposal and stopped the timer; nothing will come.
            self.schedule(core::Timeout::propose(core::core_round(proposal.proposal.round)));
        }
        self.trusted.extend(signed.map(Trusted::Proposal));
        core::SignedProposal::new(proposal, signed.map_or(Sig::NONE, |signed| Sig(signed.signature)))
    }

    /// Hands out the signer's record if it changed.
    pub(super) fn remember_signature(&mut self) {
        if let Some(record) = self.signer.take_change() {
            self.outbox.save(record);
        }
    }

    fn holds(&self, message: &core::SignedMessage<Agreement, core::ConsensusMsg<Agreement>>) -> bool {
        if message.signature == Sig::NONE {
            return false;
        }
        let trusted = match &message.message {
            core::ConsensusMsg::Vote(vote) => {
                Trusted::Vote(core::vote_of(&core::SignedVote::new(vote.clone(), message.signature)))
            }
            core::ConsensusMsg::Proposal(proposal) => Trusted::Proposal(core::proposal_of(
                &core::SignedProposal::new(proposal.clone(), message.signature),
            )),
        };
        self.trusted.contains(&trusted)
            || match trusted {
                Trusted::Vote(vote) => vote.verify(self.mesh()).is_ok(),
                Trusted::Proposal(proposal) => proposal.verify(self.mesh()).is_ok(),
            }
    }

    fn append(&mut self, input: core::Input<Agreement>) {
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
            // The core logs nothing else.
            _ => None,
        };
        if let Some(entry) = entry {
            self.outbox.append(entry);
        }
    }

    fn send_vote(&mut self, vote: &core::SignedVote<Agreement>) {
        if vote.signature != Sig::NONE {
            self.outbox.require_sync();
            self.outbox.broadcast(Message::Vote(core::vote_of(vote)));
        }
    }

    fn send_proposal(&mut self, proposal: &core::SignedProposal<Agreement>) {
        if proposal.signature != Sig::NONE {
            let proposal = core::proposal_of(proposal);
            if proposal.signer == self.signer.node() {
                self.proposal = Some(proposal);
                self.outbox.require_sync();
            }
            self.outbox.broadcast(Message::Proposal(proposal));
        }
    }

    fn ask_for_block(&mut self, height: BlockHeight, round: Round) {
        if self.signer.may_sign_at(height) {
            let within = self.timeouts.duration(TimerKind::Propose, round, self.patience);
            self.outbox.push(Effect::Propose { height, round, within });
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
            let after = self.timeouts.duration(timer.kind, timer.round, self.patience);
            self.outbox.push(Effect::Schedule { timer, after });
        }
    }

    fn finalize(
        &mut self,
        certificate: &core::CommitCertificate<Agreement>,
        evidence: &core::MisbehaviorEvidence<Agreement>,
    ) {
        self.outbox.push(Effect::CancelAll);
        let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs);
        let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs);
        for (one, other) in votes {
            let pair = Equivocation::Votes(core::vote_of(one), core::vote_of(other));
            self.outbox.push(Effect::Evidence(pair));
        }
        for (one, other) in proposals {
            let pair = Equivocation::Proposals(core::proposal_of(one), core::proposal_of(other));
            self.outbox.push(Effect::Evidence(pair));
        }
        if let Some(certificate) = core::commit_of(certificate) {
            self.decided = Some(certificate.round);
            self.outbox.push(Effect::Decided(certificate));
        }
    }

    /// Verifies a statement once per input.
    pub(super) fn verify_vote(&mut self, vote: &SignedVote) -> bool {
        let trusted = Trusted::Vote(*vote);
        let holds = self.trusted.contains(&trusted) || vote.verify(self.mesh()).is_ok();
        if holds {
            self.trusted.push(trusted);
        }
        holds
    }

    /// Verifies a statement once per input.
    pub(super) fn verify_proposal(&mut self, proposal: &Signed<crate::bft::Proposal>) -> bool {
        let trusted = Trusted::Proposal(*proposal);
        let holds = self.trusted.contains(&trusted) || proposal.verify(self.mesh()).is_ok();
        if holds {
            self.trusted.push(trusted);
        }
        holds
    }
}
