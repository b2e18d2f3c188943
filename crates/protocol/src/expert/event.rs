//! The events of a streamed answer.

use serde::{Deserialize, Serialize};

use super::AnswerFields;

/// One item of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExpertEvent {
    /// The next piece of text, valid UTF-8 and never empty.
    Text(String),
    /// The vector of one input: one event per input, in order.
    Embedding {
        /// Position of the input in the request.
        index: u32,
        /// The vector.
        vector: Vec<f32>,
    },
    /// The probabilities of the 256 possible next bytes.
    Distribution(Vec<f32>),
    /// The next piece of what a chat has beside its text: calls of tools, reasoning, log probabilities. Never empty.
    Fields(AnswerFields),
    /// The answer is complete: the last item of every stream that does not end with an error.
    Done {
        /// Tokens read and written.
        usage: Usage,
        /// Why the answer ended.
        reason: FinishReason,
    },
}

impl ExpertEvent {
    /// Bytes of text and numbers in it, by which an answer is bounded.
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Embedding { vector, .. } => size_of_val(vector.as_slice()),
            Self::Distribution(probabilities) => size_of_val(probabilities.as_slice()),
            Self::Fields(fields) => fields.as_str().len(),
            Self::Done { .. } => 0,
        }
    }
}

/// Tokens of one request; bytes for byte-level models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Tokens read; 0 from an upstream that does not report them.
    pub prompt_tokens: u32,
    /// Tokens written, including those of a stop string. An upstream that does not report them: its pieces of text.
    pub completion_tokens: u32,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its text, or wrote a stop string.
    Stop,
    /// The requested length was reached.
    Length,
    /// Another reason of an upstream, such as a content filter.
    Other,
    /// The model called tools, and waits for their results.
    ToolCalls,
}
