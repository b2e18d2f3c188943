//! Receipts: a miner's signed proof of what it answered.
//!
//! A receipt names both nodes, the query, the request and the answer. It proves that the miner gave that answer to
//! that request. Its times are the miner's own claim and prove nothing.
//!
//! Hazard: [`SignedReceipt::verify`] proves who signed, not that the receipt is for a query of the receiver. The
//! receiver compares it with the query that it sent.

use nervure_primitives::{
    Envelope, EnvelopeError, Hash, Hasher, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
};
use serde::{Deserialize, Serialize};

use crate::{
    bounds::{MAX_ANSWER_MS, MAX_RECEIPT_LEN},
    domains,
};

/// What a miner answered to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The subnet of the query.
    pub netuid: Netuid,
    /// The node that asked.
    pub asker: NodeId,
    /// The node that answered.
    pub miner: NodeId,
    /// The asker's unique name for the query.
    pub query: Hash,
    /// The [`request_hash`].
    pub request: Hash,
    /// The hash of the answer, by an [`AnswerHasher`].
    pub answer: Hash,
    /// When the miner had the whole request, by its clock.
    pub received_at: UnixMillis,
    /// Milliseconds from then to the end of the answer.
    pub took_ms: u32,
}

/// Why a receipt is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a signed receipt of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the miner that it names.
    #[error("signed by another node than the miner that it names")]
    NotItsOwn,
    /// A field out of its bounds.
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
}

/// The hash of a request in a receipt: of the query's name and the request's bytes on the wire.
pub fn request_hash(query: &Hash, body: &[u8]) -> Hash {
    Hash::of(domains::REQUEST, &[query.as_bytes(), body])
}

/// The hash of an answer in a receipt: of its chunks' bytes on the wire, each with its length.
#[derive(Clone, Debug)]
pub struct AnswerHasher(Hasher);

impl Default for AnswerHasher {
    /// The hash of no chunks yet.
    fn default() -> Self {
        Self(Hasher::new(domains::ANSWER))
    }
}

impl AnswerHasher {
    /// Adds a chunk.
    pub fn chunk(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }

    /// The hash of all chunks.
    pub fn finish(self) -> Hash {
        self.0.finish()
    }
}

/// A receipt whose signature was verified, and the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    receipt: Receipt,
    bytes: Vec<u8>,
}

impl SignedReceipt {
    /// Signs `receipt`.
    ///
    /// # Errors
    /// When a field is out of its bounds.
    pub fn sign(key: &NodeKey, mesh: &MeshId, receipt: Receipt) -> Result<Self, ReceiptError> {
        receipt.check()?;
        let bytes = Envelope::seal(key, domains::RECEIPT, mesh, &receipt)?.encode()?;
        Ok(Self { receipt, bytes })
    }

    /// Verifies that the miner that a receipt names signed it.
    ///
    /// # Errors
    /// When it is not a receipt, out of bounds, or signed by another node.
    pub fn verify(bytes: &[u8], mesh: &MeshId) -> Result<Self, ReceiptError> {
        let envelope = Envelope::decode(bytes, MAX_RECEIPT_LEN)?;
        let receipt: Receipt = envelope.open(domains::RECEIPT, mesh, MAX_RECEIPT_LEN)?;
        if envelope.signer() != receipt.miner {
            return Err(ReceiptError::NotItsOwn);
        }
        receipt.check()?;
        Ok(Self { receipt, bytes: bytes.to_vec() })
    }

    /// The receipt.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Receipt {
    fn check(&self) -> Result<(), ReceiptError> {
        match self.took_ms <= MAX_ANSWER_MS {
            true => Ok(()),
            false => Err(ReceiptError::OutOfBounds("took_ms")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MESH, NOW, key};

    fn receipt() -> Receipt {
        Receipt {
            netuid: Netuid(1),
            asker: key(1).node_id(),
            miner: key(2).node_id(),
            query: Hash::of("q", &[]),
            request: Hash::of("r", &[]),
            answer: Hash::of("a", &[]),
            received_at: NOW,
            took_ms: 5,
        }
    }

    #[test]
    fn refuses_a_receipt_of_another_signer() {
        let signed = SignedReceipt::sign(&key(2), &MESH, receipt()).unwrap();
        assert_eq!(SignedReceipt::verify(signed.bytes(), &MESH), Ok(signed.clone()));
        let forged = SignedReceipt::sign(&key(3), &MESH, receipt()).unwrap();
        assert_eq!(SignedReceipt::verify(forged.bytes(), &MESH), Err(ReceiptError::NotItsOwn));
        let elsewhere = SignedReceipt::verify(signed.bytes(), &MeshId::from_bytes([9; 32]));
        assert!(matches!(elsewhere, Err(ReceiptError::Envelope(EnvelopeError::Signature(_)))));
    }

    #[test]
    fn fields_are_bounded_and_the_largest_fits() {
        let long = Receipt { took_ms: MAX_ANSWER_MS + 1, ..receipt() };
        assert_eq!(SignedReceipt::sign(&key(2), &MESH, long), Err(ReceiptError::OutOfBounds("took_ms")));
        let largest = Receipt {
            netuid: Netuid(u16::MAX),
            received_at: UnixMillis(u64::MAX),
            took_ms: MAX_ANSWER_MS,
            ..receipt()
        };
        let signed = SignedReceipt::sign(&key(2), &MESH, largest).unwrap();
        assert!(SignedReceipt::verify(signed.bytes(), &MESH).is_ok());
    }

    #[test]
    fn the_hash_of_an_answer_depends_on_where_its_chunks_end() {
        let hash = |chunks: &[&[u8]]| {
            let mut hasher = AnswerHasher::default();
            chunks.iter().for_each(|chunk| hasher.chunk(chunk));
            hasher.finish()
        };
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[]), hash(&[b""]));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedReceipt::verify(&bytes, &MESH).is_err());
        }
    }
}
