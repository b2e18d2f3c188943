//! Why the mempool does not accept a transaction.

use nervure_primitives::Amount;

use super::{MAX_BYTES_PER_PAYER, MAX_PER_PAYER};
use crate::transaction::{FundsRejection, InclusionRejection, NodeRejection, Rejection};

/// Why the mempool does not accept a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// It is pending already.
    #[error("the transaction is already in the mempool")]
    Known,
    /// No block could have it now.
    #[error(transparent)]
    Ledger(#[from] Rejection),
    /// Its nonce is too far ahead of the signer's next.
    #[error("the nonce is {given}, at least {most} ahead of the signer's next nonce, {expected}")]
    FarNonce {
        /// The signer's next nonce.
        expected: u64,
        /// The transaction's nonce.
        given: u64,
        /// How far ahead it must not be.
        most: u64,
    },
    /// Another transaction with the same nonce is pending, and this one does not pay enough more to replace it.
    #[error(
        "another transaction with this nonce is pending: replacing it requires a fee of {fee} and a tip of {tip} tokens"
    )]
    Underpriced {
        /// The fee that would replace it.
        fee: Amount,
        /// The tip that would replace it.
        tip: Amount,
    },
    /// The payer has too many pending transactions.
    #[error(
        "the payer already has {MAX_PER_PAYER} pending transactions, or {MAX_BYTES_PER_PAYER} bytes of them"
    )]
    PayerFull,
    /// The mempool is full, and this transaction does not tip more than those in it.
    #[error("the mempool is full: a tip above {least} tokens is required")]
    Full {
        /// The tip that would not be enough for a transaction of this weight.
        least: Amount,
    },
    /// The places of validators' free transactions are taken by those of validators with more stake, or the quota of this
    /// one is used by what is pending.
    #[error("the mempool has no room for another free transaction of this validator")]
    LaneFull,
}

impl MempoolError {
    /// Whether the sender is at fault: it is not a transaction of this mesh at all.
    pub fn blames_sender(&self) -> bool {
        matches!(self, Self::Ledger(Rejection::Inclusion(InclusionRejection::Malformed { .. })))
    }

    /// Whether it costs its sender nothing, although its signature was verified: no account can pay for it, it can be in no
    /// later block, or another one with its nonce stays. A peer whose last block and mempool are the same accepts no such
    /// transaction: one that sends many of them has others verify signatures at no cost.
    pub fn costs_nothing(&self) -> bool {
        match self {
            Self::Ledger(
                Rejection::Funds(FundsRejection::Balance { .. })
                | Rejection::Node(NodeRejection::NoSuchNode { .. })
                | Rejection::Inclusion(
                    InclusionRejection::Fee { .. }
                    | InclusionRejection::LaneQuota { .. }
                    | InclusionRejection::Nonce { .. }
                    | InclusionRejection::Expired { .. }
                    | InclusionRejection::ExpiryTooFar { .. },
                ),
            )
            | Self::PayerFull
            | Self::Underpriced { .. }
            | Self::FarNonce { .. } => true,
            Self::Known | Self::Ledger(_) | Self::Full { .. } | Self::LaneFull => false,
        }
    }
}
