//! How an answer came about: the expert chosen, those who took part, and their receipts.

use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

use crate::ExpertView;

/// How an expert was chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteView {
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
pub struct ParticipantView {
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
pub struct TakeoverView {
    /// Who could not end it.
    pub from: NodeId,
    /// Why not.
    pub why: String,
    /// Bytes of text that it had said.
    pub at: u64,
    /// Who went on.
    pub expert: ExpertView,
}

/// An expert's signed word on one answer, for whoever asked to check: see `docs/mechanisms.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptView {
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
