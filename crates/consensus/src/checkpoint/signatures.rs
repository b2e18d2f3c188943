//! Signatures of several validators under one statement, sorted by signer.
//!
//! A list is sorted and without repetition, so that one set of signatures has one encoding and no
//! signer counts twice. It has at most [`MAX_VALIDATORS`] entries, which bounds its verification.

use nervure_primitives::{NodeId, Signature};
use serde::{Deserialize, Serialize};

use super::MAX_VALIDATORS;

/// Signatures by different validators, sorted by signer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(NodeId, Signature)>", into = "Vec<(NodeId, Signature)>")]
pub struct SignatureList(Vec<(NodeId, Signature)>);

/// Why signatures are not a valid list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureListError {
    /// More than [`MAX_VALIDATORS`].
    #[error("{0} signatures are more than the {MAX_VALIDATORS} that a validator set can make")]
    TooMany(usize),
    /// A signer repeated or out of order.
    #[error("the signature of {0} is repeated or out of order")]
    Unsorted(NodeId),
}

impl SignatureList {
    /// Sorts `signatures` and keeps the first of each signer.
    ///
    /// # Errors
    /// When that leaves more than [`MAX_VALIDATORS`].
    pub fn collect(
        signatures: impl IntoIterator<Item = (NodeId, Signature)>,
    ) -> Result<Self, SignatureListError> {
        let mut list: Vec<_> = signatures.into_iter().collect();
        // A stable sort: `dedup` then keeps the first signature of a signer that was collected.
        list.sort_by_key(|(signer, _)| *signer);
        list.dedup_by_key(|(signer, _)| *signer);
        Self::try_from(list)
    }

    /// The signers with their signatures, sorted by signer.
    pub fn iter(&self) -> impl Iterator<Item = &(NodeId, Signature)> {
        self.0.iter()
    }

    /// The number of signatures.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list has no signatures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The signature of `signer`, if it signed.
    pub fn of(&self, signer: &NodeId) -> Option<&Signature> {
        let at = self.0.binary_search_by_key(signer, |(signer, _)| *signer).ok()?;
        self.0.get(at).map(|(_, signature)| signature)
    }
}

impl TryFrom<Vec<(NodeId, Signature)>> for SignatureList {
    type Error = SignatureListError;

    fn try_from(list: Vec<(NodeId, Signature)>) -> Result<Self, SignatureListError> {
        if list.len() > MAX_VALIDATORS {
            return Err(SignatureListError::TooMany(list.len()));
        }
        // Equality is refused as well as disorder: a signer that is listed twice would count twice.
        match list.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            Some(pair) => Err(SignatureListError::Unsorted(pair[1].0)),
            None => Ok(Self(list)),
        }
    }
}

impl From<SignatureList> for Vec<(NodeId, Signature)> {
    fn from(list: SignatureList) -> Self {
        list.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(byte: u8) -> (NodeId, Signature) {
        (NodeId::from_bytes([byte; 32]), Signature::from_bytes([byte; 64]))
    }

    #[test]
    fn lists_are_sorted_with_one_signature_per_signer() {
        let list = SignatureList::collect([by(2), by(1), by(2)]).unwrap();
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [by(1), by(2)]);
        assert_eq!((list.of(&by(1).0), list.of(&by(3).0)), (Some(&by(1).1), None));
        assert_eq!(SignatureList::try_from(vec![by(1), by(1)]), Err(SignatureListError::Unsorted(by(1).0)));
        assert_eq!(SignatureList::try_from(vec![by(2), by(1)]), Err(SignatureListError::Unsorted(by(1).0)));
        assert!(SignatureList::collect((0..=64).map(by)).is_err());
    }
}
