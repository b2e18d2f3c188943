//! Bundles of votes that bring a peer forward that missed them.
//!
//! A [`PolkaCertificate`] shows that more than two thirds prevoted a block in a round, so that a
//! validator locked on another block in an earlier round may prevote it. A [`RoundCertificate`]
//! justifies a later round. Neither decides a height, and only the votes inside are signed.
//!
//! What a hostile sender can do: make us verify up to one signature per validator; verification
//! stops at the first invalid one. A known certificate is dropped before.

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId, Signature};
use serde::{Deserialize, Serialize};

use super::{Round, SignedStatement, Statement, Vote, VoteKind};
use crate::checkpoint::{
    CertificateError, MAX_VALIDATORS, Quorum, SignatureList, ValidatorSet, require, signed_power,
};

/// Prevotes of more than two thirds for one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolkaCertificate {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round of the prevotes.
    #[serde(rename = "r")]
    pub round: Round,
    /// The block's hash.
    #[serde(rename = "v")]
    pub value: Hash,
    /// The prevotes' signatures.
    #[serde(rename = "s")]
    pub signatures: SignatureList,
}

impl PolkaCertificate {
    /// Checks power first, then every signature.
    pub(super) fn verify(
        &self,
        quorum: Quorum,
        validators: &ValidatorSet,
        mesh: &MeshId,
    ) -> Result<(), CertificateError> {
        signed_power(self.signatures.iter().map(|(signer, _)| signer), validators)
            .and_then(|signed| require(quorum, signed, validators))?;
        let vote =
            Vote { height: self.height, round: self.round, kind: VoteKind::Prevote, value: Some(self.value) };
        // All signers signed the same bytes, so they are built once.
        let message = vote.message(mesh)?;
        for (signer, signature) in self.signatures.iter() {
            signature.verify(signer, &message).map_err(|_| CertificateError::InvalidSignature(*signer))?;
        }
        Ok(())
    }
}

/// The reason to enter a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoundReason {
    /// More than a third of the power voted in it: at least one honest validator is in it.
    #[serde(rename = "skip")]
    Skip,
    /// More than two thirds of the power precommitted in the round before, without a decision.
    #[serde(rename = "precommits")]
    Precommits,
}

/// A vote of a [`RoundCertificate`], without the height and round that all its votes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundVote {
    /// The validator.
    #[serde(rename = "n")]
    pub signer: NodeId,
    /// Prevote or precommit.
    #[serde(rename = "k")]
    pub kind: VoteKind,
    /// The block's hash, or none for nil.
    #[serde(rename = "v")]
    pub value: Option<Hash>,
    /// The vote's signature.
    #[serde(rename = "s")]
    pub signature: Signature,
}

/// Votes of one round that justify entering it or the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundCertificate {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round of the votes.
    #[serde(rename = "r")]
    pub round: Round,
    /// Why they justify a round.
    #[serde(rename = "w")]
    pub reason: RoundReason,
    /// The votes, sorted by signer, one each.
    #[serde(rename = "s")]
    pub votes: Vec<RoundVote>,
}

impl RoundCertificate {
    /// The votes in full.
    pub fn votes(&self) -> impl Iterator<Item = SignedStatement<Vote>> + '_ {
        self.votes.iter().map(|vote| SignedStatement {
            statement: Vote { height: self.height, round: self.round, kind: vote.kind, value: vote.value },
            signer: vote.signer,
            signature: vote.signature,
        })
    }

    /// Whether its form is valid: bounded, sorted, one vote per signer, and only precommits where
    /// precommits are the reason. Checked first.
    pub(super) fn is_well_formed(&self) -> bool {
        self.votes.len() <= MAX_VALIDATORS
            && self.votes.windows(2).all(|pair| pair[0].signer < pair[1].signer)
            && (self.reason == RoundReason::Skip
                || self.votes.iter().all(|vote| vote.kind == VoteKind::Precommit))
    }

    /// Checks power first, then every signature. `quorum` is the quorum of precommits.
    pub(super) fn verify(
        &self,
        quorum: Quorum,
        validators: &ValidatorSet,
        mesh: &MeshId,
    ) -> Result<(), CertificateError> {
        let needed = match self.reason {
            RoundReason::Skip => Quorum::ONE_THIRD,
            // Precommits of any value, nil included: they show that the round ended, not what it decided.
            RoundReason::Precommits => quorum,
        };
        signed_power(self.votes.iter().map(|vote| &vote.signer), validators)
            .and_then(|signed| require(needed, signed, validators))?;
        for vote in self.votes() {
            vote.verify(mesh).map_err(|_| CertificateError::InvalidSignature(vote.signer))?;
        }
        Ok(())
    }
}
