//! The state of a node and its connections.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use crate::{FeesView, ValidatorView};

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeStatus {
    /// Its id.
    pub node: NodeId,
    /// The id of its mesh.
    pub mesh: MeshId,
    /// `miner`, `validator`, `gateway` or `none`.
    pub role: String,
    /// The version of the program.
    pub version: String,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Why it is not ready yet; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
    /// How its clock differs from those of its peers; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// The number of connected peers.
    pub peers_connected: u32,
    /// The number of expert records in its index.
    pub experts_known: u32,
    /// The experts that it serves.
    #[serde(default)]
    pub serving: Vec<String>,
    /// Its position in the chain; absent on a node that does not follow the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainStatus>,
    /// The state of anchoring; absent on a node that does not follow the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<AnchorStatus>,
    /// This node as a validator that makes blocks; absent on a node that does not run as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator: Option<ValidatorView>,
    /// Details of the network layer: addresses, gossip, reachability, counters.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub network: serde_json::Value,
}

/// The state of anchoring.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnchorStatus {
    /// The id of the outside chain; absent where checkpoints are stored in files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<u64>,
    /// The address of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// The address of this validator's anchor key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The last checkpoint that is signed and stored by this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<BlockHeight>,
    /// The last checkpoint in the contract, as far as this node has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<BlockHeight>,
    /// The number of checkpoints that too few validators have signed yet.
    pub open: u32,
    /// The current error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A node's position in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChainStatus {
    /// The last block that this node committed.
    pub height: BlockHeight,
    /// The id of that block.
    pub block: Hash,
    /// The root of the state after that block.
    pub state: Hash,
    /// Milliseconds since this node committed it.
    pub age_ms: u64,
    /// Milliseconds from the start of its height to its commit; absent before the first block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality_ms: Option<u64>,
    /// The round of the next block.
    pub round: u32,
    /// The number of validators of the next block.
    pub validators: u32,
    /// The current epoch of each subnet.
    pub epochs: BTreeMap<Netuid, u64>,
    /// The last block that ended an epoch: the last checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<BlockHeight>,
    /// The highest block that a peer has, while this node does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<BlockHeight>,
    /// The number of transactions in the mempool.
    pub waiting: u32,
    /// What transactions cost now.
    #[serde(default)]
    pub fees: FeesView,
    /// The highest block for which this node signed a vote or proposal since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<BlockHeight>,
    /// The block up to which this node signs nothing; absent when it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_through: Option<BlockHeight>,
    /// Why no block is committed, as far as this validator can tell; absent when blocks are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<String>,
    /// Why it has stopped following the chain, and what to do; absent when it follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Whether a node is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthView {
    /// Whether it is.
    pub ready: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerView {
    /// Its id.
    pub node: NodeId,
    /// `in` if the peer dialled, `out` if this node did.
    pub direction: String,
    /// Round trip of the last ping, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// The agent version that it claims; not verified.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// The addresses that the connection uses.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// The peers of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerPage {
    /// The peers.
    pub peers: Vec<PeerView>,
}
