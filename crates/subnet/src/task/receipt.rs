//! Receipts: a miner's signed word on what it answered to whom.
//!
//! A receipt names both nodes, the query, the request and the answer. It proves that the miner gave that answer to
//! that request; what it says about time is the miner's own view, and proves nothing.
//!
//! Hazard: [`SignedReceipt::verify`] proves who signed, not that the receipt is for what one asked: that is settled
//! by [`Outstanding`](super::Outstanding).

use nervure_primitives::{
    Domain, Envelope, EnvelopeError, Hash, Hasher, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
};
use serde::{Deserialize, Serialize};

/// Largest receipt, in bytes, without its signature.
pub const MAX_RECEIPT_LEN: usize = 512;

/// Longest time that a receipt may claim for an answer, in milliseconds: ten minutes, as a query may take at most.
const MAX_TOOK_MS: u32 = 600_000;

/// What a receipt's signature is for.
const DOMAIN: Domain = Domain::new("nervure/receipt/1");

/// What a miner says about an answer of its.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// In which subnet it was asked.
    pub netuid: Netuid,
    /// By whom.
    pub asker: NodeId,
    /// Who answered.
    pub miner: NodeId,
    /// What the asker calls the query; it gives no two the same name.
    pub query: Hash,
    /// What was asked: see [`request_hash`].
    pub request: Hash,
    /// What was answered: see [`AnswerHasher`].
    pub answer: Hash,
    /// When the miner had the whole request, by its clock.
    pub received_at: UnixMillis,
    /// Milliseconds from then to the end of the answer.
    pub took_ms: u32,
}

/// Why a receipt is not accepted.
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
    /// For no query that waits for one: never asked, settled already, or given up.
    #[error("no query waits for this receipt")]
    NoSuchQuery,
    /// For a query, but not as it was asked.
    #[error("the receipt has another {0} than the query")]
    Differs(&'static str),
    /// It claims times that cannot be.
    #[error("the receipt claims a time that cannot be")]
    ImpossibleTime,
    /// A query of this name waits already.
    #[error("a query of this name waits already")]
    NameTaken,
    /// Too many queries wait already.
    #[error("too many queries wait for receipts")]
    Full,
}

/// What a receipt calls a request: the hash of the query's name and the request as it went over the wire.
pub fn request_hash(query: &Hash, body: &[u8]) -> Hash {
    Hash::of("nervure/request", &[query.as_bytes(), body])
}

/// What a receipt calls an answer: the hash of its chunks as they went over the wire, each with its length.
#[derive(Clone, Debug)]
pub struct AnswerHasher(Hasher);

impl Default for AnswerHasher {
    /// The hash of no chunks yet.
    fn default() -> Self {
        Self(Hasher::new("nervure/answer"))
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
        let bytes = Envelope::seal(key, DOMAIN, mesh, &receipt)?.encode()?;
        Ok(Self { receipt, bytes })
    }

    /// Verifies that the miner that a receipt names signed it, as anybody can who is shown one.
    ///
    /// # Errors
    /// When it is no receipt, out of bounds, or signed by somebody else.
    pub fn verify(bytes: &[u8], mesh: &MeshId) -> Result<Self, ReceiptError> {
        let envelope = Envelope::decode(bytes, MAX_RECEIPT_LEN)?;
        let receipt: Receipt = envelope.open(DOMAIN, mesh, MAX_RECEIPT_LEN)?;
        if envelope.signer() != receipt.miner {
            return Err(ReceiptError::NotItsOwn);
        }
        receipt.check()?;
        Ok(Self { receipt, bytes: bytes.to_vec() })
    }

    /// What it says.
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
        match self.took_ms <= MAX_TOOK_MS {
            true => Ok(()),
            false => Err(ReceiptError::OutOfBounds("took_ms")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{MESH, NOW, key};

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
    fn only_the_miner_signs_its_receipts() {
        let signed = SignedReceipt::sign(&key(2), &MESH, receipt()).unwrap();
        assert_eq!(SignedReceipt::verify(signed.bytes(), &MESH), Ok(signed.clone()));
        let forged = SignedReceipt::sign(&key(3), &MESH, receipt()).unwrap();
        assert_eq!(SignedReceipt::verify(forged.bytes(), &MESH), Err(ReceiptError::NotItsOwn));
        let elsewhere = SignedReceipt::verify(signed.bytes(), &MeshId::from_bytes([9; 32]));
        assert!(matches!(elsewhere, Err(ReceiptError::Envelope(EnvelopeError::Signature(_)))));
    }

    #[test]
    fn fields_are_bounded_and_the_largest_fits() {
        let long = Receipt { took_ms: MAX_TOOK_MS + 1, ..receipt() };
        assert_eq!(SignedReceipt::sign(&key(2), &MESH, long), Err(ReceiptError::OutOfBounds("took_ms")));
        let largest = Receipt {
            netuid: Netuid(u16::MAX),
            received_at: UnixMillis(u64::MAX),
            took_ms: MAX_TOOK_MS,
            ..receipt()
        };
        let signed = SignedReceipt::sign(&key(2), &MESH, largest).unwrap();
        assert!(SignedReceipt::verify(signed.bytes(), &MESH).is_ok());
    }

    #[test]
    fn the_wire_is_frozen() {
        let signed = SignedReceipt::sign(
            &key(2),
            &MESH,
            Receipt {
                answer: AnswerHasher::default().finish(),
                request: request_hash(&Hash::of("q", &[]), b"r"),
                ..receipt()
            },
        )
        .unwrap();
        assert_eq!(
            Hash::of("frozen", &[signed.bytes()]).to_string(),
            "518ae8698fe779f39f5dadfba6c37e648d2b6dc352cb87b0639fabc2c31348df"
        );
    }

    #[test]
    fn where_chunks_end_matters() {
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
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedReceipt::verify(&bytes, &MESH).is_err());
        }
    }
}
