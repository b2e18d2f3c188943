//! Blocks, and what applying one reports.

use nervure_primitives::{
    Amount, BlockHeight, Envelope, Hash, Netuid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::transaction::{Outcome, Refusal};

/// Most transactions of a block.
pub const MAX_TRANSACTIONS: usize = 10_000;

/// Largest encoding of a block in bytes.
pub const MAX_BLOCK_LEN: usize = 4 << 20;

/// Signed transactions in their order, at a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// One more than that of the block before it.
    pub height: BlockHeight,
    /// Sealed [`crate::transaction::Transaction`]s.
    pub transactions: Vec<Envelope>,
}

impl Block {
    /// Its canonical bytes.
    ///
    /// # Errors
    /// [`CborError::TooLarge`] for a block that nobody would decode.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        let bytes = cbor::encode(self)?;
        if bytes.len() > MAX_BLOCK_LEN {
            return Err(CborError::TooLarge { limit: MAX_BLOCK_LEN, actual: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads a block. No signature is verified yet: that happens when it is applied.
    ///
    /// # Errors
    /// When `bytes` are too many or not the canonical form of a block.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_BLOCK_LEN))
    }
}

/// Something that a block did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A transaction was carried out.
    Applied {
        /// The id of its envelope.
        id: Hash,
        /// What it did.
        outcome: Outcome,
    },
    /// A transaction was refused and left no trace.
    Refused {
        /// The id of its envelope.
        id: Hash,
        /// Why.
        refusal: Refusal,
    },
    /// A subnet's epoch was computed and paid.
    Epoch {
        /// The subnet.
        netuid: Netuid,
        /// The number of its epoch, from 0.
        epoch: u64,
        /// What owner, miners and stakers got; the rest of the pot waits for the next epoch.
        paid: Amount,
    },
    /// A subnet's epoch could not be computed; its pot waits for the next one.
    EpochFailed {
        /// The subnet.
        netuid: Netuid,
        /// Why: what the ledger stores should never lead to this.
        why: String,
    },
}

/// Why a block as a whole cannot follow a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Not the next height.
    #[error("block {given} cannot follow: block {expected} is next")]
    Height {
        /// The height that comes next.
        expected: BlockHeight,
        /// The height of the block.
        given: BlockHeight,
    },
    /// More than [`MAX_TRANSACTIONS`].
    #[error("{count} transactions are more than the {MAX_TRANSACTIONS} of a block")]
    TooManyTransactions {
        /// How many it has.
        count: usize,
    },
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{MeshId, NodeId, NodeKey};
    use proptest::prelude::*;

    use super::*;
    use crate::transaction::{Call, Transaction, Transfer};

    fn block() -> Block {
        let transfer = Transfer { to: NodeId::from_bytes([1; 32]), amount: Amount::from_base_units(5) };
        let call = Call::Transfer(transfer);
        let transaction =
            Transaction { nonce: 0, fee: Amount::from_base_units(9), expiry: BlockHeight(7), call };
        let key = NodeKey::from_seed(&[3; 32]);
        let envelope = transaction.seal(&key, &MeshId::from_bytes([2; 32])).unwrap();
        Block { height: BlockHeight(4), transactions: vec![envelope.clone(), envelope] }
    }

    #[test]
    fn blocks_round_trip_and_large_ones_are_refused_before_decoding() {
        let bytes = block().encode().unwrap();
        assert_eq!(Block::decode(&bytes), Ok(block()));
        let large = vec![0; MAX_BLOCK_LEN + 1];
        assert!(matches!(Block::decode(&large), Err(CborError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn what_decodes_is_canonical(at: usize, to: u8) {
            let mut bytes = block().encode().unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(decoded) = Block::decode(&bytes) {
                prop_assert_eq!(decoded.encode().unwrap(), bytes);
            }
        }
    }
}
