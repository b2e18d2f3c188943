//! The blocks of an answer: as a message, and as the events of a stream.

use nervure_api::ServiceError;
use nervure_protocol::{ExpertEvent, FinishReason, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::items::{CallItem, ItemContent, Items, Step, TextItem, TextKind};

/// The answer so far.
pub(super) struct Blocks {
    id: String,
    model: String,
    items: Items,
}

/// A message of the model.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AnthropicMessagesReply")]
pub(crate) struct MessageBody {
    /// Its name.
    id: String,
    /// Always `message`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Always `assistant`.
    role: &'static str,
    /// The model that answered.
    model: String,
    /// Blocks: `text`, `tool_use`, `thinking`.
    content: Vec<Value>,
    /// `end_turn` (a stop string too), `max_tokens`, `tool_use`, or `refusal` for any other reason.
    stop_reason: Option<&'static str>,
    /// Always `null`: which stop string ended the answer is not known.
    stop_sequence: Option<()>,
    /// Tokens of the expert.
    usage: MessageUsage,
}

/// Usage in tokens of the expert.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "AnthropicUsage")]
struct MessageUsage {
    /// Tokens read.
    input_tokens: u32,
    /// Not counted.
    cache_creation_input_tokens: u32,
    /// Not counted.
    cache_read_input_tokens: u32,
    /// Tokens written.
    output_tokens: u32,
}

/// An event of a stream.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AnthropicEvent")]
pub(crate) struct MessageEvent {
    /// Its name.
    #[serde(rename = "type")]
    kind: String,
    /// What the type has.
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl From<Usage> for MessageUsage {
    fn from(usage: Usage) -> Self {
        Self { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens, ..Self::default() }
    }
}

const fn stop_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        // Something else cut it short; a client must not take it for the model's own end.
        FinishReason::Other => "refusal",
    }
}

/// A text as a block. What a model says when it refuses is a text here.
fn text_block(kind: TextKind, text: &str) -> Value {
    match kind {
        TextKind::Answer | TextKind::Refusal => json!({ "type": "text", "text": text, "citations": null }),
        TextKind::Reasoning => json!({ "type": "thinking", "thinking": text, "signature": "" }),
    }
}

fn call_block(call: &CallItem, input: Value) -> Value {
    json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
}

impl Blocks {
    /// Of the message with this id.
    pub(super) fn new(id: String, model: String) -> Self {
        Self { id, model, items: Items::default() }
    }

    /// Adds the next piece of the answer; gives the events of a stream for it.
    ///
    /// # Errors
    /// When the answer has too many blocks.
    pub(super) fn add(&mut self, event: &ExpertEvent) -> Result<Vec<Value>, ServiceError> {
        let steps = self.items.add(event)?;
        Ok(steps.into_iter().filter_map(|step| self.event(step)).collect())
    }

    fn event(&self, step: Step) -> Option<Value> {
        let (Step::Opened(at) | Step::Added(at, _) | Step::Closed(at)) = step;
        let content = &self.items.get(at)?.content;
        Some(match (step, content) {
            (Step::Opened(_), content) => {
                let block = match content {
                    ItemContent::Text(text) => text_block(text.kind, ""),
                    ItemContent::Call(call) => call_block(call, json!({})),
                };
                json!({ "type": "content_block_start", "index": at, "content_block": block })
            }
            (Step::Added(_, piece), content) => {
                let delta = match content {
                    ItemContent::Text(TextItem { kind: TextKind::Reasoning, .. }) => {
                        json!({ "type": "thinking_delta", "thinking": piece })
                    }
                    ItemContent::Text(_) => json!({ "type": "text_delta", "text": piece }),
                    ItemContent::Call(_) => json!({ "type": "input_json_delta", "partial_json": piece }),
                };
                json!({ "type": "content_block_delta", "index": at, "delta": delta })
            }
            (Step::Closed(_), _) => json!({ "type": "content_block_stop", "index": at }),
        })
    }

    /// The message as it begins.
    pub(super) fn begun(&self) -> MessageBody {
        MessageBody {
            id: self.id.clone(),
            kind: "message",
            role: "assistant",
            model: self.model.clone(),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage: MessageUsage::default(),
        }
    }

    /// The events at the end of a stream.
    pub(super) fn last(usage: Usage, reason: FinishReason) -> [Value; 2] {
        let delta = json!({ "stop_reason": stop_reason(reason), "stop_sequence": null });
        let usage = MessageUsage::from(usage);
        [
            json!({ "type": "message_delta", "delta": delta, "usage": usage }),
            json!({ "type": "message_stop" }),
        ]
    }

    /// The whole message.
    ///
    /// # Errors
    /// When the arguments of a call are no JSON: clients get an object.
    pub(super) fn ended(&self, usage: Usage, reason: FinishReason) -> Result<MessageBody, ServiceError> {
        let block = |content: &ItemContent| match content {
            ItemContent::Text(text) => Ok(text_block(text.kind, &text.text)),
            ItemContent::Call(call) => Ok(call_block(call, call.decoded()?)),
        };
        let content = self.items.iter().map(|item| block(&item.content)).collect::<Result<_, _>>()?;
        Ok(MessageBody {
            content,
            stop_reason: Some(stop_reason(reason)),
            usage: usage.into(),
            ..self.begun()
        })
    }
}
