//! Experts, as the node's index lists them.
//!
//! A view has its own fields rather than a record in it: the record is a wire format, signed and frozen, and the view is
//! a document that may grow. The addresses of experts are left out on purpose: a miner's query address is for the nodes
//! that may ask it.

use std::fmt;

use nervure_primitives::{Capability, Netuid, NodeId, UntrustedText};
use nervure_protocol::ModelIdentity;
use nervure_subnet::TrustFigures;
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
    /// What its node says about that model.
    #[serde(default, skip_serializing_if = "ModelIdentityView::is_unstated")]
    pub identity: ModelIdentityView,
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
    /// The trust in it and what it is made of, as this node knows it now; absent in the line of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustFigures>,
}

/// What a node says about a model: a claim, which audits check. A part that is absent is unstated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelIdentityView {
    /// The digest of its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The type of its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quant: Option<String>,
    /// The program that computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// How it draws tokens from probabilities and a seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<String>,
}

impl ModelIdentityView {
    /// The document of `identity`.
    pub fn of(identity: &ModelIdentity) -> Self {
        let [digest, quant, runtime, sampler] = identity.parts().map(|(_, part)| part.map(str::to_owned));
        Self { digest, quant, runtime, sampler }
    }

    /// Whether nothing is stated.
    pub fn is_unstated(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for ModelIdentityView {
    /// As [`ModelIdentity`] is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = ModelIdentity {
            digest: self.digest.as_ref().map(UntrustedText::new),
            quant: self.quant.as_ref().map(UntrustedText::new),
            runtime: self.runtime.as_ref().map(UntrustedText::new),
            sampler: self.sampler.as_ref().map(UntrustedText::new),
        };
        write!(f, "{identity}")
    }
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
