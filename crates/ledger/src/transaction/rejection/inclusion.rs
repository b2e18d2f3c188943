//! Why a transaction is not included in a block.

use nervure_primitives::{Amount, BlockHeight, UntrustedText};
use serde::{Deserialize, Serialize};

use super::MAX_REASON_BYTES;

/// Why a transaction is kept out of blocks, so that it pays nothing. A block that has one with such a fault is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InclusionRejection {
    /// Too large, not signed for this mesh by its signer, or not a transaction.
    #[error("not a signed transaction of this mesh: {why}")]
    Malformed {
        /// What is wrong with it.
        why: UntrustedText<MAX_REASON_BYTES>,
    },
    /// Its last valid height has passed.
    #[error("the transaction expired at block {expiry}")]
    Expired {
        /// Its last valid height.
        expiry: BlockHeight,
    },
    /// Not the signer's next nonce: applied before, or an earlier transaction is missing.
    #[error("the nonce is {given}, but the signer's next nonce is {expected}")]
    Nonce {
        /// The signer's next nonce.
        expected: u64,
        /// The transaction's nonce.
        given: u64,
    },
    /// Valid for too long.
    #[error("the transaction expires too far ahead: at most at block {last}")]
    ExpiryTooFar {
        /// The last block at which it may expire.
        last: BlockHeight,
    },
    /// A fee below what its weight costs now.
    #[error("its weight costs {least} tokens now, more than its fee")]
    Fee {
        /// What it costs.
        least: Amount,
    },
    /// A free transaction of a validator that has used its quota.
    #[error("all {most} free transactions of this validator are used")]
    LaneQuota {
        /// The quota.
        most: u16,
    },
    /// The block has no room for it.
    #[error("its weight is {weight}, but the block has only {left} left")]
    BlockFull {
        /// Its weight.
        weight: u64,
        /// What the block has left.
        left: u64,
    },
}

impl InclusionRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => {
                "sign it for this mesh, and encode it as docs/protocol/directory.md says of envelopes"
            }
            Self::Expired { .. } | Self::Nonce { .. } => {
                "another transaction of this key is pending: try again after the next block"
            }
            Self::ExpiryTooFar { .. } => "name an earlier expiry",
            Self::Fee { .. } => "raise --fee to at least that, or omit it",
            Self::LaneQuota { .. } => {
                "wait for the next epoch or election, or let the owner pay: --fee AMOUNT"
            }
            Self::BlockFull { .. } => "wait for the next block",
        }
    }
}
