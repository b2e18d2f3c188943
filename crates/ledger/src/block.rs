//! Blocks, and what applying one reports.

use nervure_consensus::yuma::YumaError;
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, Netuid};
use serde::{Deserialize, Serialize};

use crate::transaction::{Outcome, Refusal};

/// Most transactions of a block.
pub const MAX_TRANSACTIONS: usize = 10_000;

/// Signed transactions in their order, at a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// One more than that of the block before it.
    pub height: BlockHeight,
    /// Sealed [`crate::transaction::Transaction`]s.
    pub transactions: Vec<Envelope>,
}

/// Something that a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        error: YumaError,
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
