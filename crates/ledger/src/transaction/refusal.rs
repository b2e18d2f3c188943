//! Why a transaction is refused.

use nervure_primitives::{Amount, BlockHeight, EnvelopeError, NodeId};

/// Why a transaction is refused. It then changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Too large, not signed for this mesh by its signer, or not a transaction.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The last block that could carry it is over.
    #[error("it held until block {expiry}")]
    Expired {
        /// That block.
        expiry: BlockHeight,
    },
    /// Not the signer's next nonce: carried out before, or something before it is missing.
    #[error("it carries nonce {given}, the signer's next is {expected}")]
    Nonce {
        /// The next one.
        expected: u64,
        /// Its own.
        given: u64,
    },
    /// Too small a fee.
    #[error("the fee has to be at least {least} tokens")]
    Fee {
        /// The least fee.
        least: Amount,
    },
    /// The signer does not have what it costs.
    #[error("{needed} tokens are needed, and the account has less")]
    Balance {
        /// What has to be there.
        needed: Amount,
    },
    /// An amount of zero.
    #[error("an amount of nothing")]
    Nothing,
    /// A node key that the ledger does not know.
    #[error("{node} is not a registered node")]
    NoSuchNode {
        /// The key.
        node: NodeId,
    },
    /// A node of somebody else.
    #[error("{node} belongs to another owner")]
    NotOwner {
        /// The node.
        node: NodeId,
    },
    /// A node key that is or was a node already.
    #[error("{node} is or was a node already: make a new key")]
    KeyTaken {
        /// The key.
        node: NodeId,
    },
    /// The node key did not agree to belong to this owner.
    #[error("the node key's consent does not hold: {0}")]
    Consent(EnvelopeError),
    /// The consent names another owner.
    #[error("the node key agreed to belong to {owner}, who is not the signer")]
    ConsentForAnother {
        /// Whom it names.
        owner: NodeId,
    },
    /// A take above [`crate::nodes::MAX_TAKE`].
    #[error("a take of {take} is above {} of 65535", crate::nodes::MAX_TAKE)]
    Take {
        /// The take, of 65,535.
        take: u16,
    },
    /// The take was raised a short while ago.
    #[error("the take can be raised again at block {from}")]
    TakeTooSoon {
        /// The first block at which it can.
        from: BlockHeight,
    },
    /// Less stake would stay on the node than the least that may.
    #[error("either nothing or at least {least} tokens may stay on a node")]
    StakeTooSmall {
        /// The least stake.
        least: Amount,
    },
    /// More than was staked.
    #[error("only {staked} tokens are staked there")]
    NotStaked {
        /// What is.
        staked: Amount,
    },
}
