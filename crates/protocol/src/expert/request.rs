//! Requests to an expert, and the bounds of each field.
//!
//! Requests come from untrusted clients inside a query's open frame, as canonical CBOR. Rates are integers in thousandths,
//! so that every request has one encoding. [`ExpertRequest::validate`] runs before any work.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ExtraFields, MessageFields};
use crate::bounds::{
    MAX_INPUTS, MAX_MESSAGES, MAX_STOP_LEN, MAX_STOPS, MAX_TEMPERATURE_MILLI, MAX_TEXT, MAX_TOKENS,
};

/// A field of a request that is out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldError {
    /// Path of the field.
    pub field: &'static str,
    /// What it must be.
    pub reason: String,
}

impl FieldError {
    pub(super) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// One request to an expert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExpertRequest {
    /// Continues a text.
    Complete {
        /// The text.
        prompt: String,
        /// How to choose tokens and when to stop.
        sampling: Sampling,
    },
    /// Answers the last message of a conversation.
    Chat {
        /// The conversation, oldest message first; at least one.
        messages: Vec<ChatMessage>,
        /// How to choose tokens and when to stop.
        sampling: Sampling,
    },
    /// Computes the vectors of texts.
    Embed {
        /// The texts; at least one.
        inputs: Vec<String>,
    },
    /// Computes the distribution of the byte that follows a context (byte-level models only).
    Distribution {
        /// The bytes before; a model sees only the end of a long context.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<u8>"))]
        context: Vec<u8>,
    },
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    /// The author.
    pub role: Role,
    /// The text; that of its parts of text together.
    pub content: String,
    /// Everything else that it has in the OpenAI API.
    #[serde(default, skip_serializing_if = "MessageFields::is_empty")]
    pub fields: MessageFields,
}

impl ChatMessage {
    /// A message that is a text.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), fields: MessageFields::default() }
    }

    /// Bytes of what a model reads of it.
    fn bytes(&self) -> usize {
        self.content.len().saturating_add(self.fields.as_str().len())
    }

    /// The text is what everything but the model reads: the parts that take its place must have the same one.
    fn validate(&self) -> Result<(), FieldError> {
        let fields = self.fields.fields();
        let same = match fields.get("content") {
            None => true,
            Some(Value::Array(parts)) => text_of_parts(parts) == self.content,
            Some(_) => self.content.is_empty(),
        };
        if same { Ok(()) } else { Err(FieldError::new("messages", "the parts have another text")) }
    }
}

/// The text of the text parts of a message.
#[must_use]
pub fn text_of_parts(parts: &[Value]) -> String {
    parts.iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
}

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool that the model called.
    Tool,
}

impl Role {
    /// Its name in the OpenAI API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// Bytes of a token of a text whose tokens are unknown.
const BYTES_PER_TOKEN: usize = 4;

/// How many tokens a text of so many bytes has, for models whose tokens are unknown. Rather too low: a byte-level model
/// counts four times as many.
#[must_use]
pub fn text_tokens(bytes: usize) -> u32 {
    u32::try_from(bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX)
}

/// How tokens are chosen, and when the answer stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Most tokens to write (bytes for byte-level models), at least 1. The model's own maximum applies too.
    pub max_tokens: u32,
    /// Temperature in thousandths, 0 to 5000; with 0 the most likely token is always chosen.
    pub temperature_milli: u32,
    /// Top-p: the probability mass of the most likely tokens among which one is chosen, in thousandths, 1 to 1000.
    pub top_p_milli: u32,
    /// With the same seed the answer is the same, if the model supports it.
    pub seed: Option<u64>,
    /// Strings that end the answer and are not part of it: at most 4, each of 1 to 64 bytes.
    pub stop: Vec<String>,
    /// The beginning of the answer, from an expert that failed. The new expert continues after it; both parts together
    /// have at most `max_tokens`. Empty for a new answer.
    #[serde(rename = "begun", default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Which of the settings above the asker left out. A model with defaults of its own uses those; others use the value
    /// that is stated, and so do estimates of what the answer costs.
    #[serde(default, skip_serializing_if = "Unset::is_none")]
    pub unset: Unset,
    /// Further fields of the OpenAI API, such as `response_format`, for the expert's model server. A model that does not
    /// have one of them refuses the request.
    #[serde(default, skip_serializing_if = "ExtraFields::is_empty")]
    pub extra: ExtraFields,
}

/// Settings that the asker left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Unset {
    /// [`Sampling::max_tokens`].
    pub max_tokens: bool,
    /// [`Sampling::temperature_milli`].
    pub temperature: bool,
    /// [`Sampling::top_p_milli`].
    pub top_p: bool,
}

impl Unset {
    /// Whether the asker gave all of them.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Sampling {
    /// 256 tokens, temperature 0.8, top-p 0.95, a random seed, no stop strings.
    fn default() -> Self {
        Self {
            max_tokens: 256,
            temperature_milli: 800,
            top_p_milli: 950,
            seed: None,
            stop: Vec::new(),
            prefix: String::new(),
            unset: Unset::default(),
            extra: ExtraFields::default(),
        }
    }
}

impl Sampling {
    /// Most tokens to write after the prefix, at least 1.
    #[must_use]
    pub fn remaining_tokens(&self) -> u32 {
        self.max_tokens.saturating_sub(text_tokens(self.prefix.len())).max(1)
    }

    /// Checks every field against its bounds.
    ///
    /// # Errors
    /// [`FieldError`] naming the first field out of bounds.
    pub fn validate(&self) -> Result<(), FieldError> {
        within("sampling.max_tokens", self.max_tokens, 1, MAX_TOKENS)?;
        within("sampling.temperature_milli", self.temperature_milli, 0, MAX_TEMPERATURE_MILLI)?;
        within("sampling.top_p_milli", self.top_p_milli, 1, 1000)?;
        if self.stop.len() > MAX_STOPS {
            return Err(FieldError::new("sampling.stop", format!("at most {MAX_STOPS} stop strings")));
        }
        if self.stop.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP_LEN) {
            return Err(FieldError::new("sampling.stop", format!("each of 1 to {MAX_STOP_LEN} bytes")));
        }
        Ok(())
    }
}

impl ExpertRequest {
    /// A chat of one user message.
    pub fn chat(prompt: impl Into<String>, sampling: Sampling) -> Self {
        Self::Chat { messages: vec![ChatMessage::new(Role::User, prompt)], sampling }
    }

    /// How its tokens are chosen; none where it asks for vectors or a distribution.
    #[must_use]
    pub fn sampling(&self) -> Option<&Sampling> {
        match self {
            Self::Complete { sampling, .. } | Self::Chat { sampling, .. } => Some(sampling),
            Self::Embed { .. } | Self::Distribution { .. } => None,
        }
    }

    /// The same request with this seed, where it has none. The asker draws the seed, so that the receipt names it and
    /// the answer can be repeated.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        if let Self::Complete { sampling, .. } | Self::Chat { sampling, .. } = &mut self {
            sampling.seed.get_or_insert(seed);
        }
        self
    }

    /// Bytes of what the model reads, all messages or inputs together.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Complete { prompt, .. } => prompt.len(),
            Self::Chat { messages, .. } => messages.iter().map(ChatMessage::bytes).sum(),
            Self::Embed { inputs } => inputs.iter().map(String::len).sum(),
            Self::Distribution { context } => context.len(),
        }
    }

    /// Whether the answer may be calls of tools instead of a text.
    #[must_use]
    pub fn has_tools(&self) -> bool {
        self.sampling().is_some_and(|sampling| sampling.extra.fields().contains_key("tools"))
    }

    /// Refuses what a model that reads and writes text alone does not have: further fields, and results of tools.
    ///
    /// # Errors
    /// [`FieldError`] naming the first one.
    pub fn text_only(&self) -> Result<(), FieldError> {
        self.sampling().map_or(Ok(()), |sampling| sampling.extra.none())?;
        let Self::Chat { messages, .. } = self else { return Ok(()) };
        messages.iter().try_for_each(|message| {
            message.fields.none()?;
            match message.role {
                Role::Tool => Err(FieldError::new("messages", "this model does not support the role 'tool'")),
                Role::System | Role::User | Role::Assistant => Ok(()),
            }
        })
    }

    /// Checks every field against its bounds.
    ///
    /// # Errors
    /// [`FieldError`] naming the first field out of bounds.
    pub fn validate(&self) -> Result<(), FieldError> {
        match self {
            Self::Complete { prompt, sampling } => {
                text_within("prompt", [prompt.len(), sampling.prefix.len()])?;
                sampling.validate()
            }
            Self::Chat { messages, sampling } => {
                count_within("messages", messages.len(), MAX_MESSAGES)?;
                let lengths = messages.iter().map(ChatMessage::bytes);
                text_within("messages", lengths.chain([sampling.prefix.len()]))?;
                messages.iter().try_for_each(ChatMessage::validate)?;
                sampling.validate()
            }
            Self::Embed { inputs } => {
                count_within("inputs", inputs.len(), MAX_INPUTS)?;
                text_within("inputs", inputs.iter().map(String::len))
            }
            Self::Distribution { context } => text_within("context", [context.len()]),
        }
    }
}

fn within(field: &'static str, value: u32, low: u32, high: u32) -> Result<(), FieldError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("{value} is not within {low} and {high}")))
}

fn count_within(field: &'static str, count: usize, max: usize) -> Result<(), FieldError> {
    if (1..=max).contains(&count) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("{count} given, 1 to {max} allowed")))
}

fn text_within(field: &'static str, lengths: impl IntoIterator<Item = usize>) -> Result<(), FieldError> {
    let total = lengths.into_iter().fold(0usize, usize::saturating_add);
    if total <= MAX_TEXT {
        return Ok(());
    }
    Err(FieldError::new(field, format!("{total} bytes of text, at most {MAX_TEXT} allowed")))
}

#[cfg(test)]
mod tests;
