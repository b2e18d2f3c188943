//! One validator's signature under a checkpoint, as it travels between validators.
//!
//! It carries the checkpoint's id, not the checkpoint: a validator computes that from its own state, and
//! counts only attestations that agree with it.
//!
//! What a hostile peer can do: make this node recover one key for each attestation that names a known
//! checkpoint and a member that has not signed it yet.

use nervure_primitives::{
    Hash,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{
    checkpoint::{AnchorCheckpoint, AnchorDomain},
    key::{AnchorAddress, AnchorKey, AnchorSignature},
    validators::AnchorSet,
};

/// Largest encoding of an attestation in bytes.
pub const MAX_ATTESTATION_LEN: usize = 160;

/// A validator's signature for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The id of the checkpoint.
    #[serde(rename = "c")]
    pub checkpoint: Hash,
    /// The address of the signer.
    #[serde(rename = "a")]
    pub signer: AnchorAddress,
    /// The signature.
    #[serde(rename = "s")]
    pub signature: AnchorSignature,
}

/// Why an attestation does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Not the canonical form of an attestation.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// For another checkpoint.
    #[error("the attestation is for checkpoint {0}")]
    OtherCheckpoint(Hash),
    /// By an address outside the signing set.
    #[error("{0} is not in the set that signs this checkpoint")]
    UnknownSigner(AnchorAddress),
    /// The signature is not valid.
    #[error("the signature of {0} is not valid")]
    Signature(AnchorAddress),
}

impl Attestation {
    /// Signs `checkpoint` as a member of the set with the hash `validators`.
    pub fn sign(
        key: &AnchorKey,
        checkpoint: &AnchorCheckpoint,
        domain: &AnchorDomain,
        validators: &Hash,
    ) -> Self {
        let signature = key.sign(&checkpoint.digest(domain, validators));
        Self { checkpoint: checkpoint.id(), signer: key.address(), signature }
    }

    /// Reads an attestation; verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, AttestationError> {
        Ok(cbor::decode(bytes, Limits::new(MAX_ATTESTATION_LEN))?)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, AttestationError> {
        Ok(cbor::encode(self)?)
    }

    /// Checks that a member of `validators` signed `checkpoint`. Cheap checks come first.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify(
        &self,
        checkpoint: &AnchorCheckpoint,
        domain: &AnchorDomain,
        validators: &AnchorSet,
    ) -> Result<(), AttestationError> {
        if self.checkpoint != checkpoint.id() {
            return Err(AttestationError::OtherCheckpoint(self.checkpoint));
        }
        if validators.power_of(&self.signer).is_none() {
            return Err(AttestationError::UnknownSigner(self.signer));
        }
        let signer = self.signature.signer(&checkpoint.digest(domain, &validators.hash()));
        if signer != Ok(self.signer) {
            return Err(AttestationError::Signature(self.signer));
        }
        Ok(())
    }
}
