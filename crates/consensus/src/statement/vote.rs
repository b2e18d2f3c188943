//! Votes and proposals: the two statements of the protocol.
//!
//! A [`Proposal`] names a block by its hash; the block itself is transferred separately. A [`Vote`]
//! is for a block's hash or for *nil*: no acceptable block arrived in time.

use std::fmt;

use nervure_primitives::{BlockHeight, Domain, Hash};
use serde::{Deserialize, Serialize};

use super::{Position, SignedStatement, Statement, Step};

/// The largest round of a height. Timeouts grow with the round, so a height would take years to reach it;
/// a larger number is refused before any computation.
pub const MAX_ROUND: Round = Round(1 << 20);

/// One attempt to decide a height, counted from 0. Each has its own proposer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Round(pub u32);

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VoteKind {
    /// The block is acceptable in this round.
    #[serde(rename = "prevote")]
    Prevote,
    /// More than two thirds of the power prevoted the block. A quorum of precommits decides it.
    #[serde(rename = "precommit")]
    Precommit,
}

/// A prevote or precommit of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round.
    #[serde(rename = "r")]
    pub round: Round,
    /// Prevote or precommit.
    #[serde(rename = "k")]
    pub kind: VoteKind,
    /// The block's hash, or none for nil.
    #[serde(rename = "v")]
    pub value: Option<Hash>,
}

impl Statement for Vote {
    const DOMAIN: Domain = Domain::new("nervure/vote/1");

    fn position(&self) -> Position {
        let step = match self.kind {
            VoteKind::Prevote => Step::Prevote,
            VoteKind::Precommit => Step::Precommit,
        };
        Position { height: self.height, round: self.round, step }
    }
}

/// The proposer's proposal for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round.
    #[serde(rename = "r")]
    pub round: Round,
    /// The block's hash.
    #[serde(rename = "v")]
    pub value: Hash,
    /// The proof-of-lock round (`validRound` in the Tendermint paper): the earlier round in which
    /// more than two thirds prevoted this block, when it is proposed again for that reason.
    #[serde(rename = "p")]
    pub valid_round: Option<Round>,
}

impl Statement for Proposal {
    const DOMAIN: Domain = Domain::new("nervure/proposal/1");

    fn position(&self) -> Position {
        Position { height: self.height, round: self.round, step: Step::Propose }
    }
}

/// A vote with its signature.
pub type SignedVote = SignedStatement<Vote>;

/// A proposal with its signature.
pub type SignedProposal = SignedStatement<Proposal>;

#[cfg(test)]
mod tests {
    use nervure_primitives::{
        Envelope, MeshId, NodeKey,
        cbor::{self, Limits},
    };

    use super::*;
    use crate::statement::MAX_STATEMENT_BYTES;

    const MESH: MeshId = MeshId::from_bytes([3; 32]);

    fn vote() -> Vote {
        Vote { height: BlockHeight(5), round: Round(1), kind: VoteKind::Prevote, value: None }
    }

    fn largest() -> Proposal {
        let round = Round(u32::MAX);
        Proposal { height: BlockHeight(u64::MAX), round, value: Hash::of("t", &[]), valid_round: Some(round) }
    }

    #[test]
    fn a_signed_statement_encodes_as_an_envelope() {
        let key = NodeKey::from_seed(&[1; 32]);
        let signed = SignedStatement::sign(&key, &MESH, vote()).unwrap();
        let envelope = Envelope::seal(&key, Vote::DOMAIN, &MESH, &vote()).unwrap();
        assert_eq!(cbor::encode(&signed).unwrap(), envelope.encode().unwrap());
        assert_eq!(envelope.open::<Vote>(Vote::DOMAIN, &MESH, MAX_STATEMENT_BYTES).unwrap(), vote());
        assert_eq!(signed.verify(&MESH), Ok(()));
        assert!(signed.verify(&MeshId::from_bytes([4; 32])).is_err());
    }

    #[test]
    fn the_largest_statement_fits() {
        assert!(cbor::encode(&largest()).unwrap().len() <= MAX_STATEMENT_BYTES);
    }

    #[test]
    fn refuses_a_body_that_omits_nil() {
        #[derive(Serialize)]
        struct VoteWithoutValue {
            h: u64,
            k: &'static str,
            r: u32,
        }
        let key = NodeKey::from_seed(&[1; 32]);
        let vote = VoteWithoutValue { h: 5, k: "prevote", r: 1 };
        let envelope = Envelope::seal(&key, Vote::DOMAIN, &MESH, &vote).unwrap();
        assert!(envelope.open::<Vote>(Vote::DOMAIN, &MESH, 64).is_ok(), "serde alone accepts it");
        assert!(cbor::decode::<SignedVote>(&envelope.encode().unwrap(), Limits::new(512)).is_err());
    }

    #[test]
    fn a_proposal_does_not_decode_as_a_vote() {
        let key = NodeKey::from_seed(&[1; 32]);
        let bytes = cbor::encode(&SignedStatement::sign(&key, &MESH, largest()).unwrap()).unwrap();
        assert!(cbor::decode::<SignedVote>(&bytes, Limits::new(512)).is_err());
        assert!(cbor::decode::<SignedProposal>(&bytes, Limits::new(512)).is_ok());
    }
}
