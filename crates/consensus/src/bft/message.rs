//! The messages between validators, and their size limits.
//!
//! One encoding for one message: canonical CBOR, a map with the kind as its only key. Decoding
//! checks form and size only. The [`Engine`](super::Engine) verifies signatures: it knows the
//! validators and drops known messages before it spends time on a signature.

use nervure_primitives::{
    BlockHeight, Hash, NodeId,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{PolkaCertificate, Round, RoundCertificate, SignedProposal, SignedVote};
use crate::checkpoint::MAX_VALIDATORS;

/// Upper bound for a proposal or vote on the wire.
pub const MAX_STATEMENT_MESSAGE_BYTES: usize = 320;

/// Upper bound for every message: a round certificate with a vote of every validator (168 bytes of
/// id, kind, hash and signature) and 128 bytes for the shared fields.
pub const MAX_MESSAGE_BYTES: usize = MAX_VALIDATORS * 168 + 128;

/// A message between validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A proposer's proposal.
    #[serde(rename = "proposal")]
    Proposal(SignedProposal),
    /// A validator's vote.
    #[serde(rename = "vote")]
    Vote(SignedVote),
    /// Votes that let a locked validator prevote a block.
    #[serde(rename = "polka")]
    Polka(PolkaCertificate),
    /// Votes that justify a later round.
    #[serde(rename = "round")]
    Round(RoundCertificate),
}

impl Message {
    /// Decodes a message. Checks its form, not its signatures.
    ///
    /// # Errors
    /// When `bytes` are too long for their kind or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let message: Self = cbor::decode(bytes, Limits::new(MAX_MESSAGE_BYTES))?;
        if let Self::Round(certificate) = &message
            && !certificate.is_well_formed()
        {
            return Err(CborError::Structure("votes of a round certificate are sorted, one each".into()));
        }
        if cbor::encode(&message)? != bytes {
            return Err(CborError::Structure("not the canonical encoding of the message".into()));
        }
        Ok(message)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice: messages always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// The height that it is about.
    pub const fn height(&self) -> BlockHeight {
        match self {
            Self::Proposal(proposal) => proposal.statement.height,
            Self::Vote(vote) => vote.statement.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// The signer, if it is a statement of one validator.
    pub const fn signer(&self) -> Option<NodeId> {
        match self {
            Self::Proposal(proposal) => Some(proposal.signer),
            Self::Vote(vote) => Some(vote.signer),
            Self::Polka(_) | Self::Round(_) => None,
        }
    }

    /// The round that it is about.
    pub const fn round(&self) -> Round {
        match self {
            Self::Proposal(proposal) => proposal.statement.round,
            Self::Vote(vote) => vote.statement.round,
            Self::Polka(certificate) => certificate.round,
            Self::Round(certificate) => certificate.round,
        }
    }

    /// The hash of the message, by which gossip detects duplicates.
    ///
    /// # Errors
    /// None in practice: messages always encode.
    pub fn id(&self) -> Result<Hash, CborError> {
        Ok(Hash::of("nervure/consensus-message", &[&self.encode()?]))
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{MeshId, NodeKey, Signature};

    use super::*;
    use crate::bft::{Proposal, RoundReason, RoundVote, SignedStatement, VoteKind};

    fn largest() -> RoundCertificate {
        let mut votes: Vec<_> = (0..64)
            .map(|n| RoundVote {
                signer: NodeKey::from_seed(&[n; 32]).node_id(),
                kind: VoteKind::Precommit,
                value: Some(Hash::of("t", &[])),
                signature: Signature::from_bytes([n; 64]),
            })
            .collect();
        votes.sort_by_key(|vote| vote.signer);
        RoundCertificate {
            height: BlockHeight(u64::MAX),
            round: Round(u32::MAX),
            reason: RoundReason::Precommits,
            votes,
        }
    }

    #[test]
    fn the_largest_messages_fit_and_round_trip() {
        let round = Round(u32::MAX);
        let proposal = Proposal {
            height: BlockHeight(u64::MAX),
            round,
            value: Hash::of("t", &[]),
            valid_round: Some(round),
        };
        let mesh = MeshId::from_bytes([3; 32]);
        let proposal = SignedStatement::sign(&NodeKey::from_seed(&[1; 32]), &mesh, proposal).unwrap();
        for (message, limit) in [
            (Message::Round(largest()), MAX_MESSAGE_BYTES),
            (Message::Proposal(proposal), MAX_STATEMENT_MESSAGE_BYTES),
        ] {
            let bytes = message.encode().unwrap();
            assert!(bytes.len() <= limit, "{} of {limit}", bytes.len());
            assert_eq!(Message::decode(&bytes).unwrap(), message);
        }
    }

    #[test]
    fn refuses_round_certificates_with_unordered_or_wrong_votes() {
        let refused = |change: fn(&mut RoundCertificate)| {
            let mut certificate = largest();
            change(&mut certificate);
            Message::decode(&Message::Round(certificate).encode().unwrap()).is_err()
        };
        assert!(refused(|c| c.votes.swap(0, 1)));
        assert!(refused(|c| c.votes[1] = c.votes[0]));
        assert!(refused(|c| c.votes[0].kind = VoteKind::Prevote));
        assert!(!refused(|c| {
            c.reason = RoundReason::Skip;
            c.votes[0].kind = VoteKind::Prevote;
        }));
    }
}
