//! Commit certificates of peers: heights that were decided without this node.

use nervure_primitives::{MeshId, NodeId};

use super::{
    Engine, Phase,
    error::{EngineError, HandlerError},
};
use crate::{
    bft::{Candidate, Effect, MessageError, SignedStatement, core},
    checkpoint::{CertificateError, CommitCertificate, Quorum, ValidatorSet},
};

impl Engine {
    /// Handles a certificate that shows a height to be decided.
    pub(super) fn on_certificate(
        &mut self,
        from: NodeId,
        certificate: CommitCertificate,
    ) -> Result<(), EngineError> {
        let outcome = self.check_commit(&certificate).map_err(HandlerError::from);
        let outcome = outcome.and_then(|()| Ok(self.accept_certificate(from, &certificate)?));
        self.report(from, outcome)
    }

    fn check_commit(&mut self, certificate: &CommitCertificate) -> Result<(), MessageError> {
        let current = self.current.as_ref().ok_or(MessageError::NotStarted)?;
        let decided = matches!(current.phase, Phase::Decided(_));
        if certificate.height < current.height || decided && certificate.height == current.height {
            return Err(MessageError::OldHeight(certificate.height));
        }
        // The blocks in between may elect other validators, so it cannot be verified yet.
        if certificate.height > current.height {
            return Err(MessageError::FutureHeight(certificate.height));
        }
        // Several peers answer the same request: one verification per decision is enough.
        if self.candidates.is_certified(certificate) {
            return Err(MessageError::Duplicate);
        }
        self.verify_certificate(|quorum, validators, mesh| certificate.verify_for(quorum, validators, mesh))
    }

    /// Lets the core decide by the certificate, once the application has validated the block.
    fn accept_certificate(
        &mut self,
        from: NodeId,
        certificate: &CommitCertificate,
    ) -> Result<(), EngineError> {
        if let Some(signature) = certificate.signatures.of(&self.node()) {
            // Our own signature in a certificate may be one that an old record does not know.
            let ours =
                SignedStatement { statement: certificate.vote(), signer: self.node(), signature: *signature };
            self.observe(ours.signer, ours.into());
        }
        self.follow_while_listening()?;
        let Some(peer) = core::core_peer(&from) else { return Ok(()) };
        // The others have decided it: they wait for no vote.
        self.adapter.votes = false;
        // Before the core gets the response: `feed_verdict` looks the certificate up.
        self.candidates.certify(certificate.clone());
        let response = core::ValueResponse::new(peer, Default::default(), core::core_commit(certificate));
        self.feed(core::Input::SyncValueResponse(response))?;
        for candidate in std::mem::take(&mut self.adapter.certified) {
            self.validate_decided(candidate)?;
        }
        Ok(())
    }

    /// Asks the application about a decided block, unless the verdict is known.
    fn validate_decided(&mut self, candidate: Candidate) -> Result<(), EngineError> {
        match self.candidates.verdict(&candidate.value) {
            Some(valid) => self.feed_verdict(candidate, valid),
            None => {
                // Without the capacity check of proposals: the height is decided, and this is one block.
                self.candidates.ask(candidate);
                self.adapter.effects.push(Effect::Validate(candidate));
                Ok(())
            }
        }
    }

    /// Runs the core on a decided height although the engine still listens: the height needs no vote
    /// of ours, and the signer keeps refusing until the listening period is over.
    fn follow_while_listening(&mut self) -> Result<(), EngineError> {
        // The listening timer runs on: heights may be decided faster than the period ends.
        let listening = self.current.as_ref().is_some_and(|c| matches!(c.phase, Phase::Listening(_)));
        if listening { self.run_height() } else { Ok(()) }
    }

    /// Runs `check` with the quorum and the validators of this height.
    pub(super) fn verify_certificate(
        &self,
        check: impl FnOnce(Quorum, &ValidatorSet, &MeshId) -> Result<(), CertificateError>,
    ) -> Result<(), MessageError> {
        let current = self.current.as_ref().ok_or(MessageError::NotStarted)?;
        Ok(check(self.adapter.quorum(), &current.validators, self.adapter.mesh())?)
    }
}
