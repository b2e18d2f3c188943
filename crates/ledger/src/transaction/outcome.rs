//! What a transaction that was carried out did.

use nervure_anchor::AnchorAddress;
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use crate::subnet::Hyperparameter;

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Tokens were transferred.
    Transferred {
        /// Who.
        to: NodeId,
        /// How much.
        amount: Amount,
    },
    /// A node key has an owner.
    NodeRegistered {
        /// The node key.
        node: NodeId,
    },
    /// A node has another key.
    KeySwapped {
        /// The key it had.
        old: NodeId,
        /// The key it has.
        new: NodeId,
    },
    /// A node keeps another part of its stakers' dividends.
    TakeSet {
        /// The node.
        node: NodeId,
        /// What it keeps, of 65,535.
        take: u16,
    },
    /// A node has more stake behind it.
    Staked {
        /// The node.
        node: NodeId,
        /// How much more.
        amount: Amount,
    },
    /// A node has less stake behind it.
    Unstaked {
        /// The node.
        node: NodeId,
        /// How much less.
        amount: Amount,
        /// The block at which the staker has it.
        free: BlockHeight,
    },
    /// A subnet exists, its owner's node in slot 0.
    SubnetRegistered {
        /// Its number.
        netuid: Netuid,
        /// What it locked.
        locked: Amount,
        /// The subnet that gave way to it.
        dissolved: Option<Netuid>,
    },
    /// A node has a slot.
    NeuronRegistered {
        /// The subnet.
        netuid: Netuid,
        /// The slot.
        uid: Uid,
        /// What it burned.
        price: Amount,
        /// The node that lost the slot.
        replaced: Option<NodeId>,
    },
    /// Weights were promised.
    WeightsCommitted {
        /// The subnet.
        netuid: Netuid,
        /// Whose weights.
        uid: Uid,
        /// The only epoch in which they can be revealed.
        reveal_in: u64,
    },
    /// Weights count.
    WeightsRevealed {
        /// The subnet.
        netuid: Netuid,
        /// Whose weights.
        uid: Uid,
    },
    /// Weights count from now on.
    WeightsSet {
        /// The subnet.
        netuid: Netuid,
        /// Whose weights.
        uid: Uid,
    },
    /// A subnet has another rule.
    HyperparameterSet {
        /// The subnet.
        netuid: Netuid,
        /// Which one, and its value.
        to: Hyperparameter,
    },
    /// A subnet has another mechanism.
    MechanismSet {
        /// The subnet.
        netuid: Netuid,
    },
    /// A vote counts.
    Voted,
    /// A node signs checkpoints with another key, from the next election on.
    AnchorKeyRegistered {
        /// The node.
        node: NodeId,
        /// The address of the key.
        address: AnchorAddress,
    },
}
