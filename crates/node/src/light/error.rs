//! Why a light client does not believe what it is told.

use nervure_ledger::{
    chain::StartError,
    tree::{Key, ProofError},
};
use nervure_light::{BisectionError, LightClientError, score::ScoreError};
use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};

use crate::local::LocalError;

/// What the program exits with when something does not verify.
pub(crate) const UNVERIFIED_EXIT: u8 = 9;

/// Why something that a node said is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// No certificates lead there.
    #[error("the certificates do not hold: {0}")]
    Certificate(#[from] BisectionError),
    /// The trusted block does not name the validators after it.
    #[error("the trusted block does not hold: {0}")]
    Start(#[from] LightClientError),
    /// A part of an explanation is not what validators agreed on, or there is nothing to explain.
    #[error("{0}")]
    Score(#[from] ScoreError),
    /// A record is not in the state.
    #[error("the proof of {key} does not hold: {error}")]
    Fact {
        /// Of what.
        key: Key,
        /// What is wrong with it.
        error: ProofError,
    },
    /// A node is not where the node that was asked says it is.
    #[error("{node} had no slot in subnet {netuid} after block {height}, as far as the node asked can show")]
    NoSlot {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
        /// The block.
        height: BlockHeight,
    },
    /// Not even readable.
    #[error("the {what} that the node sent cannot be read: {why}")]
    Unreadable {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Another block than the one that is trusted.
    #[error("block {height} of this node is {found}, and the one that is trusted is {expected}")]
    OtherBlock {
        /// The height.
        height: BlockHeight,
        /// The id that it should have.
        expected: Hash,
        /// The id that it has.
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
        /// The id that the node's has.
        found: Hash,
    },
    /// Another height than the one that was asked for.
    #[error("block {asked} was asked for, and the node sent block {given}")]
    OtherHeight {
        /// The one asked for.
        asked: BlockHeight,
        /// The one given.
        given: BlockHeight,
    },
    /// Earlier than what is trusted.
    #[error("block {height} is before the trusted block {trusted}, and certificates lead forward only")]
    Before {
        /// The block that was to be believed.
        height: BlockHeight,
        /// The trusted one.
        trusted: BlockHeight,
    },
}

impl VerifyError {
    /// Something that is not even what it should be.
    pub(super) fn unreadable(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Unreadable { what, why: why.to_string() }
    }

    /// Whether an honest node would say so too.
    pub(crate) fn is_honest(&self) -> bool {
        matches!(
            self,
            Self::Before { .. } | Self::Score(ScoreError::NoSubnet { .. } | ScoreError::NoEpoch { .. })
        )
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Before { .. } => "trust an earlier block, or leave --trust out for the genesis",
            _ if self.is_honest() => "see the subnets and when their epochs end: nervure subnet list",
            _ => "do not believe this node: ask another one with --from IP:PORT",
        }
    }
}

/// Why a light client does not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LightFailure {
    /// The node does not answer, or refuses.
    #[error(transparent)]
    Node(#[from] LocalError),
    /// It answered, and is not believed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The mesh spec has no genesis.
    #[error("the mesh spec has no genesis: {0}")]
    Genesis(#[from] StartError),
}
