//! That a record is, or is not, in the state with a given root.

use jmt::{RootHash, proof::SparseMerkleProof};
use nervure_primitives::{Hash, cbor};
use serde::{Deserialize, Serialize};

use super::{
    hasher::TreeHasher,
    place,
    record::{Key, Record},
};

/// Largest encoding of a proof in bytes: 256 steps of 33 to 65 bytes, and the leaf.
pub const MAX_PROOF_LEN: usize = 20 * 1024;

/// Why a proof is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Too large, or not a proof at all.
    #[error("not a proof: {0}")]
    Malformed(String),
    /// A proof, but not of this record under this root.
    #[error("the proof does not lead from this record to this root: {0}")]
    Wrong(String),
}

/// A way from a place in the state tree to its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateProof {
    /// The encoding of the tree's own proof.
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

impl StateProof {
    pub(super) fn new(proof: SparseMerkleProof<TreeHasher>) -> Self {
        // Writing to memory cannot fail; an empty proof verifies nothing.
        Self { bytes: borsh::to_vec(&proof).unwrap_or_default() }
    }

    /// Checks that `record` is in the state with this `root`.
    ///
    /// # Errors
    /// When the proof does not show that.
    pub fn verify(&self, root: &Hash, record: &Record) -> Result<(), ProofError> {
        // The value is encoded here and not taken from the peer: the leaf's hash is over canonical bytes.
        let value = cbor::encode(record).map_err(|error| ProofError::Malformed(error.to_string()))?;
        self.check(root, &record.key(), Some(value))
    }

    /// Checks that the state with this `root` has no record of `key`.
    ///
    /// # Errors
    /// When the proof does not show that.
    pub fn verify_absence(&self, root: &Hash, key: &Key) -> Result<(), ProofError> {
        self.check(root, key, None)
    }

    fn check(&self, root: &Hash, key: &Key, value: Option<Vec<u8>>) -> Result<(), ProofError> {
        // Before decoding: the bytes come from a peer.
        if self.bytes.len() > MAX_PROOF_LEN {
            return Err(ProofError::Malformed(format!("{} bytes are too many", self.bytes.len())));
        }
        let proof: SparseMerkleProof<TreeHasher> =
            borsh::from_slice(&self.bytes).map_err(|error| ProofError::Malformed(error.to_string()))?;
        proof
            .verify(RootHash(*root.as_bytes()), place(key), value)
            .map_err(|error| ProofError::Wrong(error.to_string()))
    }
}
