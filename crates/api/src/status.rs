//! The state of a node and its connections.

use std::collections::BTreeMap;

use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid, NodeId};
use serde::{Deserialize, Serialize};

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its identity.
    pub node: NodeId,
    /// Its mesh.
    pub mesh: MeshId,
    /// `miner`, `validator`, `gateway` or `none`.
    pub role: String,
    /// Version of the program.
    pub version: String,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Why it cannot serve yet; none when it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
    /// What is wrong with its machine's clock, by those of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// Nodes that it is connected to.
    pub peers_connected: u32,
    /// Expert records in its index.
    pub experts_known: u32,
    /// Experts that it serves itself.
    #[serde(default)]
    pub serving: Vec<String>,
    /// Where it is in the chain; none where it follows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainStatus>,
    /// How anchoring goes; none where it follows no chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<AnchorStatus>,
    /// Details of the network layer: addresses, gossip, reachability, counters.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub network: serde_json::Value,
}

/// How anchoring goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnchorStatus {
    /// The id of the chain of the mesh's contract; none where checkpoints are kept in files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<u64>,
    /// The address of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// The address of this validator's anchor key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The last checkpoint that is signed and kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<BlockHeight>,
    /// The last checkpoint in the contract, as far as this node has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored: Option<BlockHeight>,
    /// Checkpoints that too few validators have signed yet.
    pub open: u32,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where a node is in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// The last block that is committed here.
    pub height: BlockHeight,
    /// Its id.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// Milliseconds since it was committed here.
    pub age_ms: u64,
    /// Milliseconds from the beginning of its height to its commit; none before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality_ms: Option<u64>,
    /// The round that the next block is in.
    pub round: u32,
    /// Validators that make the next block.
    pub validators: u32,
    /// The subnets and their epochs.
    pub epochs: BTreeMap<Netuid, u64>,
    /// The last block that ended an epoch: the last checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<BlockHeight>,
    /// The highest block that others have, while it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<BlockHeight>,
    /// Transactions that wait for a block.
    pub waiting: u32,
    /// The highest block that this node signed something about since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<BlockHeight>,
    /// Up to which block this node signs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_through: Option<BlockHeight>,
    /// Why no block is made, as far as this validator can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<String>,
    /// Why it follows no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A node that this one is connected to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its identity.
    pub node: NodeId,
    /// `in` where it dialled, `out` where we did.
    pub direction: String,
    /// Round trip of the last ping, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// What it calls itself; not to be trusted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// The addresses that the connection uses.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// The nodes that a node is connected to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerPage {
    /// The peers.
    pub peers: Vec<PeerView>,
}
