//! Going to a height far ahead at once.
//!
//! Why that is as sound as walking: more than two thirds of the trusted power signed a precommit for the header. Some of
//! those signers are honest, and honest validators precommit only blocks that follow the chain they know, so the header names
//! the validators that its height really had. More than two thirds of *those* precommitted it in one round, which
//! decides. Whoever could forge that could forge the very next height too.

use super::{CommitCertificate, Header, LightClient, LightError, ValidatorSet};
use crate::checkpoint::Quorum;

/// A header of any later height, with everything that it takes to believe it.
#[derive(Clone, Copy, Debug)]
pub struct DistantHeader<'a, H> {
    /// The header.
    pub header: &'a H,
    /// The precommits for it.
    pub certificate: &'a CommitCertificate,
    /// The validators of its height.
    pub validators: &'a ValidatorSet,
    /// The validators of the next height when they differ from this height's.
    pub next_validators: Option<&'a ValidatorSet>,
}

impl LightClient {
    /// Moves on to a later height. Cheap checks come first; on an error nothing has changed.
    ///
    /// # Errors
    /// [`LightError::TooFar`] when a step to a height between may succeed; otherwise the first rule that the header or its
    /// certificate breaks.
    pub fn skip<H: Header>(&mut self, step: &DistantHeader<'_, H>) -> Result<(), LightError> {
        let DistantHeader { header, certificate, validators, next_validators } = *step;
        let (height, id) = (header.height(), header.id());
        if height <= self.height {
            return Err(LightError::NotLater { trusted: self.height, actual: height });
        }
        let adjacent = height.0 - self.height.0 == 1;
        if adjacent && header.parent() != self.id {
            return Err(LightError::Parent(height));
        }
        if header.validators_hash() != validators.hash() || (adjacent && *validators != self.next) {
            return Err(LightError::Validators(height));
        }
        if (certificate.height, certificate.value) != (height, id) {
            return Err(LightError::OtherBlock(height));
        }
        let next = next_validators.unwrap_or(validators);
        if header.next_validators_hash() != next.hash() {
            return Err(LightError::NextValidators(height));
        }
        self.require_overlap(certificate)?;
        certificate.verify(validators, &self.mesh)?;
        (self.id, self.height, self.next) = (id, height, next.clone());
        Ok(())
    }

    /// Refuses a certificate that more than two thirds of the trusted power did not sign. Nobody is counted twice: signers
    /// are sorted and different.
    fn require_overlap(&self, certificate: &CommitCertificate) -> Result<(), LightError> {
        let trusted = certificate.signatures.iter().filter_map(|(signer, _)| self.next.power_of(signer));
        let signed = trusted.fold(0u64, u64::saturating_add);
        let total = self.next.total_power();
        match Quorum::TWO_THIRDS.is_met(signed, total) {
            true => Ok(()),
            false => Err(LightError::TooFar { height: certificate.height, signed, total }),
        }
    }
}

impl LightError {
    /// Whether a header between may be what is missing, rather than this one being wrong.
    pub fn is_too_far(&self) -> bool {
        matches!(self, Self::TooFar { .. })
    }
}
