//! What open, end and error frames say.

use nervure_primitives::{Amount, Capability, Hash, Netuid, UntrustedText};
use serde::{Deserialize, Serialize};

use crate::{FinishReason, Usage, bounds::MAX_ERROR_MESSAGE};

/// The words of an error, which the node of an expert or its upstream chose.
pub type ErrorText = UntrustedText<MAX_ERROR_MESSAGE>;

/// A request to an expert, and its terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryOpen {
    /// The subnet.
    #[serde(rename = "n")]
    pub netuid: Netuid,
    /// The capability asked for.
    #[serde(rename = "c")]
    pub capability: Capability,
    /// Which of the node's experts; any that matches when none is named.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none", default)]
    pub expert: Option<String>,
    /// The encoded request; the query plane does not decode it.
    #[serde(rename = "q", with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Milliseconds that the whole answer may take.
    #[serde(rename = "d")]
    pub deadline_ms: u32,
    /// The most that the asker pays.
    #[serde(rename = "b")]
    pub budget: Amount,
    /// The asker's unique name for the query. With one, the expert's node signs a receipt.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none", default)]
    pub name: Option<Hash>,
    /// How many nodes have passed the question on to another server before: a miner whose upstream is a gateway adds one.
    /// Beyond [`crate::bounds::MAX_HOPS`] it is refused, so that a question cannot go round for ever.
    #[serde(rename = "h", skip_serializing_if = "is_zero", default)]
    pub hops: u8,
}

/// Whether a question comes from its first asker.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(hops: &u8) -> bool {
    *hops == 0
}

/// The last frame of a complete answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryEnd {
    /// How many chunks came before.
    #[serde(rename = "k")]
    pub chunks: u64,
    /// Tokens read and written.
    #[serde(rename = "u", with = "ShortUsage")]
    pub usage: Usage,
    /// Why the answer ended.
    #[serde(rename = "r")]
    pub reason: FinishReason,
    /// The node's signed receipt, for a query with a name; the query plane does not decode it.
    #[serde(rename = "s", with = "serde_bytes", skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<Vec<u8>>,
}

impl QueryEnd {
    /// The end of an answer without a receipt. The sender of the frame fills in how many chunks came before.
    pub const fn new(usage: Usage, reason: FinishReason) -> Self {
        Self { chunks: 0, usage, reason, receipt: None }
    }
}

/// The short field names that [`Usage`] has in an end frame.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Usage", deny_unknown_fields)]
struct ShortUsage {
    #[serde(rename = "i")]
    prompt_tokens: u32,
    #[serde(rename = "o")]
    completion_tokens: u32,
}

/// The last frame of an answer that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorFrame {
    /// The number of a [`QueryErrorCode`](super::QueryErrorCode).
    #[serde(rename = "c")]
    pub code: u16,
    /// The reason in words.
    #[serde(rename = "m")]
    pub message: ErrorText,
    /// Milliseconds after which a retry may succeed.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u32>,
}
