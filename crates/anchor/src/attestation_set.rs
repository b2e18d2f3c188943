//! The attestations of one checkpoint, until they are a quorum.
//!
//! A set holds at most one signature per member of the signing set. The first valid one counts: a key can make
//! several for one digest, and any of them will do.

use std::collections::BTreeMap;

use super::{
    attestation::{Attestation, AttestationError},
    checkpoint::{AnchorCheckpoint, AnchorDomain},
    key::{AnchorAddress, AnchorSignature},
    submission::Submission,
    validators::AnchorSet,
};
use nervure_consensus::checkpoint::Quorum;

/// The signatures under one checkpoint.
#[derive(Clone, Debug)]
pub struct AttestationSet {
    domain: AnchorDomain,
    checkpoint: AnchorCheckpoint,
    validators: AnchorSet,
    signatures: BTreeMap<AnchorAddress, AnchorSignature>,
}

impl AttestationSet {
    /// An empty set for a checkpoint that `validators` sign.
    pub fn new(domain: AnchorDomain, checkpoint: AnchorCheckpoint, validators: AnchorSet) -> Self {
        Self { domain, checkpoint, validators, signatures: BTreeMap::new() }
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &AnchorCheckpoint {
        &self.checkpoint
    }

    /// The signing set.
    pub fn validators(&self) -> &AnchorSet {
        &self.validators
    }

    /// Adds an attestation and returns whether it is new; a known one is not verified again.
    ///
    /// # Errors
    /// When the attestation does not count.
    pub fn add(&mut self, attestation: &Attestation) -> Result<bool, AttestationError> {
        let Attestation { checkpoint, signer, signature } = *attestation;
        if checkpoint == self.checkpoint.id() && self.signatures.contains_key(&signer) {
            return Ok(false);
        }
        attestation.verify(&self.checkpoint, &self.domain, &self.validators)?;
        self.signatures.insert(signer, signature);
        Ok(true)
    }

    /// All attestations so far, for gossip.
    pub fn attestations(&self) -> impl Iterator<Item = Attestation> + '_ {
        let checkpoint = self.checkpoint.id();
        self.signatures.iter().map(move |(signer, signature)| Attestation {
            checkpoint,
            signer: *signer,
            signature: *signature,
        })
    }

    /// A submission, once more than two thirds of the power have signed. It has as few signatures as possible,
    /// the most powerful ones, because each costs gas.
    pub fn submission(&self) -> Option<Submission> {
        let power = |signer: &AnchorAddress| self.validators.power_of(signer).unwrap_or(0);
        let mut signers: Vec<AnchorAddress> = self.signatures.keys().copied().collect();
        signers.sort_by_key(|signer| (std::cmp::Reverse(power(signer)), *signer));
        let (total, mut signed) = (self.validators.total_power(), 0u64);
        let enough = signers.iter().position(|signer| {
            signed = signed.saturating_add(power(signer));
            Quorum::TWO_THIRDS.is_met(signed, total)
        })?;
        signers.truncate(enough + 1);
        signers.sort_unstable();
        let signatures = signers.iter().filter_map(|signer| self.signatures.get(signer).copied()).collect();
        let (checkpoint, validators) = (self.checkpoint.clone(), self.validators.clone());
        Some(Submission { checkpoint, validators, signatures })
    }
}
