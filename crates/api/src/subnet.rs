//! Subnets and neurons, for clients that trust the node.

use std::collections::BTreeMap;

use nervure_ledger::subnet::Hyperparameters;
use nervure_primitives::{Amount, BlockHeight, MechanismSpec, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

/// All subnets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubnetPage {
    /// The last block, which all of this is after.
    pub height: BlockHeight,
    /// What founding another subnet in the next block would lock.
    pub lock_cost: Amount,
    /// The subnets.
    pub subnets: Vec<SubnetView>,
}

/// A subnet. Amounts are base units, times are blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubnetView {
    /// Its number.
    pub netuid: Netuid,
    /// What people call it.
    pub name: String,
    /// Who owns it.
    pub owner: Option<NodeId>,
    /// The owner's node.
    pub owner_node: Option<NodeId>,
    /// The block at which it was founded.
    pub registered: BlockHeight,
    /// What the owner locked.
    pub locked: Amount,
    /// What the owner earned from it.
    pub earned: Amount,
    /// What a slot costs.
    pub price: Amount,
    /// What its next epoch shares out.
    pub pending: Amount,
    /// The number of the current epoch.
    pub epoch: u64,
    /// The block at which it ends.
    pub due: BlockHeight,
    /// Taken slots.
    pub neurons: u32,
    /// All slots.
    pub slots: u32,
    /// Its rules.
    pub hyperparameters: Hyperparameters,
    /// How its validators set tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<MechanismSpec>,
}

/// A subnet and its neurons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubnetDetail {
    /// The last block, which all of this is after.
    pub height: BlockHeight,
    /// The subnet.
    pub subnet: SubnetView,
    /// Its neurons, by uid.
    pub neurons: Vec<NeuronView>,
}

/// A neuron as its last epoch left it. Proportions are of 65,535.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeuronView {
    /// Its slot.
    pub uid: Uid,
    /// The node.
    pub node: NodeId,
    /// Who owns the node.
    pub owner: NodeId,
    /// What stands behind it.
    pub stake: Amount,
    /// Whether it may set weights.
    pub permit: bool,
    /// How much of the weights for it the consensus left; none where this node was not there when it was computed.
    pub trust: Option<u16>,
    /// The weight that the majority of stake gives it.
    pub consensus: u16,
    /// Its share as a miner.
    pub incentive: u16,
    /// Its share as a validator.
    pub dividends: u16,
    /// How much of its weights was within the consensus.
    pub validator_trust: u16,
    /// What the epoch gave it.
    pub emission: Amount,
    /// The block of its last weights.
    pub last_update: BlockHeight,
    /// The block at which it came.
    pub registered: BlockHeight,
    /// Until which block it cannot lose its slot.
    pub immune_until: BlockHeight,
}

/// A node of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// The node.
    pub node: NodeId,
    /// Who owns it.
    pub owner: NodeId,
    /// What the owner keeps of the stakers' dividends, of 65,535.
    pub take: u16,
    /// The nonce that the next transaction of its key has to carry.
    pub nonce: u64,
    /// What stands behind it.
    pub stake: Amount,
    /// Its slots, by subnet.
    pub slots: BTreeMap<Netuid, Uid>,
    /// The last block, which all of this is after.
    pub height: BlockHeight,
}
