//! The beginning of a height: listening, replaying, running.

use std::sync::Arc;

use nervure_primitives::BlockHeight;

use super::{Current, Engine, EngineError, Phase, desk::Trusted, message::Stop};
use crate::{
    bft::{Effect, Message, WalEntry, core},
    checkpoint::{Quorum, ValidatorSet},
};

impl Engine {
    /// A height is to be decided.
    pub(super) fn on_start(
        &mut self,
        height: BlockHeight,
        validators: Arc<ValidatorSet>,
        log: Vec<WalEntry>,
    ) -> Result<(), EngineError> {
        let members = core::Members::new(self.desk.mesh(), height, &validators);
        let before = self.current.as_ref().map(|current| current.height);
        self.early.forget_before(height);
        self.current = Some(Current { height, validators, members, phase: Phase::Listening(log) });
        self.candidates.clear();
        self.desk.height = height;
        self.desk.proposal = None;
        let listen = self.hearing.listen;
        self.desk.signer.set_listening(listen.is_some());
        match listen {
            None => self.begin(),
            Some(after) => {
                self.listen(after, height, before);
                Ok(())
            }
        }
    }

    /// Lets the core begin, with the log first and what was heard early after it.
    pub(super) fn begin(&mut self) -> Result<(), EngineError> {
        let Some(current) = self.current.as_mut() else { return Ok(()) };
        let Phase::Listening(log) = std::mem::replace(&mut current.phase, Phase::Running) else {
            return Ok(());
        };
        let (height, members) = (current.height, current.members.clone());
        if self.hearing.listen.is_none() {
            self.desk.signer.set_listening(false);
        }
        if self.state.is_none() {
            self.state = Some(self.new_state(height, members.clone()));
        }
        self.doubt(height, &log);
        if log.is_empty() {
            self.feed(start(height, members, false))?;
        } else {
            self.replay(height, members, log)?;
        }
        self.catch_up(height)
    }

    /// Feeds what was kept for this height.
    fn catch_up(&mut self, height: BlockHeight) -> Result<(), EngineError> {
        for message in self.early.take(height) {
            // Verified when it was kept; a refusal here concerns nobody any more.
            let outcome = match message {
                Message::Vote(vote) => {
                    self.desk.trusted.push(Trusted::Vote(vote));
                    self.take_vote(vote, None)
                }
                Message::Proposal(proposal) => {
                    self.desk.trusted.push(Trusted::Proposal(proposal));
                    self.take_proposal(proposal, None)
                }
                Message::Polka(_) | Message::Round(_) => continue,
            };
            self.desk.trusted.clear();
            if let Err(Stop::Failed(error)) = outcome {
                return Err(error);
            }
        }
        Ok(())
    }

    /// The log of a height holds all that we said in it. If it lacks what the signer last signed,
    /// it was lost, and with it perhaps the block that we are locked on: who does not know what it
    /// promised says nothing more at this height.
    fn doubt(&mut self, height: BlockHeight, log: &[WalEntry]) {
        let mark = self.desk.signer.record().mark.filter(|mark| mark.position().height == height);
        let lost = mark.is_some_and(|mark| !log.contains(&WalEntry::from(mark)));
        if lost && self.desk.signer.silent_at(height).is_none() {
            self.desk.signer.be_silent_through(height);
            self.desk.remember_signature();
            self.desk.outbox.push(Effect::Silenced { through: height, key_used_twice: false });
        }
    }

    fn new_state(&self, height: BlockHeight, members: core::Members) -> core::State<core::Agreement> {
        let param = |quorum: Quorum| core::ThresholdParam::new(quorum.numerator(), quorum.denominator());
        let params = core::Params {
            address: core::Member(self.node()),
            threshold_params: core::ThresholdParams {
                quorum: param(self.desk.quorum()),
                honest: param(Quorum::ONE_THIRD),
            },
            // A proposal becomes whole by the application's verdict on its block.
            value_payload: core::ValuePayload::ProposalAndParts,
            enabled: true,
        };
        // Nothing is ever fed before its height, so the core's own queue stays empty.
        core::State::new(core::Agreement, core::Height(height), members, params, 1, 1)
    }
}

/// The core's own input for a new height; heights end as soon as they are decided.
pub(super) fn start(
    height: BlockHeight,
    members: core::Members,
    restart: bool,
) -> core::Input<core::Agreement> {
    let policy = core::VoteExtensionPolicy::Disabled;
    core::Input::StartHeight(core::Height(height), members, restart, None, policy)
}
