//! Experts, as the node's index lists them.
//!
//! A view has its own fields rather than a record in it: the record is a wire format, signed and frozen, and the view is
//! a document that may grow. The addresses of experts are left out on purpose: a miner's query address is for the nodes
//! that may ask it.

use nervure_primitives::{Capability, Netuid, NodeId};
use serde::{Deserialize, Serialize};

/// An expert as its record describes it, with the latency that this node measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExpertView {
    /// The node that serves it.
    pub node: NodeId,
    /// The subnet that it serves in.
    pub netuid: Netuid,
    /// Its name on its node.
    pub expert: String,
    /// Its capability.
    pub capability: Capability,
    /// The model behind it.
    pub model: String,
    /// The length of its context, in tokens.
    pub context: u32,
    /// Maximum number of tokens in one answer.
    pub max_output: u32,
    /// Base units per 1,000 tokens of output.
    pub price: u64,
    /// Whether its tokens are bytes.
    pub byte_level: bool,
    /// The load that it advertises, in percent.
    pub load: u8,
    /// Whether it is reached through a relay.
    pub relayed: bool,
    /// Milliseconds until its record expires.
    pub expires_in_ms: u64,
    /// Smoothed milliseconds to its first byte, where this node has asked it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
}

/// A search for expert records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpertSearch {
    /// Only experts that this covers.
    pub capability: Option<Capability>,
    /// Only experts of this subnet.
    pub netuid: Option<Netuid>,
    /// Only experts that pass this filter.
    pub filter: Option<String>,
    /// Maximum number of records in the page; at least 1.
    pub limit: usize,
    /// Where the last page ended: its [`ExpertPage::next`].
    pub cursor: Option<String>,
}

/// A page of expert records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExpertPage {
    /// The experts.
    pub experts: Vec<ExpertView>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The names that a query can ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Every model, listed once.
    pub models: Vec<ModelView>,
    /// Every capability of a known expert, and their prefixes.
    pub capabilities: Vec<CapabilityCount>,
}

/// A model that a known expert serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelView {
    /// Its name.
    pub model: String,
    /// The capability of its experts.
    pub capability: Capability,
    /// How many experts serve it.
    pub experts: u32,
    /// The longest context of its experts, in tokens.
    pub context: u32,
}

/// A capability and the number of experts that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityCount {
    /// The capability.
    pub capability: Capability,
    /// The number of experts.
    pub experts: u32,
}
