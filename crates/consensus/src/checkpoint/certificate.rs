//! The proof that a height is decided: precommits of more than two thirds of the power.
//!
//! Every signature is an ordinary precommit ([`Vote`]), so a certificate needs no further message:
//! every node that has the votes can build it, and different nodes may hold different, equally valid
//! certificates for the same block.
//!
//! What a hostile sender can do: make us decode at most [`MAX_CERTIFICATE_BYTES`] bytes and verify
//! one signature per validator; verification stops at the first invalid one. Certificates with
//! unknown signers are refused, so padding cannot make more valid encodings of one certificate.

use nervure_primitives::{
    BlockHeight, Hash, MeshId, NodeId, NodeKey, Signature,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{MAX_VALIDATORS, Quorum, SignatureList, ValidatorSet};
use crate::statement::{Round, SignedStatement, Statement, Vote, VoteKind};

/// Upper bound for an encoded certificate: per signature 34 bytes of id, 66 of signature and 1 of
/// array header, and 128 bytes for the other fields.
pub const MAX_CERTIFICATE_BYTES: usize = MAX_VALIDATORS * (34 + 66 + 1) + 128;

/// Precommits that decide a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitCertificate {
    /// The height that it decides.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round of the precommits.
    #[serde(rename = "r")]
    pub round: Round,
    /// The block's hash.
    #[serde(rename = "v")]
    pub value: Hash,
    /// The precommits' signatures.
    #[serde(rename = "s")]
    pub signatures: SignatureList,
}

/// Why a certificate is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The bytes are not a canonical certificate.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A signer is not a validator of the height.
    #[error("{0} is not a validator of this height")]
    UnknownSigner(NodeId),
    /// A signature is invalid.
    #[error("invalid signature of {0}")]
    InvalidSignature(NodeId),
    /// Too little power signed.
    #[error("the signers have {signed} of {total} voting power, which is not enough")]
    TooLittlePower {
        /// Power of the signers.
        signed: u64,
        /// Power of the whole set.
        total: u64,
    },
}

impl CommitCertificate {
    /// A certificate of the precommits of `keys` for the block `value` at `height`, in round 0. For tests and tools
    /// that hold the keys of validators; a validator's certificate comes from the engine.
    ///
    /// # Errors
    /// None in practice.
    pub fn sign<'a>(
        mesh: &MeshId,
        (height, value): (BlockHeight, Hash),
        keys: impl IntoIterator<Item = &'a NodeKey>,
    ) -> Result<Self, CertificateError> {
        let mut certificate = Self { height, round: Round(0), value, signatures: SignatureList::default() };
        let vote = certificate.vote();
        let signed = keys.into_iter().map(|key| SignedStatement::sign(key, mesh, vote));
        let signed: Result<Vec<_>, _> = signed.collect();
        let list = SignatureList::collect(signed?.into_iter().map(|vote| (vote.signer, vote.signature)));
        certificate.signatures = list.unwrap_or_default();
        Ok(certificate)
    }

    /// Decodes a certificate without verifying it.
    ///
    /// # Errors
    /// When `bytes` are too long or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateError> {
        Ok(cbor::decode(bytes, Limits::new(MAX_CERTIFICATE_BYTES))?)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CertificateError> {
        Ok(cbor::encode(self)?)
    }

    /// Checks that validators with more than two thirds of the power of `validators` precommitted
    /// this value on `mesh`.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(&self, validators: &ValidatorSet, mesh: &MeshId) -> Result<(), CertificateError> {
        self.verify_for(Quorum::TWO_THIRDS, validators, mesh)
    }

    /// [`Self::verify`] against another quorum. Power is counted before any signature is checked.
    pub(crate) fn verify_for(
        &self,
        quorum: Quorum,
        validators: &ValidatorSet,
        mesh: &MeshId,
    ) -> Result<(), CertificateError> {
        self.verify_signers(|| self.signatures.iter(), quorum, validators, mesh)
    }

    /// Checks that members of `validators` with more than a third of its power precommitted this value on `mesh`: at
    /// least one of them is honest, so the block exists. For a height far ahead, whose own validators are not known
    /// here: signers who are not in `validators` count for nothing. It is no proof that the block was decided.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify_existence(&self, validators: &ValidatorSet, mesh: &MeshId) -> Result<(), CertificateError> {
        // Signers that are not known here are left out, and their signatures are not verified either.
        let known = || self.signatures.iter().filter(|(signer, _)| validators.power_of(signer).is_some());
        self.verify_signers(known, Quorum::ONE_THIRD, validators, mesh)
    }

    /// Checks that `signers`, who must all be members, have the power of `quorum`, and then each signature.
    fn verify_signers<'a, S: Iterator<Item = &'a (NodeId, Signature)>>(
        &self,
        signers: impl Fn() -> S,
        quorum: Quorum,
        validators: &ValidatorSet,
        mesh: &MeshId,
    ) -> Result<(), CertificateError> {
        let signed = signed_power(signers().map(|(signer, _)| signer), validators)?;
        require(quorum, signed, validators)?;
        let message = self.vote().message(mesh)?;
        // Each by itself, with the strict rule: validators that disagree about one signature disagree about
        // a block.
        for (signer, signature) in signers() {
            signature.verify(signer, &message).map_err(|_| CertificateError::InvalidSignature(*signer))?;
        }
        Ok(())
    }

    /// The precommit that every signer cast.
    pub fn vote(&self) -> Vote {
        Vote { height: self.height, round: self.round, kind: VoteKind::Precommit, value: Some(self.value) }
    }
}

/// The total power of `signers`, who must all be members.
pub(crate) fn signed_power<'a>(
    signers: impl Iterator<Item = &'a NodeId>,
    validators: &ValidatorSet,
) -> Result<u64, CertificateError> {
    signers
        .map(|signer| validators.power_of(signer).ok_or(CertificateError::UnknownSigner(*signer)))
        // Adds each entry: the callers pass lists that name a signer once.
        .try_fold(0u64, |sum, power| Ok(sum.saturating_add(power?)))
}

/// Checks that `signed` meets `quorum`.
pub(crate) fn require(
    quorum: Quorum,
    signed: u64,
    validators: &ValidatorSet,
) -> Result<(), CertificateError> {
    let total = validators.total_power();
    if quorum.is_met(signed, total) {
        return Ok(());
    }
    Err(CertificateError::TooLittlePower { signed, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESH: MeshId = MeshId::from_bytes([3; 32]);

    fn key(n: u8) -> NodeKey {
        NodeKey::from_seed(&[n; 32])
    }

    fn validators() -> ValidatorSet {
        ValidatorSet::from_stakes((1..=4).map(|n| (key(n).node_id(), 10))).unwrap()
    }

    fn certificate(signers: &[u8]) -> CommitCertificate {
        let mut certificate = CommitCertificate {
            height: BlockHeight(7),
            round: Round(1),
            value: Hash::of("test", &[]),
            signatures: SignatureList::default(),
        };
        let vote = certificate.vote();
        let signed = signers.iter().map(|n| SignedStatement::sign(&key(*n), &MESH, vote).unwrap());
        certificate.signatures =
            SignatureList::collect(signed.map(|vote| (vote.signer, vote.signature))).unwrap();
        certificate
    }

    #[test]
    fn more_than_two_thirds_decide() {
        assert_eq!(certificate(&[1, 2, 3]).verify(&validators(), &MESH), Ok(()));
        let refused = certificate(&[1, 2]).verify(&validators(), &MESH);
        assert_eq!(refused, Err(CertificateError::TooLittlePower { signed: 20, total: 40 }));
    }

    #[test]
    fn refuses_unknown_signers_other_meshes_and_other_values() {
        let refused = certificate(&[1, 2, 3, 5]).verify(&validators(), &MESH);
        assert_eq!(refused, Err(CertificateError::UnknownSigner(key(5).node_id())));
        let elsewhere = certificate(&[1, 2, 3]).verify(&validators(), &MeshId::from_bytes([4; 32]));
        assert!(matches!(elsewhere, Err(CertificateError::InvalidSignature(_))));
        let forge = |change: fn(&mut CommitCertificate)| {
            let mut forged = certificate(&[1, 2, 3]);
            change(&mut forged);
            forged.verify(&validators(), &MESH)
        };
        assert!(forge(|c| c.value = Hash::of("other", &[])).is_err());
        assert!(forge(|c| c.round = Round(2)).is_err());
        assert!(forge(|c| c.height = BlockHeight(8)).is_err());
    }

    #[test]
    fn the_largest_certificate_fits_and_round_trips() {
        let keys: Vec<_> = (0..64).map(key).collect();
        let list = keys.iter().map(|key| (key.node_id(), nervure_primitives::Signature::from_bytes([9; 64])));
        let mut largest = certificate(&[1, 2, 3]);
        (largest.height, largest.round) = (BlockHeight(u64::MAX), Round(u32::MAX));
        largest.signatures = SignatureList::collect(list).unwrap();
        let bytes = largest.encode().unwrap();
        assert!(bytes.len() <= MAX_CERTIFICATE_BYTES, "{}", bytes.len());
        assert_eq!(CommitCertificate::decode(&bytes).unwrap(), largest);
    }
}
