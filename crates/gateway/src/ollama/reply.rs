//! The answers of Ollama's API: lines of JSON, of which the last one has the numbers.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nervure_api::ServiceError;
use nervure_protocol::{ExpertEvent, FinishReason, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::items::{CallItem, ItemContent, Items, Step, TextKind};

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Of `/api/chat`: pieces of a message.
    Chat,
    /// Of `/api/generate`: pieces of a text.
    Text,
}

/// An answer on its way.
pub(super) struct Lines {
    shape: Shape,
    model: String,
    began: Instant,
    created_at: String,
    items: Items,
}

/// A line, or the whole answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "OllamaLine")]
pub(crate) struct Line {
    /// The model that answers.
    model: String,
    /// When the answer began (RFC 3339).
    created_at: String,
    /// The next piece of a chat, or all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<LineMessage>,
    /// The next piece of a text, or all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    /// What the model of a text thought.
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<String>,
    /// Whether this is the last line of a complete answer.
    done: bool,
    /// Why the answer broke off; in the last line then.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why the answer ended: `stop`, `length`, or `content_filter` for any other reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    done_reason: Option<&'static str>,
    /// Nanoseconds from the question on.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_duration: Option<u64>,
    /// Tokens read.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u32>,
    /// Tokens written.
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_count: Option<u32>,
}

/// A piece of a message.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OllamaReplyMessage")]
struct LineMessage {
    /// Always `assistant`.
    role: &'static str,
    /// Its text.
    content: String,
    /// What the model thought.
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<String>,
    /// Whole calls of tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
}

/// What a line says.
#[derive(Default)]
struct Piece {
    text: String,
    thinking: Option<String>,
    calls: Vec<Value>,
}

/// The vectors of texts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OllamaEmbedReply")]
pub(crate) struct EmbedReply {
    /// The model that answered.
    model: String,
    /// A vector for each text, in order.
    embeddings: Vec<Vec<f32>>,
    /// Nanoseconds from the question on.
    total_duration: u64,
    /// Tokens read.
    prompt_eval_count: u32,
}

/// The names that a request may have as its model.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OllamaTags")]
pub(crate) struct TagList {
    /// Models, capabilities and the operator's names.
    models: Vec<Tag>,
}

/// A name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OllamaTag")]
struct Tag {
    /// The name.
    name: String,
    /// The same.
    model: String,
    /// Always the beginning of 1970: records do not say when a model was made.
    modified_at: &'static str,
    /// Always 0: records do not say it.
    size: u64,
    /// Always empty: experts of one name may have other weights.
    digest: &'static str,
    /// Empty texts, for programs that expect them.
    details: Value,
}

impl TagList {
    /// Of these names.
    pub(super) fn of(names: Vec<String>) -> Self {
        let details = json!({
            "format": "", "family": "", "families": [], "parameter_size": "", "quantization_level": "",
        });
        let tag = |name: String| Tag {
            model: name.clone(),
            name,
            modified_at: "1970-01-01T00:00:00Z",
            size: 0,
            digest: "",
            details: details.clone(),
        };
        Self { models: names.into_iter().map(tag).collect() }
    }
}

impl EmbedReply {
    pub(super) fn new(
        model: String,
        embeddings: Vec<Vec<f32>>,
        prompt_eval_count: u32,
        began: Instant,
    ) -> Self {
        Self { model, embeddings, total_duration: nanoseconds(began.elapsed()), prompt_eval_count }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The time of day, as RFC 3339; empty where the clock is out of its bounds.
pub(super) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let at =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// A call as it is written here: the arguments are an object.
fn call(call: &CallItem) -> Result<Value, ServiceError> {
    Ok(json!({ "function": { "name": call.name, "arguments": call.decoded()? } }))
}

impl Lines {
    pub(super) fn new(shape: Shape, model: String, began: Instant, created_at: String) -> Self {
        Self { shape, model, began, created_at, items: Items::default() }
    }

    /// Adds the next piece of the answer; gives the lines of a stream for it. A call is a line when it is complete.
    ///
    /// # Errors
    /// When the answer has too many parts, or the arguments of a call are no JSON.
    pub(super) fn add(&mut self, event: &ExpertEvent) -> Result<Vec<Line>, ServiceError> {
        let mut lines = Vec::new();
        for step in self.items.add(event)? {
            let (Step::Opened(at) | Step::Added(at, _) | Step::Closed(at)) = step;
            let Some(item) = self.items.get(at) else { continue };
            let piece = match (step, &item.content) {
                (Step::Added(_, text), ItemContent::Text(item)) if item.kind == TextKind::Reasoning => {
                    Piece { thinking: Some(text), ..Piece::default() }
                }
                (Step::Added(_, text), ItemContent::Text(_)) => Piece { text, ..Piece::default() },
                (Step::Closed(_), ItemContent::Call(made)) => {
                    Piece { calls: vec![call(made)?], ..Piece::default() }
                }
                _ => continue,
            };
            lines.push(self.line(piece));
        }
        Ok(lines)
    }

    /// The last line of an answer that broke off.
    pub(super) fn broken(&self, error: String) -> Line {
        Line { error: Some(error), ..self.empty() }
    }

    fn empty(&self) -> Line {
        Line { model: self.model.clone(), created_at: self.created_at.clone(), ..Line::default() }
    }

    fn line(&self, piece: Piece) -> Line {
        let line = self.empty();
        let Piece { text, thinking, calls } = piece;
        match self.shape {
            Shape::Text => Line { response: Some(text), thinking, ..line },
            Shape::Chat => {
                let message = LineMessage { role: "assistant", content: text, thinking, tool_calls: calls };
                Line { message: Some(message), ..line }
            }
        }
    }

    fn done(&self, piece: Piece, usage: Usage, reason: FinishReason) -> Line {
        let reason = match reason {
            FinishReason::Stop | FinishReason::ToolCalls => "stop",
            FinishReason::Length => "length",
            // Something else cut it short; a client must not take it for the model's own end.
            FinishReason::Other => "content_filter",
        };
        Line {
            done: true,
            done_reason: Some(reason),
            total_duration: Some(nanoseconds(self.began.elapsed())),
            prompt_eval_count: Some(usage.prompt_tokens),
            eval_count: Some(usage.completion_tokens),
            ..self.line(piece)
        }
    }

    /// The last line of a stream.
    pub(super) fn last(&self, usage: Usage, reason: FinishReason) -> Line {
        self.done(Piece::default(), usage, reason)
    }

    /// The whole answer.
    ///
    /// # Errors
    /// When the arguments of a call are no JSON.
    pub(super) fn whole(&self, usage: Usage, reason: FinishReason) -> Result<Line, ServiceError> {
        let (mut piece, mut thinking) = (Piece::default(), String::new());
        for item in self.items.iter() {
            match &item.content {
                ItemContent::Text(text) if text.kind == TextKind::Reasoning => thinking.push_str(&text.text),
                ItemContent::Text(text) => piece.text.push_str(&text.text),
                ItemContent::Call(made) => piece.calls.push(call(made)?),
            }
        }
        piece.thinking = (!thinking.is_empty()).then_some(thinking);
        Ok(self.done(piece, usage, reason))
    }
}
