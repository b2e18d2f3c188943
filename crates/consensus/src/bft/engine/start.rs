//! The start of a height: listen, replay the log, run.

use std::{collections::BTreeSet, sync::Arc};

use nervure_primitives::{BlockHeight, NodeId, UnixMillis};

use super::{
    CurrentHeight, Engine, Phase,
    core_adapter::VerifiedStatement,
    error::{EngineError, HandlerError},
    replay::start_height,
};
use crate::{
    bft::{Effect, Message, WalEntry, core, proposer::ProposerOrder},
    checkpoint::{Quorum, ValidatorSet},
};

/// A height, its validators, and those of them that propose last.
pub(super) struct ValidatorOrder {
    pub(super) height: BlockHeight,
    pub(super) validators: Arc<ValidatorSet>,
    pub(super) silent: BTreeSet<NodeId>,
}

impl Engine {
    /// Starts a height.
    pub(super) fn on_start(
        &mut self,
        ValidatorOrder { height, validators, silent }: ValidatorOrder,
        log: Vec<WalEntry>,
        now: UnixMillis,
    ) -> Result<(), EngineError> {
        let order = ProposerOrder::new(self.adapter.mesh(), height, (&validators, &silent));
        let members = core::CoreValidatorSet::new(&validators, order);
        // Read before `current` is replaced: `listen` compares both heights.
        let before = self.current.as_ref().map(|current| current.height);
        self.future_messages.forget_before(height);
        let is_member = validators.contains(&self.node());
        let phase = Phase::Listening(log);
        self.current = Some(CurrentHeight { height, validators, members, phase, started: now });
        // Verdicts hold for one parent block only, so none survives the height.
        self.candidates.clear();
        self.early.clear();
        self.adapter.height = height;
        self.adapter.votes = is_member;
        self.adapter.proposal = None;
        // The signer refuses until the listening period is over, also at heights that are decided
        // meanwhile.
        let listen = self.guard.listen;
        self.adapter.signer.set_listening(listen.is_some());
        match listen {
            None => self.run_height(),
            Some(after) => {
                self.listen(after, height, before);
                Ok(())
            }
        }
    }

    /// Starts the core: first the log, then the messages that were kept for this height.
    pub(super) fn run_height(&mut self) -> Result<(), EngineError> {
        let Some(current) = self.current.as_mut() else { return Ok(()) };
        let Phase::Listening(log) = std::mem::replace(&mut current.phase, Phase::Running) else {
            return Ok(());
        };
        let (height, members) = (current.height, current.members.clone());
        // Only the end of the listening period allows signatures. A height that runs because a certificate
        // decides it (`follow_while_listening`) does not.
        if self.guard.listen.is_none() {
            self.adapter.signer.set_listening(false);
        }
        if self.state.is_none() {
            self.state = Some(self.new_state(height, members.clone()));
        }
        // Before the replay: the replay raises the record to the last statement in the log.
        self.check_log_is_complete(height, &log);
        if log.is_empty() {
            self.feed(start_height(height, members, false))?;
        } else {
            self.replay(height, members, log)?;
        }
        // After the log: the log holds what the core had seen, in the order in which it had seen it.
        self.feed_kept_messages(height)
    }

    /// Feeds the messages that were kept for this height.
    fn feed_kept_messages(&mut self, height: BlockHeight) -> Result<(), EngineError> {
        for (message, at) in self.future_messages.take(height) {
            // It was verified when it was kept, and its sender is no longer known, so an error that
            // concerns the message is dropped.
            let outcome = match message {
                Message::Vote(vote) => {
                    self.adapter.verified.push(VerifiedStatement::Vote(vote));
                    self.handle_vote(vote, None, at)
                }
                Message::Proposal(proposal) => {
                    self.adapter.verified.push(VerifiedStatement::Proposal(proposal));
                    self.handle_proposal(proposal, None, at)
                }
                Message::Polka(_) | Message::Round(_) => continue,
            };
            self.adapter.verified.clear();
            if let Err(HandlerError::Engine(error)) = outcome {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Suspends signing at this height if the log lacks our last statement. The log of a height holds
    /// all our statements in it, so then it was lost, and with it perhaps the locked value. A
    /// validator that does not know its lock could vote against it.
    fn check_log_is_complete(&mut self, height: BlockHeight, log: &[WalEntry]) {
        let last = self.adapter.signer.record().last_signed;
        let last = last.filter(|last| last.position().height == height);
        let lost = last.is_some_and(|last| !log.contains(&WalEntry::from(last)));
        if lost && self.adapter.signer.suspended_at(height).is_none() {
            self.adapter.signer.suspend_through(height);
            self.adapter.save_signer_record();
            self.adapter.effects.push(Effect::Silenced { through: height, key_used_twice: false });
        }
    }

    fn new_state(
        &self,
        height: BlockHeight,
        members: core::CoreValidatorSet,
    ) -> core::State<core::BftContext> {
        let param = |quorum: Quorum| core::ThresholdParam::new(quorum.numerator(), quorum.denominator());
        let params = core::Params {
            address: core::CoreAddress(self.node()),
            threshold_params: core::ThresholdParams {
                quorum: param(self.adapter.quorum()),
                // The f + 1 of the Tendermint paper: enough power to skip to a later round.
                honest: param(Quorum::ONE_THIRD),
            },
            // Blocks travel outside the core. In this mode it waits for the verdict on a proposed
            // block before it votes.
            value_payload: core::ValuePayload::ProposalAndParts,
            enabled: true,
        };
        // The engine feeds no message before its height, so the core's own queue stays empty and
        // needs no capacity.
        core::State::new(core::BftContext, core::Height(height), members, params, 1, 1)
    }
}
