//! What an expert streams back.

use serde::{Deserialize, Serialize};

/// One item of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExpertEvent {
    /// The next piece of text, valid UTF-8 and never empty.
    Text(String),
    /// The vector of one input; one event per input, in order.
    Embedding {
        /// Position of the input in the request.
        index: u32,
        /// Its vector.
        vector: Vec<f32>,
    },
    /// The probabilities of the 256 possible next bytes.
    Distribution(Vec<f32>),
    /// The answer is complete. Always the last item of a stream without error.
    Done {
        /// What it cost.
        usage: Usage,
        /// Why it ended.
        reason: FinishReason,
    },
}

/// Tokens of one request; bytes for byte-level models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Tokens read. 0 when an upstream does not report them.
    pub prompt_tokens: u32,
    /// Tokens written, including a stop string's. The number of text events when an upstream does not report them.
    pub completion_tokens: u32,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its text, or a stop string came.
    Stop,
    /// The asked-for length was reached.
    Length,
    /// Another reason, such as an upstream's content filter.
    Other,
}
