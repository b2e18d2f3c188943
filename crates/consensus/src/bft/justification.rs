//! Bundles of votes that bring a peer forward which missed them.
//!
//! A [`PolkaCertificate`] shows that more than two thirds prevoted a block in a round, which lets
//! a locked validator accept it again. A [`RoundCertificate`] shows why to be in a later round.
//! Neither decides anything, and neither is signed as a whole: every vote in it is.
//!
//! What a hostile sender can do: make us verify up to one signature per validator, stopping at the
//! first that is wrong. A certificate that is already known is dropped before that.

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId, Signature};
use serde::{Deserialize, Serialize};

use super::{Round, Signed, Statement, Vote, VoteKind};
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
        let message = vote.message(mesh)?;
        for (signer, signature) in self.signatures.iter() {
            signature.verify(signer, &message).map_err(|_| CertificateError::Signature(*signer))?;
        }
        Ok(())
    }
}

/// Why a round may be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoundReason {
    /// More than a third already voted in it: somebody honest is there.
    #[serde(rename = "skip")]
    Skip,
    /// More than two thirds precommitted in the round before, though not the same thing.
    #[serde(rename = "precommits")]
    Precommits,
}

/// One vote of a [`RoundCertificate`], without what all share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundVote {
    /// Who voted.
    #[serde(rename = "n")]
    pub signer: NodeId,
    /// Which vote.
    #[serde(rename = "k")]
    pub kind: VoteKind,
    /// For what.
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
    /// What they justify.
    #[serde(rename = "w")]
    pub reason: RoundReason,
    /// The votes, sorted by signer, one each.
    #[serde(rename = "s")]
    pub votes: Vec<RoundVote>,
}

impl RoundCertificate {
    /// The votes that it bundles.
    pub fn votes(&self) -> impl Iterator<Item = Signed<Vote>> + '_ {
        self.votes.iter().map(|vote| Signed {
            statement: Vote { height: self.height, round: self.round, kind: vote.kind, value: vote.value },
            signer: vote.signer,
            signature: vote.signature,
        })
    }

    /// Whether its form is right: bounded, sorted, nobody twice, nothing but precommits where
    /// precommits are claimed. Checked before anything else.
    pub(super) fn is_well_formed(&self) -> bool {
        self.votes.len() <= MAX_VALIDATORS
            && self.votes.windows(2).all(|pair| pair[0].signer < pair[1].signer)
            && (self.reason == RoundReason::Skip
                || self.votes.iter().all(|vote| vote.kind == VoteKind::Precommit))
    }

    /// Checks power first, then every signature. `quorum` is what precommits need.
    pub(super) fn verify(
        &self,
        quorum: Quorum,
        validators: &ValidatorSet,
        mesh: &MeshId,
    ) -> Result<(), CertificateError> {
        let needed = match self.reason {
            RoundReason::Skip => Quorum::ONE_THIRD,
            RoundReason::Precommits => quorum,
        };
        signed_power(self.votes.iter().map(|vote| &vote.signer), validators)
            .and_then(|signed| require(needed, signed, validators))?;
        for vote in self.votes() {
            vote.verify(mesh).map_err(|_| CertificateError::Signature(vote.signer))?;
        }
        Ok(())
    }
}
