//! Messages of peers: the checks before the core sees them.
//!
//! Cheap checks come first, the signature last, then the core. A vote or proposal costs at most one
//! verification, and only if it is new, by a validator, for this height or one of the next, and near
//! our round; of those for the next heights, only as many as are kept, and one for each height beyond. A certificate costs at most one verification per validator, and only if it is new.

use nervure_primitives::{BlockHeight, NodeId, UnixMillis};

use super::{
    Engine, MAX_ROUNDS_AHEAD, Phase,
    error::{EngineError, HandlerError},
    future_messages::{Capacity, MAX_FUTURE_HEIGHTS},
};
use crate::bft::{
    Effect, MAX_ROUND, Message, MessageError, PolkaCertificate, RoundCertificate, RoundReason,
    SignedProposal, SignedVote, Statement, core,
};

/// The height that a statement is about, seen from the current one.
enum TargetHeight {
    /// The height that the core decides.
    Current,
    /// A height that has not started: the statement is kept for it.
    Future,
}

impl Engine {
    /// Handles a message of a peer.
    pub(super) fn on_message(
        &mut self,
        from: NodeId,
        message: Message,
        at: UnixMillis,
    ) -> Result<(), EngineError> {
        let outcome = match message {
            Message::Vote(vote) => self.handle_vote(vote, Some(from), at),
            Message::Proposal(proposal) => self.handle_proposal(proposal, Some(from), at),
            Message::Polka(polka) => self.handle_polka(&polka),
            Message::Round(certificate) => self.handle_round_certificate(&certificate),
        };
        self.report(from, outcome)
    }

    /// Reports to the node that a message was not used.
    pub(super) fn report(
        &mut self,
        from: NodeId,
        outcome: Result<(), HandlerError>,
    ) -> Result<(), EngineError> {
        match outcome {
            Ok(()) => Ok(()),
            Err(HandlerError::Engine(error)) => Err(error),
            // A peer's message never stops the process: otherwise one peer could stop every node.
            Err(HandlerError::Message(reason)) => {
                self.adapter.effects.push(Effect::Refused { from, reason });
                Ok(())
            }
        }
    }

    /// Handles a vote; `from` is none when it was kept since an earlier height.
    pub(super) fn handle_vote(
        &mut self,
        vote: SignedVote,
        from: Option<NodeId>,
        at: UnixMillis,
    ) -> Result<(), HandlerError> {
        if self.wants_late(&vote) {
            return self.handle_late_precommit(vote);
        }
        let target = self.target_height(&vote.statement, vote.signer)?;
        if let TargetHeight::Future = target {
            self.check_capacity(vote.signer, &Message::Vote(vote), from)?;
        } else if let Some(state) = &self.state {
            let (votes, vote) = (state.driver.votes(), core::core_vote(&vote));
            // Two conflicting votes of a validator are evidence enough; a third one is dropped.
            if votes.has_vote(&vote) || votes.is_saturated_conflict(&vote) {
                return Err(MessageError::Duplicate.into());
            }
        }
        // The most expensive check is the last one: a peer without a valid signature makes it run at most
        // once per message.
        if !self.adapter.verify_vote(&vote) {
            return Err(MessageError::InvalidSignature(vote.signer).into());
        }
        // Before the core sees the vote: a suspension that the vote causes must hold for the core's
        // reaction.
        self.observe(vote.signer, vote.into());
        match target {
            TargetHeight::Current => {
                self.find_amnesia_of_voter(&vote);
                self.feed(core::Input::Vote(core::core_vote(&vote)))?;
            }
            TargetHeight::Future => self.keep(Message::Vote(vote), from, at),
        }
        Ok(())
    }

    /// Whether `vote` is a precommit for the block that is decided, and the first of its signer.
    fn wants_late(&self, vote: &SignedVote) -> bool {
        let phase = self.current.as_ref().map(|current| &current.phase);
        matches!(phase, Some(Phase::Decided(late)) if late.wants(vote))
    }

    /// Passes on a precommit that came after the decision. Another one of its signer is of an old height.
    fn handle_late_precommit(&mut self, vote: SignedVote) -> Result<(), HandlerError> {
        if !self.adapter.verify_vote(&vote) {
            return Err(MessageError::InvalidSignature(vote.signer).into());
        }
        self.observe(vote.signer, vote.into());
        if let Some(Phase::Decided(late)) = self.current.as_mut().map(|current| &mut current.phase) {
            late.arrived(&vote.signer);
        }
        self.adapter.effects.push(Effect::LatePrecommit(vote));
        Ok(())
    }

    /// Handles a proposal that arrived `at`; `from` is none when it was kept since an earlier height.
    pub(super) fn handle_proposal(
        &mut self,
        proposal: SignedProposal,
        from: Option<NodeId>,
        at: UnixMillis,
    ) -> Result<(), HandlerError> {
        let statement = &proposal.statement;
        let target = self.target_height(statement, proposal.signer)?;
        // The proof of lock is of an earlier round (Tendermint paper, algorithm 1, line 28: 0 <= vr <
        // round).
        if statement.valid_round.is_some_and(|round| round >= statement.round) {
            return Err(MessageError::InvalidRound.into());
        }
        match target {
            TargetHeight::Future => {
                self.check_capacity(proposal.signer, &Message::Proposal(proposal), from)?;
            }
            TargetHeight::Current => self.check_proposer(&proposal)?,
        }
        if !self.adapter.verify_proposal(&proposal) {
            return Err(MessageError::InvalidSignature(proposal.signer).into());
        }
        self.observe(proposal.signer, proposal.into());
        match target {
            TargetHeight::Current => {
                self.find_amnesia_of_proposer(&proposal);
                self.receive_proposal(&proposal, at)?;
            }
            TargetHeight::Future => self.keep(Message::Proposal(proposal), from, at),
        }
        Ok(())
    }

    fn handle_polka(&mut self, polka: &PolkaCertificate) -> Result<(), HandlerError> {
        let state = self.running_state(polka.height)?;
        // Not beyond the bound of votes: a round certificate, and no polka, moves this node to a later
        // round.
        self.check_round(polka.round)?;
        if state.polka_certificate(core::core_round(polka.round), &core::Block(polka.value)).is_some() {
            return Err(MessageError::Duplicate.into());
        }
        self.verify_certificate(|quorum, validators, mesh| polka.verify(quorum, validators, mesh))?;
        Ok(self.feed(core::Input::PolkaCertificate(core::core_polka(polka)))?)
    }

    fn handle_round_certificate(&mut self, certificate: &RoundCertificate) -> Result<(), HandlerError> {
        let state = self.running_state(certificate.height)?;
        let (ours, theirs) = (core::round_of(state.round()), certificate.round);
        // A precommit certificate of our own round ends it; a skip certificate leads into its round.
        let superseded = match certificate.reason {
            RoundReason::Precommits => theirs < ours,
            RoundReason::Skip => theirs <= ours,
        };
        let votes = state.driver.votes();
        // Peers rebroadcast certificates: one whose votes are all known is dropped without a verification.
        if superseded || certificate.votes().all(|vote| votes.has_vote(&core::core_vote(&vote))) {
            return Err(MessageError::Duplicate.into());
        }
        // `verify` adds up the power of the votes: only a sorted list without repetition counts each signer
        // once.
        if theirs > MAX_ROUND || !certificate.is_well_formed() {
            return Err(MessageError::InvalidRound.into());
        }
        self.verify_certificate(|quorum, validators, mesh| certificate.verify(quorum, validators, mesh))?;
        // Our own vote in a certificate may be one that an old record does not know.
        let node = self.node();
        for vote in certificate.votes().filter(|vote| vote.signer == node) {
            self.observe(vote.signer, vote.into());
        }
        Ok(self.feed(core::Input::RoundCertificate(core::core_round_certificate(certificate)))?)
    }

    /// Whether a statement is for this height or a later one, with the checks that cost nothing.
    fn target_height<T: Statement>(
        &self,
        statement: &T,
        signer: NodeId,
    ) -> Result<TargetHeight, MessageError> {
        let current = self.current.as_ref().ok_or(MessageError::NotStarted)?;
        let position = statement.position();
        if position.round > MAX_ROUND {
            return Err(MessageError::InvalidRound);
        }
        if position.height < current.height {
            return Err(MessageError::OldHeight(position.height));
        }
        // For a later height this is the best guess: its validators are not known yet and are mostly the
        // same. `handle_vote` checks again when that height runs.
        if !current.validators.contains(&signer) {
            return Err(MessageError::NotAValidator(signer));
        }
        if position.height == current.height {
            return match current.phase {
                // The core does not run yet, so the statement waits like one of a later height.
                Phase::Listening(_) => Ok(TargetHeight::Future),
                Phase::Running => self.check_round(position.round).map(|()| TargetHeight::Current),
                Phase::Decided(_) => Err(MessageError::OldHeight(position.height)),
            };
        }
        Ok(TargetHeight::Future)
    }

    fn check_round(&self, round: crate::bft::Round) -> Result<(), MessageError> {
        let ours = self.position().map_or(0, |(_, round)| round.0);
        if round > MAX_ROUND {
            return Err(MessageError::InvalidRound);
        }
        // Bounds what one validator can make the core keep: two votes per step and round.
        if round.0 > ours.saturating_add(MAX_ROUNDS_AHEAD) {
            return Err(MessageError::FutureRound);
        }
        Ok(())
    }

    /// Whether a statement for a later height is worth its verification. Each validator's are, up to the number that is
    /// kept, and beyond the heights that are kept one for each height that it reaches: anyone can send a statement of
    /// a validator again and again, or invent others for a height at which it has been seen.
    fn check_capacity(
        &mut self,
        signer: NodeId,
        message: &Message,
        from: Option<NodeId>,
    ) -> Result<(), MessageError> {
        let Some(now) = self.current.as_ref().map(|current| current.height) else { return Ok(()) };
        let height = message.height();
        let is_kept_height = height.0.saturating_sub(now.0) < MAX_FUTURE_HEIGHTS;
        // A signature of our own key is verified even then: it shows that the key is used twice.
        let is_known = signer != self.node() && self.guard.has_reached(&signer, height);
        match self.future_messages.capacity_for(&signer, message) {
            Capacity::Free if is_kept_height => Ok(()),
            Capacity::Free | Capacity::Full if height > now && !is_known => Ok(()),
            Capacity::Free | Capacity::Full | Capacity::Duplicate => {
                // It still shows that its sender is ahead of us.
                self.report_ahead(from, height, now);
                Err(MessageError::Duplicate)
            }
        }
    }

    fn report_ahead(&mut self, from: Option<NodeId>, height: BlockHeight, now: BlockHeight) {
        if let Some(peer) = from.filter(|_| height > now) {
            self.adapter.effects.push(Effect::Behind { peer, height });
        }
    }

    fn check_proposer(&self, proposal: &SignedProposal) -> Result<(), MessageError> {
        let (Some(current), Some(state)) = (&self.current, &self.state) else {
            return Err(MessageError::NotStarted);
        };
        let statement = &proposal.statement;
        if current.members.proposer(statement.round.0) != proposal.signer {
            // Any validator can sign a proposal. Only the one of the proposer of its round counts.
            return Err(MessageError::NotProposer(proposal.signer));
        }
        let (height, round) = (core::Height(statement.height), core::core_round(statement.round));
        // The core keeps two blocks per round: enough to prove that the proposer equivocated.
        if self.early.is_full(statement.round) && !self.early.contains(proposal) {
            return Err(MessageError::LimitReached);
        }
        if state.exceeds_per_round_cap(height, round, &core::Block(statement.value)) {
            return Err(MessageError::LimitReached);
        }
        // Compared without the signature: a second signature under the same proposal brings nothing new.
        let known = state.driver.proposals_and_validities_for_round(round);
        let is_known = known.iter().any(|(known, _)| known.message.proposal == *statement);
        if is_known || self.early.contains(proposal) {
            return Err(MessageError::Duplicate);
        }
        Ok(())
    }

    /// The core's state, when it decides `height`.
    pub(super) fn running_state(
        &self,
        height: BlockHeight,
    ) -> Result<&core::State<core::BftContext>, MessageError> {
        let current = self.current.as_ref().ok_or(MessageError::NotStarted)?;
        match (height.cmp(&current.height), &current.phase) {
            (std::cmp::Ordering::Less, _) => Err(MessageError::OldHeight(height)),
            (std::cmp::Ordering::Equal, Phase::Running) => {
                self.state.as_ref().ok_or(MessageError::NotStarted)
            }
            (std::cmp::Ordering::Equal, Phase::Decided(_)) => Err(MessageError::OldHeight(height)),
            _ => Err(MessageError::FutureHeight(height)),
        }
    }

    /// Keeps a verified message for its height, and reports that its sender is ahead.
    fn keep(&mut self, message: Message, from: Option<NodeId>, at: UnixMillis) {
        let (height, now) = (message.height(), self.current.as_ref().map(|current| current.height));
        let (Some(now), Some(signer)) = (now, message.signer()) else { return };
        // A statement beyond the window is not kept, but it still shows that the sender is ahead.
        if height.0.saturating_sub(now.0) < MAX_FUTURE_HEIGHTS
            && self.future_messages.capacity_for(&signer, &message) == Capacity::Free
        {
            self.future_messages.keep(signer, message, at);
        }
        self.report_ahead(from, height, now);
    }
}
