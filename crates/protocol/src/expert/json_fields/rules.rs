//! Which fields a document may have, for each of its places.

use serde_json::Value;

/// Calls of tools that an answer may have.
pub(super) const MAX_TOOL_CALLS: u64 = 128;

/// What the fields of a document may be.
pub trait FieldRules {
    /// The path in errors.
    const PATH: &'static str;

    /// Checks one field.
    ///
    /// # Errors
    /// Why it cannot be there.
    fn check(name: &str, value: &Value) -> Result<(), &'static str>;
}

const REFUSED: &str = "cannot be a further field";

/// Names that cannot be further fields of a request: it has them elsewhere, or the answer has no place for their result.
pub(super) const RESERVED: [&str; 21] = [
    "model",
    "messages",
    "prompt",
    "input",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "nervure",
    "n",
    "best_of",
    "prompt_logprobs",
    "echo",
    "functions",
    "audio",
    "modalities",
];

/// Fields of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestRules;

impl FieldRules for RequestRules {
    const PATH: &'static str = "sampling.extra";

    fn check(name: &str, _: &Value) -> Result<(), &'static str> {
        if RESERVED.contains(&name) { Err(REFUSED) } else { Ok(()) }
    }
}

/// Fields of a message beside its role and its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageRules;

impl FieldRules for MessageRules {
    const PATH: &'static str = "messages.fields";

    fn check(name: &str, value: &Value) -> Result<(), &'static str> {
        match name {
            "role" => Err(REFUSED),
            // A text is the message's own.
            "content" if !value.is_null() && !value.is_array() => Err("is null or an array of parts"),
            _ => Ok(()),
        }
    }
}

/// Fields of a piece of an answer beside its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnswerRules;

/// The fields that an answer may have: those of a chat's delta, and the probabilities of a choice.
pub(super) const OF_ANSWERS: [&str; 7] = [
    "annotations",
    "logprobs",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "tool_calls",
];

impl FieldRules for AnswerRules {
    const PATH: &'static str = "fields";

    fn check(name: &str, value: &Value) -> Result<(), &'static str> {
        match name {
            "tool_calls" if !are_calls(value) => {
                Err("is an array of objects, each with its index from 0 to 127")
            }
            "reasoning" | "reasoning_content" | "refusal" if !value.is_string() => Err("is a string"),
            name if OF_ANSWERS.contains(&name) => Ok(()),
            _ => Err("is no field of an answer"),
        }
    }
}

/// Clients put calls together by their index: one that is missing or large would make them fail, or fill their memory.
fn are_calls(value: &Value) -> bool {
    let is_call = |call: &Value| call["index"].as_u64().is_some_and(|index| index < MAX_TOOL_CALLS);
    value.as_array().is_some_and(|calls| !calls.is_empty() && calls.iter().all(is_call))
}
