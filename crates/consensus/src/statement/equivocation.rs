//! Evidence of equivocation: two statements of one validator that contradict each other.
//!
//! An honest validator signs one statement at each [`Position`], whatever crashes. Two different
//! ones with valid signatures therefore prove a fault of the key's holder to everyone who knows the mesh id;
//! nothing else has to be known, and only that key can make them.
//!
//! **Amnesia**: a validator that precommits a block is locked on it, and forgets that. As a *proposer* it is guilty by two
//! statements: who precommitted a block in a round saw its polka there, and proposes from then on what has a polka of that
//! round or a later one. A proposal of another block, with an earlier polka or none, is a fault whatever it saw. A *prevote* for
//! another block is no evidence: it is right when a polka for the other block was seen in between, and a prevote does not
//! name that polka. That there was none cannot be shown with signatures: the accused would have to be asked.
//!
//! Hazard: a pair that was made or decoded is well-formed at most; [`Equivocation::verify`] checks the signatures.

use nervure_primitives::{
    MeshId, NodeId, SignatureError,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{Position, SignedProposal, SignedStatement, SignedVote, Statement, VoteKind};

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
    /// A precommit of a block, and a proposal of another one in a later round, with no polka since.
    Amnesia(SignedVote, SignedProposal),
}

/// The encoding of [`Equivocation`], before its form is checked.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Pair {
    #[serde(rename = "votes")]
    Votes(SignedVote, SignedVote),
    #[serde(rename = "proposals")]
    Proposals(SignedProposal, SignedProposal),
    #[serde(rename = "amnesia")]
    Amnesia(SignedVote, SignedProposal),
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
    /// The proposal does not forget the precommit.
    #[error("the proposal does not contradict the precommit")]
    Lock,
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

    /// Evidence of a proposal that forgets a precommit.
    ///
    /// # Errors
    /// When it does not.
    pub fn amnesia(precommit: SignedVote, proposal: SignedProposal) -> Result<Self, EquivocationError> {
        Self::Amnesia(precommit, proposal).well_formed()
    }

    /// The key that signed both.
    pub const fn culprit(&self) -> NodeId {
        match self {
            Self::Votes(vote, _) | Self::Amnesia(vote, _) => vote.signer,
            Self::Proposals(proposal, _) => proposal.signer,
        }
    }

    /// Where both were signed, or the later of the two.
    pub fn position(&self) -> Position {
        match self {
            Self::Votes(vote, _) => vote.statement.position(),
            Self::Proposals(proposal, _) | Self::Amnesia(_, proposal) => proposal.statement.position(),
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
            Self::Amnesia(vote, proposal) => {
                verify(&[vote], mesh)?;
                verify(&[proposal], mesh)
            }
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
            Self::Amnesia(vote, proposal) => forgets(&vote, &proposal)?,
        }
        Ok(self)
    }
}

impl From<Equivocation> for Pair {
    fn from(pair: Equivocation) -> Self {
        match pair {
            Equivocation::Votes(one, other) => Self::Votes(one, other),
            Equivocation::Proposals(one, other) => Self::Proposals(one, other),
            Equivocation::Amnesia(vote, proposal) => Self::Amnesia(vote, proposal),
        }
    }
}

impl TryFrom<Pair> for Equivocation {
    type Error = EquivocationError;

    fn try_from(pair: Pair) -> Result<Self, EquivocationError> {
        match pair {
            Pair::Votes(one, other) => Self::Votes(one, other),
            Pair::Proposals(one, other) => Self::Proposals(one, other),
            Pair::Amnesia(vote, proposal) => Self::Amnesia(vote, proposal),
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

/// Whether a proposal forgets what its signer was locked on. A polka of the round of the precommit itself is no proof: with
/// equivocators, there may be two.
fn forgets(vote: &SignedVote, proposal: &SignedProposal) -> Result<(), EquivocationError> {
    if vote.signer != proposal.signer {
        return Err(EquivocationError::Signers);
    }
    let (locked, proposed) = (&vote.statement, &proposal.statement);
    if locked.height != proposed.height || locked.round >= proposed.round {
        return Err(EquivocationError::Positions);
    }
    let is_locked =
        locked.kind == VoteKind::Precommit && locked.value.is_some_and(|value| value != proposed.value);
    match is_locked && proposed.valid_round.is_none_or(|polka| polka < locked.round) {
        true => Ok(()),
        false => Err(EquivocationError::Lock),
    }
}

fn verify<T: Statement>(pair: &[SignedStatement<T>], mesh: &MeshId) -> Result<(), EquivocationError> {
    pair.iter().try_for_each(|signed| Ok(signed.verify(mesh)?))
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{BlockHeight, Hash, NodeKey};
    use proptest::prelude::*;

    use super::*;
    use crate::statement::{Proposal, Round, Vote};

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

    fn later(round: u32, value: u8, valid_round: Option<u32>) -> SignedProposal {
        let (value, valid_round) = (Hash::from_bytes([value; 32]), valid_round.map(Round));
        let proposal = Proposal { height: BlockHeight(5), round: Round(round), value, valid_round };
        SignedStatement::sign(&NodeKey::from_seed(&[1; 32]), &MESH, proposal).unwrap()
    }

    #[test]
    fn a_proposal_that_forgets_a_precommit_is_evidence_and_no_other_is() {
        let locked = vote(1, 3, Some(7));
        for polka in [None, Some(0), Some(2)] {
            let forgetful = later(5, 8, polka);
            let evidence = Equivocation::amnesia(locked, forgetful).unwrap();
            assert_eq!(evidence.verify(&MESH), Ok(()));
            assert_eq!(evidence.position(), forgetful.statement.position());
            let bytes = evidence.encode().unwrap();
            assert!(bytes.len() <= MAX_EQUIVOCATION_BYTES);
            assert_eq!(Equivocation::decode(&bytes), Ok(evidence));
        }
        let why = |vote, proposal| Equivocation::amnesia(vote, proposal).unwrap_err();
        // The same block, a polka since, a nil vote, a prevote, an earlier round, another validator or height.
        assert_eq!(why(locked, later(5, 7, None)), EquivocationError::Lock);
        assert_eq!(why(locked, later(5, 8, Some(3))), EquivocationError::Lock);
        assert_eq!(why(locked, later(5, 8, Some(4))), EquivocationError::Lock);
        assert_eq!(why(vote(1, 3, None), later(5, 8, None)), EquivocationError::Lock);
        let prevote = Vote { kind: VoteKind::Prevote, ..locked.statement };
        let prevote = SignedStatement { statement: prevote, ..locked };
        assert_eq!(why(prevote, later(5, 8, None)), EquivocationError::Lock);
        assert_eq!(why(locked, later(3, 8, None)), EquivocationError::Positions);
        assert_eq!(why(locked, later(2, 8, None)), EquivocationError::Positions);
        assert_eq!(why(vote(2, 3, Some(7)), later(5, 8, None)), EquivocationError::Signers);
        assert_eq!(why(locked, proposal(8, None)), EquivocationError::Positions);
        let forged = SignedStatement { signature: locked.signature, ..later(5, 8, None) };
        let forged = Equivocation::amnesia(locked, forged).unwrap();
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
