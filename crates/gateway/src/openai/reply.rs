//! Replies in the form of the OpenAI API: complete ones, and the chunks of a stream.

use nervure_protocol::{FinishReason, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::{MessageParts, of_message};
use crate::CompleteAnswer;

/// Which endpoint's form a reply has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completion,
}

/// The common fields of the bodies of a reply.
#[derive(Debug, Clone)]
pub struct TextReply {
    kind: ReplyKind,
    id: String,
    created: u64,
    model: String,
}

/// A body: a complete reply, or a chunk.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reply")]
pub struct ReplyBody<'r> {
    /// The same in all chunks of a stream.
    id: &'r str,
    /// `chat.completion`, `chat.completion.chunk` or `text_completion`.
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    /// The model that answered.
    model: &'r str,
    /// One choice; none in the chunk of usage.
    choices: Vec<Choice>,
    /// Tokens of the expert; in a stream with `include_usage`, `null` in every chunk but the last.
    // Outer none: no such field. Inner none: `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageBody>>,
}

/// The answer, or a piece of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplyChoice")]
struct Choice {
    /// Always 0.
    index: u32,
    /// The message, of a complete chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    /// The next piece, of a chat as a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta>,
    /// The text or its next piece, of a completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Those of the expert's model server, where they were asked for.
    logprobs: Option<Value>,
    /// `stop`, `length`, `tool_calls`, or `content_filter` for any other reason; `null` until the last piece.
    finish_reason: Option<&'static str>,
}

/// The message of a complete chat.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplyMessage")]
struct Message {
    /// Always `assistant`.
    role: &'static str,
    /// Its text; none where tools are called instead.
    content: Option<String>,
    /// Why the model does not answer.
    refusal: Option<Value>,
    /// `tool_calls`, `reasoning_content`, and the like.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// A piece of a message.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "ReplyDelta")]
struct Delta {
    /// `assistant`, in the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// `tool_calls`, `reasoning_content`, and the like.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Usage in tokens of the expert.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "ReplyUsage")]
struct UsageBody {
    /// Tokens read.
    prompt_tokens: u32,
    /// Tokens written.
    completion_tokens: u32,
    /// Their sum.
    total_tokens: u32,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens } = usage;
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
        }
    }
}

impl TextReply {
    /// A reply by `model`, `created` seconds after 1970.
    pub fn new(kind: ReplyKind, model: String, created: u64) -> Self {
        let prefix = if kind == ReplyKind::Chat { "chatcmpl" } else { "cmpl" };
        Self { kind, id: format!("{prefix}-{:032x}", rand::random::<u128>()), created, model }
    }

    /// The complete reply.
    pub fn complete(&self, answer: CompleteAnswer, reason: FinishReason) -> ReplyBody<'_> {
        let MessageParts { logprobs, refusal, others } = of_message(answer.fields);
        let choice = Choice { logprobs, ..Choice::new(Some(finish_reason(reason))) };
        let choice = match self.kind {
            ReplyKind::Chat => {
                // Clients take an empty text for an answer.
                let is_call = answer.text.is_empty() && others.contains_key("tool_calls");
                let content = (!is_call).then_some(answer.text);
                let message = Message { role: "assistant", content, refusal, others };
                Choice { message: Some(message), ..choice }
            }
            ReplyKind::Completion => Choice { text: Some(answer.text), ..choice },
        };
        let object = if self.kind == ReplyKind::Chat { "chat.completion" } else { "text_completion" };
        ReplyBody { object, usage: Some(Some(answer.usage.into())), ..self.body(vec![choice]) }
    }

    /// The first chunk of a chat, which names the role.
    pub fn first_chunk(&self) -> Option<ReplyBody<'_>> {
        let delta = Delta { role: Some("assistant"), content: Some(String::new()), others: Map::new() };
        (self.kind == ReplyKind::Chat)
            .then(|| self.body(vec![Choice { delta: Some(delta), ..Choice::new(None) }]))
    }

    /// A chunk of text.
    pub fn chunk(&self, text: String) -> ReplyBody<'_> {
        self.body(vec![self.part(Some(text), None)])
    }

    /// A chunk of what an answer has beside its text.
    pub fn fields_chunk(&self, mut fields: Map<String, Value>) -> ReplyBody<'_> {
        let logprobs = fields.remove("logprobs");
        let mut choice = Choice { logprobs, ..self.part(None, None) };
        if let Some(delta) = &mut choice.delta {
            delta.others = fields;
        }
        self.body(vec![choice])
    }

    /// The chunk that says why the answer ended.
    pub fn last_chunk(&self, reason: FinishReason) -> ReplyBody<'_> {
        self.body(vec![self.part(None, Some(finish_reason(reason)))])
    }

    /// The chunk of usage; it has no choice.
    pub fn usage_chunk(&self, usage: Usage) -> ReplyBody<'_> {
        ReplyBody { usage: Some(Some(usage.into())), ..self.body(Vec::new()) }
    }

    fn part(&self, text: Option<String>, reason: Option<&'static str>) -> Choice {
        match self.kind {
            ReplyKind::Chat => {
                Choice { delta: Some(Delta { content: text, ..Delta::default() }), ..Choice::new(reason) }
            }
            ReplyKind::Completion => Choice { text: Some(text.unwrap_or_default()), ..Choice::new(reason) },
        }
    }

    fn body(&self, choices: Vec<Choice>) -> ReplyBody<'_> {
        let object = if self.kind == ReplyKind::Chat { "chat.completion.chunk" } else { "text_completion" };
        ReplyBody { id: &self.id, object, created: self.created, model: &self.model, choices, usage: None }
    }
}

impl ReplyBody<'_> {
    /// With `"usage": null`, unless it has a usage.
    pub fn with_null_usage(mut self) -> Self {
        self.usage.get_or_insert(None);
        self
    }
}

impl Choice {
    fn new(finish_reason: Option<&'static str>) -> Self {
        Self { index: 0, message: None, delta: None, text: None, logprobs: None, finish_reason }
    }
}

/// The `finish_reason` of the OpenAI API.
fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        // Something else cut it short; a client must not take it for the model's own end.
        FinishReason::Other => "content_filter",
    }
}
