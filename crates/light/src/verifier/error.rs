//! Errors of a verifier: responses that do not verify.

use nervure_ledger::tree::{Key, ProofError};
use nervure_primitives::{BlockHeight, Excerpt, Hash, Netuid, NodeId};

use crate::{BisectionError, GenesisError, LightClientError, score::ScoreError};

/// Why a response does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The certificates do not lead to the block.
    #[error("the certificates do not verify: {0}")]
    Certificate(#[from] BisectionError),
    /// The validators after the trusted block are not those that its header announces.
    #[error("the trusted block does not verify: {0}")]
    Start(#[from] LightClientError),
    /// A part of an explanation does not verify, or there is nothing to explain.
    #[error("{0}")]
    Score(#[from] ScoreError),
    /// A record is not in the state.
    #[error("the proof of {key} does not verify: {error}")]
    Fact {
        /// The record's key.
        key: Key,
        /// The error of the proof.
        error: ProofError,
    },
    /// A node is not in the slot that the source named.
    #[error("{node} had no slot in subnet {netuid} after block {height}, as far as the source can prove")]
    NoSlot {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
        /// The block.
        height: BlockHeight,
    },
    /// A response that is not canonical, or too large.
    #[error("the {what} that the node sent cannot be decoded: {why}")]
    Unreadable {
        /// The requested document.
        what: &'static str,
        /// The error.
        why: Excerpt,
    },
    /// Another block than the trusted one.
    #[error("block {height} of this node is {found}, and the one that is trusted is {expected}")]
    OtherBlock {
        /// The height.
        height: BlockHeight,
        /// The trusted id.
        expected: Hash,
        /// The id of the block received.
        found: Hash,
    },
    /// Another checkpoint than the one in the contract.
    #[error(
        "the anchored checkpoint of block {height} is {expected} in the contract, and {found} at this node"
    )]
    OtherAnchored {
        /// The height.
        height: BlockHeight,
        /// The id in the contract.
        expected: Hash,
        /// The id of the checkpoint received.
        found: Hash,
    },
    /// A block of another height than the requested one.
    #[error("requested block {requested}, and the node sent block {received}")]
    OtherHeight {
        /// The requested height.
        requested: BlockHeight,
        /// The height of the block received.
        received: BlockHeight,
    },
    /// A record that every state has is not in this one.
    #[error("the state after block {height} has no {key}")]
    Missing {
        /// The record's key.
        key: Key,
        /// The block.
        height: BlockHeight,
    },
    /// No source has a block.
    #[error("no node has a block")]
    NoNewest,
    /// A block before the trusted one.
    #[error("block {height} is before the trusted block {trusted}, and certificates lead forward only")]
    Before {
        /// The requested block.
        height: BlockHeight,
        /// The trusted block.
        trusted: BlockHeight,
    },
}

impl VerifyError {
    pub(super) fn unreadable(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Unreadable { what, why: Excerpt::new(why) }
    }

    /// Whether an honest source can cause this error too, so that it does not prove the source dishonest.
    pub fn is_honest(&self) -> bool {
        matches!(
            self,
            Self::Before { .. }
                | Self::NoNewest
                | Self::Start(LightClientError::Expired { .. })
                | Self::Score(ScoreError::NoSubnet { .. } | ScoreError::NoEpoch { .. })
        )
    }
}

/// Why a verifier has no result. `E` is the error of its [`Source`](crate::Source).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError<E> {
    /// The source failed to answer.
    #[error(transparent)]
    Source(E),
    /// The response of the source does not verify.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The mesh spec has no genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}
