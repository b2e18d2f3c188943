//! What is handed to an anchor: a checkpoint and the signatures of more than two thirds of the power.

use nervure_primitives::cbor::{self, CborError, Limits};
use serde::{Deserialize, Serialize};

use super::{
    MAX_CHECKPOINT_LEN,
    checkpoint::{AnchorCheckpoint, AnchorDomain},
    key::{AnchorAddress, AnchorSignature},
    validators::AnchorSet,
};
use nervure_consensus::checkpoint::{MAX_VALIDATORS, Quorum};

/// Largest encoding of a submission in bytes: per validator 32 of set entry and 66 of signature; the rest.
pub const MAX_SUBMISSION_LEN: usize = MAX_CHECKPOINT_LEN + MAX_VALIDATORS * (34 + 66) + 64;

/// A checkpoint with its quorum. Nothing of it is verified until [`verify`](Self::verify).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The checkpoint.
    #[serde(rename = "c")]
    pub checkpoint: AnchorCheckpoint,
    /// The set that signs it.
    #[serde(rename = "v")]
    pub validators: AnchorSet,
    /// Signatures over [`AnchorCheckpoint::digest`], sorted by the addresses of the signers.
    #[serde(rename = "s")]
    pub signatures: Vec<AnchorSignature>,
}

/// Why a submission is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmissionError {
    /// Not the canonical form of a submission.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not a signature in its only accepted form.
    #[error("signature {0} is not a valid signature")]
    Signature(usize),
    /// The signer is not a member, has signed already, or is out of order.
    #[error("signature {0} is by {1}: not a member, a duplicate, or out of order")]
    Signer(usize, AnchorAddress),
    /// Too little power signed.
    #[error("the signers have {signed} of {total} voting power, which is not enough")]
    TooLittlePower {
        /// Power of the signers.
        signed: u64,
        /// Power of the set.
        total: u64,
    },
}

impl Submission {
    /// Reads a submission; verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, SubmissionError> {
        Ok(cbor::decode(bytes, Limits::new(MAX_SUBMISSION_LEN))?)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, SubmissionError> {
        Ok(cbor::encode(self)?)
    }

    /// Checks that more than two thirds of the power of its own set signed: as the contract does, every
    /// signature has to hold, by members in the order of their addresses.
    ///
    /// # Errors
    /// The first violation.
    pub fn verify(&self, domain: &AnchorDomain) -> Result<(), SubmissionError> {
        self.verify_for(Quorum::TWO_THIRDS, domain)
    }

    /// [`Self::verify`] against another quorum.
    pub(crate) fn verify_for(&self, quorum: Quorum, domain: &AnchorDomain) -> Result<(), SubmissionError> {
        let digest = self.checkpoint.digest(domain, &self.validators.hash());
        let (mut last, mut signed) = (None, 0u64);
        for (index, signature) in self.signatures.iter().enumerate() {
            let signer = signature.signer(&digest).map_err(|_| SubmissionError::Signature(index))?;
            let power = self.validators.power_of(&signer).filter(|_| last < Some(signer));
            signed = signed.saturating_add(power.ok_or(SubmissionError::Signer(index, signer))?);
            last = Some(signer);
        }
        let total = self.validators.total_power();
        if quorum.is_met(signed, total) {
            Ok(())
        } else {
            Err(SubmissionError::TooLittlePower { signed, total })
        }
    }
}
