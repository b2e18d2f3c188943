//! A block with everything that proves it: header, certificate, and the validators of its height and of the next one.
//!
//! Tendermint calls this a light block. Every block with a certificate has this form; those that end an epoch are the mesh's
//! *checkpoints*: their state has new metagraph roots. Stores keep its parts, nodes serve it, and a light client verifies it.

use nervure_consensus::checkpoint::{CommitCertificate, MAX_CERTIFICATE_BYTES, MAX_VALIDATORS, ValidatorSet};
use nervure_primitives::{
    BlockHeight,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::block::{Header, MAX_HEADER_LEN};

/// Largest encoding of a validator set in bytes: 34 of id, 9 of power, 7 around them, each.
const MAX_VALIDATORS_LEN: usize = MAX_VALIDATORS * 50 + 16;

/// Largest encoding of a checkpoint in bytes.
pub const MAX_CHECKPOINT_LEN: usize = MAX_HEADER_LEN + MAX_CERTIFICATE_BYTES + 2 * MAX_VALIDATORS_LEN + 128;

/// A block's header, and what proves it. Decoding verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The header, which names the root of the state after the block.
    pub header: Header,
    /// Precommits of more than two thirds of the power.
    pub certificate: CommitCertificate,
    /// The validators that agreed on it.
    pub validators: ValidatorSet,
    /// The validators that agree on the next block; none when they are the same.
    pub next_validators: Option<ValidatorSet>,
}

impl Checkpoint {
    /// The block's height.
    pub fn height(&self) -> BlockHeight {
        self.header.height
    }

    /// The validators that agree on the next block.
    pub fn successors(&self) -> &ValidatorSet {
        self.next_validators.as_ref().unwrap_or(&self.validators)
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
        cbor::decode(bytes, Limits::new(MAX_CHECKPOINT_LEN))
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeId;

    use super::*;
    use crate::testing::Chain;

    #[test]
    fn the_largest_fits_its_bound_and_reads_back() {
        let mut chain = Chain::new(4);
        chain.grow(10);
        let mut largest = chain.checkpoint(10);
        assert_eq!(Checkpoint::decode(&largest.encode().unwrap()), Ok(largest.clone()));
        let many = (0..MAX_VALIDATORS as u8).map(|n| (NodeId::from_bytes([n; 32]), u64::MAX >> 8));
        let set = ValidatorSet::from_stakes(many).unwrap();
        (largest.validators, largest.next_validators) = (set.clone(), Some(set));
        let bytes = largest.encode().unwrap();
        assert!(bytes.len() < MAX_CHECKPOINT_LEN, "{}", bytes.len());
    }
}
