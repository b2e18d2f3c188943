//! The validators that make blocks.

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

/// A node as a validator: whether it joined, is elected, is jailed, and what it missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidatorView {
    /// The node.
    pub node: NodeId,
    /// The key that owns it.
    pub owner: NodeId,
    /// Its stake, with that of its stakers.
    pub stake: Amount,
    /// The stake of its owner, which has to be at least the mesh's minimum.
    pub self_stake: Amount,
    /// The block at which it joined the validators; absent when it has not, or left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<BlockHeight>,
    /// The block from which on it may join again after it was jailed; absent when it is not jailed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jailed_until: Option<BlockHeight>,
    /// The equivocation for which it was slashed and is jailed for good; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equivocation: Option<EquivocationView>,
    /// Its voting power until the next election; absent when it is not elected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<u64>,
    /// How many of the last heights it missed since it was elected; see `liveness_window` of the page.
    pub missed: u64,
    /// Whether it missed so many heights in a row that it proposes last.
    pub silent: bool,
}

/// An equivocation that was reported: the node signed two statements that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EquivocationView {
    /// The height at which it equivocated.
    pub height: BlockHeight,
    /// The block with the report.
    pub reported: BlockHeight,
}

/// The validators and the rules of the next election.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidatorPage {
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// The block of the next election.
    pub election: BlockHeight,
    /// The minimum stake of a validator's owner.
    pub min_self_stake: Amount,
    /// The heights in which missed ones are counted; who misses more than half of them is jailed.
    pub liveness_window: u64,
    /// The voting power of all elected validators.
    pub total_power: u64,
    /// Those that joined, are elected or are jailed, by stake, the largest first.
    pub validators: Vec<ValidatorView>,
}
