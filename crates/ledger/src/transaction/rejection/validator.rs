//! Rejections about who makes blocks, and about evidence against them.

use nervure_primitives::{Amount, BlockHeight, NodeId, UntrustedText};
use serde::{Deserialize, Serialize};

use super::MAX_REASON_BYTES;

/// Why a node does not join or leave the validators, or is not slashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidatorRejection {
    /// The node has joined the validators.
    #[error("{node} has already joined the validators")]
    AlreadyValidator {
        /// The node.
        node: NodeId,
    },
    /// The node has not joined the validators, or left them, or is jailed.
    #[error("{node} has not joined the validators")]
    NotValidator {
        /// The node.
        node: NodeId,
    },
    /// The node missed too many heights.
    #[error("{node} is jailed because it missed too many heights; it can join again at block {until}")]
    Jailed {
        /// The node.
        node: NodeId,
        /// The first block at which it can join.
        until: BlockHeight,
    },
    /// The owner has too little on the node to validate with it.
    #[error("the owner's own stake on the node is {staked} tokens; a validator needs {least}")]
    SelfStake {
        /// The minimum self-stake.
        least: Amount,
        /// The owner's stake on the node.
        staked: Amount,
    },
    /// The node equivocated.
    #[error("{node} equivocated at block {height}: it never makes blocks again")]
    Tombstoned {
        /// The node.
        node: NodeId,
        /// The height at which it equivocated.
        height: BlockHeight,
    },
    /// Not two statements that contradict each other, signed by one key for this mesh.
    #[error("no evidence of equivocation: {why}")]
    Evidence {
        /// What is wrong with it.
        why: UntrustedText<MAX_REASON_BYTES>,
    },
    /// The evidence window is over.
    #[error("the evidence is too old: equivocations since block {oldest} can be reported")]
    EvidenceTooOld {
        /// The oldest height whose equivocations can be reported.
        oldest: BlockHeight,
    },
    /// The key was not in the validator set at that height, so that no validator counted what it signed.
    #[error("{node} was not a validator in office at block {height}")]
    NotInOffice {
        /// The key.
        node: NodeId,
        /// The height.
        height: BlockHeight,
    },
    /// The node was slashed for this offence or an earlier one.
    #[error("{node} was slashed for an equivocation before")]
    AlreadyReported {
        /// The node.
        node: NodeId,
    },
}

impl ValidatorRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::AlreadyValidator { .. } | Self::NotValidator { .. } => {
                "see the validators: nervure validator show"
            }
            Self::Tombstoned { .. } => {
                "register another node with a key of its own, and stake on it: nervure key register FILE"
            }
            Self::Evidence { .. } | Self::EvidenceTooOld { .. } | Self::NotInOffice { .. } => {
                "nothing can be slashed for it; docs/consensus.md says what is evidence"
            }
            Self::AlreadyReported { .. } => "see the validators: nervure validator show",
            Self::Jailed { .. } => {
                "keep the node running, and wait for that block; the current one: nervure status"
            }
            Self::SelfStake { .. } => "stake with the owner's key: nervure stake add NODE AMOUNT",
        }
    }
}
