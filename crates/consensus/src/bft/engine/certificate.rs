//! Certificates: of rounds and polkas from peers, and of heights decided without us.

use nervure_primitives::{MeshId, NodeId};

use super::{Engine, EngineError, Phase, message::Stop};
use crate::{
    bft::{Candidate, Effect, Refusal, Signed, core},
    checkpoint::{CertificateError, CommitCertificate, Quorum, ValidatorSet},
};

impl Engine {
    /// A peer showed that a height is decided.
    pub(super) fn on_certificate(
        &mut self,
        from: NodeId,
        certificate: CommitCertificate,
    ) -> Result<(), EngineError> {
        let outcome = self.check_commit(&certificate).map_err(Stop::from);
        let outcome = outcome.and_then(|()| Ok(self.accept_certificate(from, &certificate)?));
        self.report(from, outcome)
    }

    fn check_commit(&mut self, certificate: &CommitCertificate) -> Result<(), Refusal> {
        let current = self.current.as_ref().ok_or(Refusal::Idle)?;
        let decided = matches!(current.phase, Phase::Decided);
        if certificate.height < current.height || decided && certificate.height == current.height {
            return Err(Refusal::Old(certificate.height));
        }
        if certificate.height > current.height {
            return Err(Refusal::Early(certificate.height));
        }
        if self.candidates.is_certified(certificate) {
            return Err(Refusal::Duplicate);
        }
        self.verify_certificate(|quorum, validators, mesh| certificate.verify_for(quorum, validators, mesh))
    }

    /// Lets the core decide as the certificate says, once the block is known to be valid.
    fn accept_certificate(
        &mut self,
        from: NodeId,
        certificate: &CommitCertificate,
    ) -> Result<(), EngineError> {
        if let Some(signature) = certificate.signatures.of(&self.node()) {
            let ours = Signed { statement: certificate.vote(), signer: self.node(), signature: *signature };
            self.hear(ours.signer, ours.into());
        }
        self.follow_while_listening()?;
        let Some(peer) = core::core_peer(&from) else { return Ok(()) };
        self.candidates.certify(certificate.clone());
        let response = core::ValueResponse::new(peer, Default::default(), core::core_commit(certificate));
        self.feed(core::Input::SyncValueResponse(response))?;
        for wanted in std::mem::take(&mut self.desk.wanted) {
            self.want(wanted)?;
        }
        Ok(())
    }

    /// Asks for a block that is already decided, unless the answer is known.
    fn want(&mut self, wanted: Candidate) -> Result<(), EngineError> {
        match self.candidates.verdict(&wanted.value) {
            Some(valid) => self.give_verdict(wanted, valid),
            None => {
                self.candidates.ask(wanted);
                self.desk.outbox.push(Effect::Validate(wanted));
                Ok(())
            }
        }
    }

    /// A height that is decided already needs no vote of ours: follow it, and go on listening, that
    /// is, without signing, until the next.
    fn follow_while_listening(&mut self) -> Result<(), EngineError> {
        let listening = self.current.as_ref().is_some_and(|c| matches!(c.phase, Phase::Listening(_)));
        if listening {
            // Its timer may be cancelled with others from now on.
            self.hearing.timer = None;
        }
        if listening { self.begin() } else { Ok(()) }
    }

    /// Verifies what `check` verifies, with the validators of this height.
    pub(super) fn verify_certificate(
        &self,
        check: impl FnOnce(Quorum, &ValidatorSet, &MeshId) -> Result<(), CertificateError>,
    ) -> Result<(), Refusal> {
        let current = self.current.as_ref().ok_or(Refusal::Idle)?;
        Ok(check(self.desk.quorum(), &current.validators, self.desk.mesh())?)
    }
}
