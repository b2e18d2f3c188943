//! A record, or that there is none, with the proof of it: what a server hands to a client that trusts a root.

use nervure_primitives::{
    Hash,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{
    proof::{MAX_PROOF_LEN, ProofError, StateProof},
    record::{Key, MAX_RECORD_LEN, Record},
};

/// Largest encoding of a fact in bytes.
pub const MAX_FACT_LEN: usize = MAX_RECORD_LEN + MAX_PROOF_LEN + 64;

/// What a state says about one key. Nothing is verified until [`Fact::check`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    record: Option<Record>,
    proof: StateProof,
}

impl Fact {
    /// Of what [`StateTree::prove`](super::StateTree::prove) gave.
    pub fn new((record, proof): (Option<Record>, StateProof)) -> Self {
        Self { record, proof }
    }

    /// What the state with this `root` says about `key`: its record, or none.
    ///
    /// # Errors
    /// When the proof does not show that, or this is about another key.
    pub fn check(&self, root: &Hash, key: &Key) -> Result<Option<&Record>, ProofError> {
        match &self.record {
            None => self.proof.verify_absence(root, key)?,
            Some(record) if record.key() != *key => {
                return Err(ProofError::Wrong(format!("it is about {}, not about {key}", record.key())));
            }
            Some(record) => self.proof.verify(root, record)?,
        }
        Ok(self.record.as_ref())
    }

    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one; verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_FACT_LEN))
    }
}
