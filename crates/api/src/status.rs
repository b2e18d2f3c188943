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
    /// Whether and how others reach it.
    #[serde(default)]
    pub reach: ReachView,
    /// Details of the network layer: addresses, gossip, reachability, counters.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub network: serde_json::Value,
}

/// Whether and how others reach a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReachView {
    /// Whether it is sealed: it hides its address, and opens all of its connections itself.
    #[serde(default)]
    pub sealed: bool,
    /// Whether other nodes can dial it, as they found; absent where they were not asked, or have not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialable: Option<bool>,
    /// Whether the mesh is on one machine or network, where what a node listens on is where it is reached.
    pub local: bool,
    /// The addresses at which others reach it, as far as it knows.
    pub addresses: Vec<String>,
    /// The relays that hold a reservation for it, as circuit addresses.
    pub relays: Vec<String>,
    /// Its address as each of some peers sees it.
    pub observed: Vec<String>,
    /// `open`, `no_gateway`, `not_public`, `expired` or `unknown`: what the local router says about opening a port.
    pub mapping: String,
    /// Where it answers queries, as its expert records say; empty where it has none, or is asked through the swarm only.
    pub query: Vec<String>,
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

/// Something about a node that its operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertView {
    /// `refused` or `waiting`: transactions of the node's key; `unsigned`: its precommits as a validator are not counted.
    pub kind: String,
    /// The block after which it began.
    pub since: BlockHeight,
    /// The last block after which its cause occurred.
    pub last: BlockHeight,
    /// How often its cause occurred.
    pub count: u64,
    /// What happened, and what to do.
    pub message: String,
}

/// How far back a node has blocks with their transactions and events. It has the headers of all blocks since its chain began,
/// and the certificates that light clients need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryView {
    /// The lowest of them.
    pub from: BlockHeight,
    /// Whether it keeps all blocks from there on: 1 and true is a complete archive.
    pub archive: bool,
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
    /// How far back this node has blocks.
    #[serde(default)]
    pub history: HistoryView,
    /// Milliseconds since the time in that block's header; before the first block, since the node started.
    pub age_ms: u64,
    /// The protocol version of the next block.
    #[serde(default)]
    pub version: u32,
    /// The height at which another protocol version becomes active; absent when none is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<BlockHeight>,
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
    /// What its operator should look at; empty when nothing is wrong with its own transactions and votes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertView>,
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
    /// The addresses that the connection uses; empty for a peer that hides its address.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// How a node and a peer reach each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerReachView {
    /// The peer.
    pub peer: NodeId,
    /// The nodes that this one is connected to.
    pub connected: u32,
    /// The way from this node to the peer.
    pub own: RoadView,
    /// The nodes that were asked whether they reach the peer.
    pub rendezvous: Vec<RendezvousView>,
    /// What the peer says; absent where no node reached it, or it does not answer this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<PeerReportView>,
    /// The query addresses in the peer's records; empty where it serves no expert, or only through the swarm.
    pub query: Vec<QueryPortView>,
}

/// The way to a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoadView {
    /// `direct` or `relayed`; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub road: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A node that was asked whether it reaches a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RendezvousView {
    /// The node.
    pub node: NodeId,
    /// Whether it answered.
    pub answered: bool,
    /// Whether it reaches the peer.
    pub reaches: bool,
    /// Why it did not answer, or does not reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a peer says about itself and about its way back. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerReportView {
    /// Its program.
    pub agent: String,
    /// Its last block; absent on a node that does not follow the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<BlockHeight>,
    /// The nodes that it is connected to.
    pub peers: u32,
    /// Whether others can dial it, as far as it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialable: Option<bool>,
    /// The relays that hold a place for it.
    pub relays: u32,
    /// How it is connected to this node: `direct` or `relayed`; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sees: Option<String>,
    /// Whether this node dialled: then nothing is known about the other direction.
    pub inbound: bool,
    /// The address of this node there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why it does not reach this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A query address of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueryPortView {
    /// The address.
    pub address: String,
    /// Why this node does not reach it; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The peers of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerPage {
    /// The peers.
    pub peers: Vec<PeerView>,
}
