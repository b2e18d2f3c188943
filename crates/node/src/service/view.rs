//! What a node says about itself and others over HTTP: plain data, readable by people and by the command line.
//!
//! Addresses of experts are left out on purpose: where a miner can be reached is for those who may ask it.

use std::collections::BTreeMap;

use nervure_ledger::transaction::Outcome;
use nervure_primitives::{Amount, BlockHeight, Capability, Hash, MeshId, Netuid, NodeId};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

/// An expert as its record describes it, with what this node measured of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExpertView {
    /// The node that serves it.
    pub node: NodeId,
    /// The subnet that it serves in.
    pub netuid: Netuid,
    /// Its name on its node.
    pub expert: String,
    /// What it can do.
    pub capability: Capability,
    /// The model behind it.
    pub model: String,
    /// Tokens of context that it takes.
    pub context: u32,
    /// Most tokens that it writes in one answer.
    pub max_output: u32,
    /// Base units per 1,000 tokens of output.
    pub price: u64,
    /// Whether its tokens are bytes.
    pub byte_level: bool,
    /// How busy it said it was, in percent.
    pub load: u8,
    /// Whether it is reached through a relay.
    pub relayed: bool,
    /// Milliseconds until its record expires.
    pub expires_in_ms: u64,
    /// Smoothed milliseconds to its first byte, where this node has asked it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
}

/// How an expert was chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RouteView {
    /// `best`, `race:3`.
    pub strategy: String,
    /// `balanced`, `trusted`.
    #[serde(default)]
    pub policy: Policy,
    /// The last final block, whose incentives were weighed.
    #[serde(default)]
    pub block: BlockHeight,
    /// Experts that matched and could be asked.
    pub candidates: u32,
    /// Experts that matched but were left out.
    pub filtered: u32,
    /// Experts that were asked, the one that answers among them.
    pub tried: u32,
    /// Those who work on the answer together, where several do; the one that counts most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<ParticipantView>,
    /// Every candidate with the terms of its score, and what was filtered and why; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

/// One of several experts behind an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParticipantView {
    /// The node that serves it.
    pub node: NodeId,
    /// The subnet that it serves it in.
    pub netuid: Netuid,
    /// Its name there.
    pub expert: String,
    /// Its say, from 0 to 1; all together have 1. Before a text is mixed by the trust in each, after it by what the
    /// text made of it.
    pub weight: f64,
    /// Whether the answer that is given is its own, or says the same: in a vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
    /// Bytes of a mixed text that it had a say in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why it has no say any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// An expert that went on with another's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SuccessionView {
    /// Who could not end it.
    pub from: NodeId,
    /// Why not.
    pub why: String,
    /// Bytes of text that it had said.
    pub at: u64,
    /// Who went on.
    pub expert: ExpertView,
}

/// What is known of an answer at its end only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ending {
    /// Who took over from an expert that could not end the answer, in order.
    pub took_over: Vec<SuccessionView>,
    /// The receipts of all who took part, where they were wanted, of whoever gave the answer first.
    pub receipts: Vec<ReceiptView>,
    /// Who took part in a mixed text, and the weights in the end.
    pub participants: Vec<ParticipantView>,
}

/// An expert's signed word on one answer, for whoever asked to check: see `docs/mechanisms.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceiptView {
    /// Who asked the expert: the node that was asked.
    pub asker: NodeId,
    /// Who answered.
    pub node: NodeId,
    /// In which subnet.
    pub netuid: Netuid,
    /// What the asker called the question.
    pub query: Hash,
    /// The signed receipt, in hexadecimal; none came when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// What is wrong with it, in the eyes of the node that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

/// A question for expert records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FindRequest {
    /// Only experts that this covers.
    pub capability: Option<Capability>,
    /// Only experts of this subnet.
    pub netuid: Option<Netuid>,
    /// Only experts that pass this filter.
    pub filter: Option<String>,
    /// Most records in the page; at least 1.
    pub limit: usize,
    /// Where the last page ended, as [`FindPage::next`] said.
    pub cursor: Option<String>,
}

/// A page of expert records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FindPage {
    /// The experts.
    pub experts: Vec<ExpertView>,
    /// Where the next page begins; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What can be asked for by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Catalog {
    /// Every model, once.
    pub models: Vec<ModelView>,
    /// Every capability that some expert has, and their prefixes.
    pub capabilities: Vec<CapabilityCount>,
}

/// A model that some expert serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelView {
    /// Its name.
    pub model: String,
    /// The capability of its experts.
    pub capability: Capability,
    /// How many experts serve it.
    pub experts: u32,
    /// The longest context that one of them takes, in tokens.
    pub context: u32,
}

/// A capability and how many experts it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CapabilityCount {
    /// The capability.
    pub capability: Capability,
    /// How many experts it covers.
    pub experts: u32,
}

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeStatus {
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
pub(crate) struct AnchorStatus {
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
pub(crate) struct ChainStatus {
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
pub(crate) struct PeerView {
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

/// What an owner key holds. Amounts are base units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccountView {
    /// Whose.
    pub owner: NodeId,
    /// What it can spend.
    pub balance: Amount,
    /// The nonce that its next transaction has to carry.
    pub nonce: u64,
    /// What comes back from stakes, and at which block.
    pub unbonding: Vec<(BlockHeight, Amount)>,
    /// What it staked, by node.
    pub stakes: BTreeMap<NodeId, Amount>,
    /// The last block, which all of this is after.
    pub height: BlockHeight,
    /// The least fee of a transaction.
    pub min_fee: Amount,
    /// Milliseconds from one block to the next, as the mesh means it.
    pub block_milliseconds: u32,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TransactionView {
    /// Its id.
    pub id: Hash,
    /// How far it is.
    pub state: TransactionState,
    /// Its block, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<BlockHeight>,
    /// What it did, or would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why the ledger refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransactionState {
    /// It would be carried out now; nothing was handed in.
    Possible,
    /// It waits for a block, or this node does not know it.
    Waiting,
    /// It was carried out in a block that is final.
    Applied,
    /// It is in a block, and the ledger refused it there; it changed nothing.
    Refused,
}
