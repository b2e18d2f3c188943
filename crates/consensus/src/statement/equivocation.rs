//! Evidence of equivocation: two statements of one validator that contradict each other.
//!
//! An honest validator signs one statement at each [`Position`], whatever crashes. Two different
//! ones with valid signatures therefore prove a fault of the key's holder to everyone who knows the mesh id;
//! nothing else has to be known, and only that key can make them.
//!
//! **Amnesia** (a validator precommits a block and prevotes another one in a later round, although it is locked) is no
//! evidence here. Such a prevote is right when a polka for the other block was seen in between, and a prevote does not
//! name that polka. That there was none cannot be shown with signatures: the accused would have to be asked.
//!
//! Hazard: a pair that was made or decoded is well-formed at most; [`Equivocation::verify`] checks the signatures.

use nervure_primitives::{
    MeshId, NodeId, SignatureError,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{Position, SignedProposal, SignedStatement, SignedVote, Statement};

/// Largest encoding of evidence in bytes: two statements, each at most 320 bytes with its signature, and their frame.
pub const MAX_EQUIVOCATION_BYTES: usize = 704;

/// Evidence of equivocation: two conflicting statements signed by one validator. The statement with the lower encoding
/// comes first, so that a pair has one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Pair", into = "Pair")]
pub enum Equivocation {
    /// Two votes of one kind in one round.
    Votes(SignedVote, SignedVote),
    /// Two proposals in one round.
    Proposals(SignedProposal, SignedProposal),
}

/// The encoding of [`Equivocation`], before its form is checked.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Pair {
    #[serde(rename = "votes")]
    Votes(SignedVote, SignedVote),
    #[serde(rename = "proposals")]
    Proposals(SignedProposal, SignedProposal),
}

/// Why two statements are no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// Two validators signed them.
    #[error("the two statements are of different validators")]
    Signers,
    /// They are of different heights, rounds or steps, so that both may be right.
    #[error("the two statements are not of the same height, round and step")]
    Positions,
    /// They are the same, or in the wrong order.
    #[error("the two statements do not differ, or the one with the lower encoding is not the first")]
    Order,
    /// A signature is invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Equivocation {
    /// Evidence of two votes, in either order.
    ///
    /// # Errors
    /// When they do not contradict each other.
    pub fn votes(one: SignedVote, other: SignedVote) -> Result<Self, EquivocationError> {
        let (first, second) = ordered(one, other);
        Self::Votes(first, second).well_formed()
    }

    /// Evidence of two proposals, in either order.
    ///
    /// # Errors
    /// When they do not contradict each other.
    pub fn proposals(one: SignedProposal, other: SignedProposal) -> Result<Self, EquivocationError> {
        let (first, second) = ordered(one, other);
        Self::Proposals(first, second).well_formed()
    }

    /// The key that signed both.
    pub const fn culprit(&self) -> NodeId {
        match self {
            Self::Votes(vote, _) => vote.signer,
            Self::Proposals(proposal, _) => proposal.signer,
        }
    }

    /// Where both were signed.
    pub fn position(&self) -> Position {
        match self {
            Self::Votes(vote, _) => vote.statement.position(),
            Self::Proposals(proposal, _) => proposal.statement.position(),
        }
    }

    /// Checks that both statements contradict each other and that their signer signed them for `mesh`.
    ///
    /// # Errors
    /// When it is no evidence. The form is checked before any signature.
    pub fn verify(&self, mesh: &MeshId) -> Result<(), EquivocationError> {
        match self.well_formed()? {
            Self::Votes(one, other) => verify(&[one, other], mesh),
            Self::Proposals(one, other) => verify(&[one, other], mesh),
        }
    }

    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice: statements always encode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads evidence and checks its form; verifies no signature.
    ///
    /// # Errors
    /// When `bytes` are too many, not canonical, or two statements that do not contradict each other.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_EQUIVOCATION_BYTES))
    }

    fn well_formed(self) -> Result<Self, EquivocationError> {
        match self {
            Self::Votes(one, other) => contradict(&one, &other)?,
            Self::Proposals(one, other) => contradict(&one, &other)?,
        }
        Ok(self)
    }
}

impl From<Equivocation> for Pair {
    fn from(pair: Equivocation) -> Self {
        match pair {
            Equivocation::Votes(one, other) => Self::Votes(one, other),
            Equivocation::Proposals(one, other) => Self::Proposals(one, other),
        }
    }
}

impl TryFrom<Pair> for Equivocation {
    type Error = EquivocationError;

    fn try_from(pair: Pair) -> Result<Self, EquivocationError> {
        match pair {
            Pair::Votes(one, other) => Self::Votes(one, other),
            Pair::Proposals(one, other) => Self::Proposals(one, other),
        }
        .well_formed()
    }
}

/// The statement's bytes, by which the two are ordered.
fn body<T: Statement>(signed: &SignedStatement<T>) -> Vec<u8> {
    // Statements always encode; if one did not, the pair would be refused for its order.
    cbor::encode(&signed.statement).unwrap_or_default()
}

fn ordered<T: Statement>(
    one: SignedStatement<T>,
    other: SignedStatement<T>,
) -> (SignedStatement<T>, SignedStatement<T>) {
    if body(&one) <= body(&other) { (one, other) } else { (other, one) }
}

fn contradict<T: Statement>(
    one: &SignedStatement<T>,
    other: &SignedStatement<T>,
) -> Result<(), EquivocationError> {
    if one.signer != other.signer {
        return Err(EquivocationError::Signers);
    }
    if one.statement.position() != other.statement.position() {
        return Err(EquivocationError::Positions);
    }
    if body(one) < body(other) { Ok(()) } else { Err(EquivocationError::Order) }
}

fn verify<T: Statement>(pair: &[SignedStatement<T>], mesh: &MeshId) -> Result<(), EquivocationError> {
    pair.iter().try_for_each(|signed| Ok(signed.verify(mesh)?))
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{BlockHeight, Hash, NodeKey};
    use proptest::prelude::*;

    use super::*;
    use crate::statement::{Proposal, Round, Vote, VoteKind};

    const MESH: MeshId = MeshId::from_bytes([3; 32]);

    fn vote(seed: u8, round: u32, value: Option<u8>) -> SignedVote {
        let value = value.map(|value| Hash::from_bytes([value; 32]));
        let vote = Vote { height: BlockHeight(5), round: Round(round), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&NodeKey::from_seed(&[seed; 32]), &MESH, vote).unwrap()
    }

    fn proposal(value: u8, valid_round: Option<u32>) -> SignedProposal {
        let valid_round = valid_round.map(Round);
        let value = Hash::from_bytes([value; 32]);
        let proposal = Proposal { height: BlockHeight(u64::MAX), round: Round(u32::MAX), value, valid_round };
        SignedStatement::sign(&NodeKey::from_seed(&[1; 32]), &MESH, proposal).unwrap()
    }

    #[test]
    fn two_contradictions_in_either_order_are_one_piece_of_evidence() {
        let (nil, block) = (vote(1, 0, None), vote(1, 0, Some(7)));
        let evidence = Equivocation::votes(nil, block).unwrap();
        assert_eq!(Equivocation::votes(block, nil), Ok(evidence));
        assert_eq!(evidence.verify(&MESH), Ok(()));
        assert_eq!((evidence.culprit(), evidence.position()), (nil.signer, nil.statement.position()));
        let (one, other) = (proposal(1, None), proposal(1, Some(3)));
        let evidence = Equivocation::proposals(other, one).unwrap();
        assert_eq!(evidence.verify(&MESH), Ok(()));
        let bytes = evidence.encode().unwrap();
        assert!(bytes.len() <= MAX_EQUIVOCATION_BYTES, "{}", bytes.len());
        assert_eq!(Equivocation::decode(&bytes), Ok(evidence));
    }

    #[test]
    fn what_may_both_be_right_is_no_evidence() {
        let one = vote(1, 0, Some(7));
        assert_eq!(Equivocation::votes(one, one), Err(EquivocationError::Order));
        assert_eq!(Equivocation::votes(one, vote(2, 0, Some(8))), Err(EquivocationError::Signers));
        assert_eq!(Equivocation::votes(one, vote(1, 1, Some(8))), Err(EquivocationError::Positions));
        let prevote = Vote { kind: VoteKind::Prevote, value: None, ..one.statement };
        let prevote = SignedStatement { statement: prevote, ..one };
        assert_eq!(Equivocation::votes(one, prevote), Err(EquivocationError::Positions));
        // Of another mesh, and with the signature of another key.
        let evidence = Equivocation::votes(one, vote(1, 0, None)).unwrap();
        let other = MeshId::from_bytes([4; 32]);
        assert!(matches!(evidence.verify(&other), Err(EquivocationError::Signature(_))));
        let forged = SignedStatement { signer: one.signer, ..vote(2, 0, Some(8)) };
        let forged = Equivocation::votes(one, forged).unwrap();
        assert!(matches!(forged.verify(&MESH), Err(EquivocationError::Signature(_))));
    }

    #[test]
    fn only_the_right_order_decodes() {
        let (one, other) = (vote(1, 0, None), vote(1, 0, Some(7)));
        let Ok(Equivocation::Votes(first, second)) = Equivocation::votes(one, other) else {
            panic!("no evidence")
        };
        for (pair, valid) in [((first, second), true), ((second, first), false), ((first, first), false)] {
            let bytes = cbor::encode(&Pair::Votes(pair.0, pair.1)).unwrap();
            assert_eq!(Equivocation::decode(&bytes).is_ok(), valid);
        }
        assert!(Equivocation::decode(&[0; MAX_EQUIVOCATION_BYTES + 1]).is_err());
    }

    /// The bytes are part of transactions in blocks.
    #[test]
    fn the_encoding_is_frozen() {
        let evidence = Equivocation::votes(vote(1, 2, None), vote(1, 2, Some(7))).unwrap();
        let id = Hash::of("test", &[&evidence.encode().unwrap()]);
        assert_eq!(id.to_string(), "c98a6596c2a24d4d79dbd5f07eeb869b14afcac40ada493cd3b00deb4a310abf");
    }

    proptest! {
        #[test]
        fn no_bytes_have_two_meanings(at: prop::sample::Index, to: u8) {
            let evidence = Equivocation::votes(vote(1, 2, None), vote(1, 2, Some(7))).unwrap();
            let mut bytes = evidence.encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(decoded) = Equivocation::decode(&bytes) {
                prop_assert_eq!(decoded.encode().unwrap(), bytes);
                prop_assert!(decoded == evidence || decoded.verify(&MESH).is_err());
            }
        }
    }
}
