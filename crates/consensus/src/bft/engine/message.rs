//! Messages of peers: what is looked at, in which order, before the core sees them.
//!
//! Cheap checks first, signature last, then the core. A vote or proposal costs at most one
//! verification, and only if it is for this height or one of the next, near our round, by a
//! validator, and new. A certificate costs one per validator at most, and only if it says
//! something that is not known.

use nervure_primitives::{BlockHeight, NodeId};

use super::{
    Engine, EngineError, Phase, ROUNDS_AHEAD,
    early::{HEIGHTS, Room},
};
use crate::bft::{
    Effect, MAX_ROUND, Message, Placed, PolkaCertificate, Refusal, RoundCertificate, RoundReason,
    SignedProposal, SignedVote, core,
};

/// When a message is about.
enum When {
    /// The height that the core decides.
    Now,
    /// A height to be kept for.
    Later,
}

/// Why an input was not followed to its end.
pub(super) enum Stop {
    /// The peer's fault, or nobody's.
    Refused(Refusal),
    /// Ours.
    Failed(EngineError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

impl Engine {
    /// A message from a peer.
    pub(super) fn on_message(&mut self, from: NodeId, message: Message) -> Result<(), EngineError> {
        let outcome = match message {
            Message::Vote(vote) => self.take_vote(vote, Some(from)),
            Message::Proposal(proposal) => self.take_proposal(proposal, Some(from)),
            Message::Polka(polka) => self.take_polka(&polka),
            Message::Round(certificate) => self.take_round_certificate(&certificate),
        };
        self.report(from, outcome)
    }

    /// Tells the node of a refusal.
    pub(super) fn report(&mut self, from: NodeId, outcome: Result<(), Stop>) -> Result<(), EngineError> {
        match outcome {
            Ok(()) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Refused(reason)) => {
                self.desk.outbox.push(Effect::Refused { from, reason });
                Ok(())
            }
        }
    }

    /// A vote; from nobody when it was kept since an earlier height.
    pub(super) fn take_vote(&mut self, vote: SignedVote, from: Option<NodeId>) -> Result<(), Stop> {
        let when = self.place(&vote.statement, vote.signer)?;
        if let When::Later = when {
            self.check_room(&vote.signer, &Message::Vote(vote))?;
        } else if let Some(state) = &self.state {
            let (votes, vote) = (state.driver.votes(), core::core_vote(&vote));
            if votes.has_vote(&vote) || votes.is_saturated_conflict(&vote) {
                return Err(Refusal::Duplicate.into());
            }
        }
        if !self.desk.verify_vote(&vote) {
            return Err(Refusal::Signature(vote.signer).into());
        }
        self.hear(vote.signer, vote.into());
        match when {
            When::Now => self.feed(core::Input::Vote(core::core_vote(&vote)))?,
            When::Later => self.keep(vote.signer, Message::Vote(vote), from),
        }
        Ok(())
    }

    /// A proposal; from nobody when it was kept since an earlier height.
    pub(super) fn take_proposal(
        &mut self,
        proposal: SignedProposal,
        from: Option<NodeId>,
    ) -> Result<(), Stop> {
        let statement = &proposal.statement;
        let when = self.place(statement, proposal.signer)?;
        if statement.valid_round.is_some_and(|round| round >= statement.round) {
            return Err(Refusal::Absurd.into());
        }
        match when {
            When::Later => self.check_room(&proposal.signer, &Message::Proposal(proposal))?,
            When::Now => self.check_turn(&proposal)?,
        }
        if !self.desk.verify_proposal(&proposal) {
            return Err(Refusal::Signature(proposal.signer).into());
        }
        self.hear(proposal.signer, proposal.into());
        match when {
            When::Now => self.accept_proposal(&proposal)?,
            When::Later => self.keep(proposal.signer, Message::Proposal(proposal), from),
        }
        Ok(())
    }

    fn take_polka(&mut self, polka: &PolkaCertificate) -> Result<(), Stop> {
        let state = self.now(polka.height)?;
        self.check_round(polka.round)?;
        if state.polka_certificate(core::core_round(polka.round), &core::Block(polka.value)).is_some() {
            return Err(Refusal::Duplicate.into());
        }
        self.verify_certificate(|quorum, validators, mesh| polka.verify(quorum, validators, mesh))?;
        Ok(self.feed(core::Input::PolkaCertificate(core::core_polka(polka)))?)
    }

    fn take_round_certificate(&mut self, certificate: &RoundCertificate) -> Result<(), Stop> {
        let state = self.now(certificate.height)?;
        let (ours, theirs) = (core::round_of(state.round()), certificate.round);
        let superseded = match certificate.reason {
            RoundReason::Precommits => theirs < ours,
            RoundReason::Skip => theirs <= ours,
        };
        let votes = state.driver.votes();
        if superseded || certificate.votes().all(|vote| votes.has_vote(&core::core_vote(&vote))) {
            return Err(Refusal::Duplicate.into());
        }
        if theirs > MAX_ROUND || !certificate.is_well_formed() {
            return Err(Refusal::Absurd.into());
        }
        self.verify_certificate(|quorum, validators, mesh| certificate.verify(quorum, validators, mesh))?;
        let node = self.node();
        for vote in certificate.votes().filter(|vote| vote.signer == node) {
            self.hear(vote.signer, vote.into());
        }
        Ok(self.feed(core::Input::RoundCertificate(core::core_round_certificate(certificate)))?)
    }

    /// Where a statement belongs, by height, round and signer.
    fn place<T: Placed>(&self, statement: &T, signer: NodeId) -> Result<When, Refusal> {
        let current = self.current.as_ref().ok_or(Refusal::Idle)?;
        let position = statement.position();
        if position.round > MAX_ROUND {
            return Err(Refusal::Absurd);
        }
        if position.height < current.height {
            return Err(Refusal::Old(position.height));
        }
        if !current.validators.contains(&signer) {
            return Err(Refusal::NotAValidator(signer));
        }
        if position.height == current.height {
            return match current.phase {
                Phase::Listening(_) => Ok(When::Later),
                Phase::Running => self.check_round(position.round).map(|()| When::Now),
                Phase::Decided => Err(Refusal::Old(position.height)),
            };
        }
        Ok(When::Later)
    }

    fn check_round(&self, round: crate::bft::Round) -> Result<(), Refusal> {
        let ours = self.position().map_or(0, |(_, round)| round.0);
        if round > MAX_ROUND {
            return Err(Refusal::Absurd);
        }
        if round.0 > ours.saturating_add(ROUNDS_AHEAD) {
            return Err(Refusal::FarRound);
        }
        Ok(())
    }

    fn check_room(&self, signer: &NodeId, message: &Message) -> Result<(), Refusal> {
        match self.early.room(signer, message) {
            Room::Free => Ok(()),
            // Known, but it says once more that somebody is ahead of us.
            Room::Known | Room::Full => {
                let ahead = self.current.as_ref().is_some_and(|current| message.height() > current.height);
                if ahead { Ok(()) } else { Err(Refusal::Duplicate) }
            }
        }
    }

    fn check_turn(&self, proposal: &SignedProposal) -> Result<(), Refusal> {
        let (Some(current), Some(state)) = (&self.current, &self.state) else { return Err(Refusal::Idle) };
        let statement = &proposal.statement;
        if current.members.proposer(statement.round.0) != proposal.signer {
            return Err(Refusal::NotTheProposer(proposal.signer));
        }
        let (height, round) = (core::Height(statement.height), core::core_round(statement.round));
        if state.exceeds_per_round_cap(height, round, &core::Block(statement.value)) {
            return Err(Refusal::Crowded);
        }
        let known = state.driver.proposals_and_validities_for_round(round);
        if known.iter().any(|(known, _)| known.message.proposal == *statement) {
            return Err(Refusal::Duplicate);
        }
        Ok(())
    }

    /// The core, when it decides `height`.
    pub(super) fn now(&self, height: BlockHeight) -> Result<&core::State<core::Agreement>, Refusal> {
        let current = self.current.as_ref().ok_or(Refusal::Idle)?;
        match (height.cmp(&current.height), &current.phase) {
            (std::cmp::Ordering::Less, _) => Err(Refusal::Old(height)),
            (std::cmp::Ordering::Equal, Phase::Running) => self.state.as_ref().ok_or(Refusal::Idle),
            (std::cmp::Ordering::Equal, Phase::Decided) => Err(Refusal::Old(height)),
            _ => Err(Refusal::Early(height)),
        }
    }

    /// Keeps a verified message for its height, and notes that somebody is ahead.
    fn keep(&mut self, signer: NodeId, message: Message, from: Option<NodeId>) {
        let (height, now) = (message.height(), self.current.as_ref().map(|current| current.height));
        let Some(now) = now else { return };
        if height.0.saturating_sub(now.0) < HEIGHTS && self.early.room(&signer, &message) == Room::Free {
            self.early.keep(signer, message);
        }
        if let Some(peer) = from.filter(|_| height > now) {
            self.desk.outbox.push(Effect::Behind { peer, height });
        }
    }
}
