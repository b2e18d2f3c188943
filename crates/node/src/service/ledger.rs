//! What a node tells about the ledger: checkpoints and proofs for whoever does not trust it, tables for whoever does.
//!
//! What has to be believed travels as canonical CBOR in base64, beside the same in words: a program verifies the first and
//! a person reads the second.

use std::collections::BTreeMap;

use futures::{FutureExt, future::BoxFuture};
use nervure_ledger::{
    subnet::{Hyperparameters, MetagraphRoot},
    tree::Key,
};
use nervure_primitives::{Amount, BlockHeight, Hash, MechanismSpec, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use super::AskError;

/// What a node that follows the chain can be asked about it. A node that follows none says so.
pub(crate) trait LedgerReader: Send + Sync {
    /// The latest checkpoints up to a height, the latest first.
    fn checkpoints(
        &self,
        _up_to: BlockHeight,
        _most: usize,
    ) -> BoxFuture<'_, Result<CheckpointPage, AskError>> {
        nowhere()
    }

    /// A block that can be believed; without a height, the last checkpoint.
    fn checkpoint(&self, _height: Option<BlockHeight>) -> BoxFuture<'_, Result<CheckpointView, AskError>> {
        nowhere()
    }

    /// The whole of an anchored checkpoint, by its block.
    fn anchored(&self, _height: BlockHeight) -> BoxFuture<'_, Result<SubmissionView, AskError>> {
        nowhere()
    }

    /// What the state after a block, or after the last one, says about a key.
    fn fact(&self, _key: Key, _height: Option<BlockHeight>) -> BoxFuture<'_, Result<FactView, AskError>> {
        nowhere()
    }

    /// What explains the last epoch of a node in a subnet.
    fn epoch(&self, _netuid: Netuid, _node: NodeId) -> BoxFuture<'_, Result<EpochView, AskError>> {
        nowhere()
    }

    /// All subnets.
    fn subnets(&self) -> BoxFuture<'_, Result<SubnetPage, AskError>> {
        nowhere()
    }

    /// A subnet and its neurons.
    fn subnet(&self, _netuid: Netuid) -> BoxFuture<'_, Result<SubnetDetail, AskError>> {
        nowhere()
    }

    /// A node of the ledger.
    fn node(&self, _node: NodeId) -> BoxFuture<'_, Result<NodeView, AskError>> {
        nowhere()
    }
}

fn nowhere<T: Send + 'static>() -> BoxFuture<'static, Result<T, AskError>> {
    let reason = "this node follows no chain".into();
    std::future::ready(Err(AskError::Unavailable { reason })).boxed()
}

/// Checkpoints, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckpointPage {
    /// The checkpoints.
    pub checkpoints: Vec<CheckpointRow>,
    /// Where the next page begins; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<BlockHeight>,
}

/// The whole of an anchored checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubmissionView {
    /// Its block.
    pub height: BlockHeight,
    /// Its id, as the validators signed it.
    pub id: Hash,
    /// Validators that signed it.
    pub signatures: u32,
    /// The [`Submission`](nervure_anchor::Submission), in base64.
    pub submission: String,
}

/// The anchored checkpoint by which a block can be looked up outside of the mesh.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnchoredView {
    /// Its block: the one in question or the next with an election.
    pub height: BlockHeight,
    /// Its id, as the validators signed it.
    pub id: Hash,
    /// The transaction that put it into the contract; none where it is in this node's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The chain's block with that transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
}

/// A checkpoint in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckpointRow {
    /// The block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The metagraph roots of the epochs that it ended, by subnet.
    pub metagraphs: BTreeMap<Netuid, MetagraphRoot>,
    /// Where it is anchored; none while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchoredView>,
}

/// A block that can be believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckpointView {
    /// The block.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The metagraph roots of the epochs that it ended, by subnet; none for a block that is no checkpoint.
    pub metagraphs: BTreeMap<Netuid, MetagraphRoot>,
    /// Where it is anchored; none while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchoredView>,
    /// Validators that agreed on it.
    pub validators: u32,
    /// Validators that signed it.
    pub signers: u32,
    /// The [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
}

/// What the state after a block says about a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FactView {
    /// The block.
    pub height: BlockHeight,
    /// The key.
    pub key: String,
    /// The block's [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
    /// The [`Fact`](nervure_ledger::tree::Fact), in base64.
    pub fact: String,
}

/// What explains the last epoch of a node in a subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochView {
    /// The block under whose state it is proven.
    pub height: BlockHeight,
    /// The block's [`Checkpoint`](nervure_ledger::checkpoint::Checkpoint), in base64.
    pub checkpoint: String,
    /// The [`EpochProof`](nervure_light::score::EpochProof), in base64.
    pub proof: String,
}

/// All subnets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubnetPage {
    /// The last block, which all of this is after.
    pub height: BlockHeight,
    /// What founding another subnet in the next block would lock.
    pub lock_cost: Amount,
    /// The subnets.
    pub subnets: Vec<SubnetView>,
}

/// A subnet. Amounts are base units, times are blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubnetView {
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
pub(crate) struct SubnetDetail {
    /// The last block, which all of this is after.
    pub height: BlockHeight,
    /// The subnet.
    pub subnet: SubnetView,
    /// Its neurons, by uid.
    pub neurons: Vec<NeuronView>,
}

/// A neuron as its last epoch left it. Proportions are of 65,535.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NeuronView {
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
pub(crate) struct NodeView {
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
