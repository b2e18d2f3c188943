//! Votes and proposals: the two statements of the protocol.
//!
//! A [`Proposal`] names a block by its hash; the block itself travels otherwise. A [`Vote`] is for
//! a block's hash or for *nil*, which says that no acceptable block came in time.

use std::fmt;

use nervure_primitives::{BlockHeight, Domain, Hash};
use serde::{Deserialize, Serialize};

use super::{Signed, Statement};

/// Most rounds of a height. Rounds get longer, so that a height would take years to come here;
/// a larger number is refused before anything computes with it.
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
    /// "This block is acceptable to me in this round."
    #[serde(rename = "prevote")]
    Prevote,
    /// "I saw more than two thirds prevote this block": enough of these decide it.
    #[serde(rename = "precommit")]
    Precommit,
}

/// What a validator says about a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// The height voted on.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round of it.
    #[serde(rename = "r")]
    pub round: Round,
    /// Which of the two votes.
    #[serde(rename = "k")]
    pub kind: VoteKind,
    /// The block's hash, or none for nil.
    #[serde(rename = "v")]
    pub value: Option<Hash>,
}

impl Statement for Vote {
    const DOMAIN: Domain = Domain::new("nervure/vote/1");
}

/// What the proposer of a round wants to be decided.
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
    /// The earlier round in which more than two thirds prevoted this block, if it is proposed
    /// again for that reason.
    #[serde(rename = "p")]
    pub valid_round: Option<Round>,
}

impl Statement for Proposal {
    const DOMAIN: Domain = Domain::new("nervure/proposal/1");
}

/// A vote with its signature.
pub type SignedVote = Signed<Vote>;

/// A proposal with its signature.
pub type SignedProposal = Signed<Proposal>;

#[cfg(test)]
mod tests {
    use nervure_primitives::{
        Envelope, MeshId, NodeKey,
        cbor::{self, Limits},
    };

    use super::*;
    use crate::bft::MAX_STATEMENT_LEN;

    const MESH: MeshId = MeshId::from_bytes([3; 32]);

    fn vote() -> Vote {
        Vote { height: BlockHeight(5), round: Round(1), kind: VoteKind::Prevote, value: None }
    }

    fn largest() -> Proposal {
        let round = Round(u32::MAX);
        Proposal { height: BlockHeight(u64::MAX), round, value: Hash::of("t", &[]), valid_round: Some(round) }
    }

    #[test]
    fn on_the_wire_a_signed_statement_is_an_envelope() {
        let key = NodeKey::from_seed(&[1; 32]);
        let signed = Signed::sign(&key, &MESH, vote()).unwrap();
        let envelope = Envelope::seal(&key, Vote::DOMAIN, &MESH, &vote()).unwrap();
        assert_eq!(cbor::encode(&signed).unwrap(), envelope.encode().unwrap());
        assert_eq!(envelope.open::<Vote>(Vote::DOMAIN, &MESH, MAX_STATEMENT_LEN).unwrap(), vote());
        assert_eq!(signed.verify(&MESH), Ok(()));
        assert!(signed.verify(&MeshId::from_bytes([4; 32])).is_err());
    }

    #[test]
    fn the_largest_statement_fits() {
        assert!(cbor::encode(&largest()).unwrap().len() <= MAX_STATEMENT_LEN);
    }

    #[test]
    fn a_body_that_leaves_nil_out_is_refused() {
        #[derive(Serialize)]
        struct Short {
            h: u64,
            k: &'static str,
            r: u32,
        }
        let key = NodeKey::from_seed(&[1; 32]);
        let short = Short { h: 5, k: "prevote", r: 1 };
        let envelope = Envelope::seal(&key, Vote::DOMAIN, &MESH, &short).unwrap();
        assert!(envelope.open::<Vote>(Vote::DOMAIN, &MESH, 64).is_ok(), "serde would let it pass");
        assert!(cbor::decode::<SignedVote>(&envelope.encode().unwrap(), Limits::new(512)).is_err());
    }

    #[test]
    fn a_vote_is_no_proposal() {
        let key = NodeKey::from_seed(&[1; 32]);
        let bytes = cbor::encode(&Signed::sign(&key, &MESH, largest()).unwrap()).unwrap();
        assert!(cbor::decode::<SignedVote>(&bytes, Limits::new(512)).is_err());
        assert!(cbor::decode::<SignedProposal>(&bytes, Limits::new(512)).is_ok());
    }
}
