//! The route of an answer: the expert chosen, the experts that took part, and their receipts.

use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};
use nervure_protocol::{FinishReason, Usage};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

use crate::ExpertView;

/// How an expert was chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RouteView {
    /// The strategy: `best`, `race:3`.
    pub strategy: String,
    /// The policy: `balanced`, `trusted`.
    #[serde(default)]
    pub policy: Policy,
    /// The last finalised block, whose incentives the gate used.
    #[serde(default)]
    pub block: BlockHeight,
    /// Experts that matched and could be asked.
    pub candidates: u32,
    /// Experts that matched but were left out.
    pub filtered: u32,
    /// Experts that were asked, including the one that answers.
    pub tried: u32,
    /// The experts of an answer by several, by falling weight; empty for an answer by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<ParticipantView>,
    /// Every candidate with the terms of its cost, and every excluded expert with the reason; only with `explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

/// One of the experts of an answer by several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParticipantView {
    /// The node that serves it.
    pub node: NodeId,
    /// The subnet that the node serves it in.
    pub netuid: Netuid,
    /// Its name on the node.
    pub expert: String,
    /// Its weight, from 0 to 1; all weights add up to 1. At the start of a mixed text it follows the trust in the
    /// expert, at the end its predictions of the text.
    pub weight: f64,
    /// In a vote: whether its answer agrees with the one that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
    /// Bytes of a mixed text that it took part in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why it was dropped from the mixture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// A takeover: a successor continued the answer of an expert that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TakeoverView {
    /// The node of the expert that failed.
    pub from: NodeId,
    /// Why it failed.
    pub why: String,
    /// Bytes of text that it had sent.
    pub at: u64,
    /// Pieces of what an answer has beside its text that had been sent by then.
    #[serde(default)]
    pub fields: u64,
    /// The successor.
    pub expert: ExpertView,
}

/// An expert's receipt for one answer, which the asker can check: see `docs/mechanisms.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiptView {
    /// The node that asked the expert: the one that serves this API.
    pub asker: NodeId,
    /// The node that answered.
    pub node: NodeId,
    /// The subnet.
    pub netuid: Netuid,
    /// The asker's id of the query: the hash of the client's nonce and the salt.
    pub query: Hash,
    /// The asker's random bytes in that hash.
    pub salt: Hash,
    /// Tokens that this expert read and wrote; after a vote, those of the whole answer are the sum of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why this expert's answer ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FinishReason>,
    /// The signed receipt, in hexadecimal; absent when none arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Why the asker does not accept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}
