//! The items of a response's output, and the events by which a stream builds them.

use nervure_api::ServiceError;
use nervure_protocol::{ExpertEvent, FinishReason, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::request::ResponseSettings;
use crate::items::{Item, ItemContent, Items, Step, TextItem, TextKind};

/// The items so far.
pub(super) struct Output {
    /// Part of each item's id.
    id: String,
    items: Items,
}

impl TextKind {
    /// The type of its events, without the end.
    const fn event(self) -> &'static str {
        match self {
            Self::Answer => "response.output_text",
            Self::Reasoning => "response.reasoning_text",
            Self::Refusal => "response.refusal",
        }
    }

    /// The field of its text in a part and in its last event.
    const fn field(self) -> &'static str {
        match self {
            Self::Answer | Self::Reasoning => "text",
            Self::Refusal => "refusal",
        }
    }
}

/// The part of an item that has this text.
fn part(kind: TextKind, text: &str, logprobs: &[Value]) -> Value {
    match kind {
        TextKind::Answer => {
            json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": logprobs })
        }
        TextKind::Reasoning => json!({ "type": "reasoning_text", "text": text }),
        TextKind::Refusal => json!({ "type": "refusal", "refusal": text }),
    }
}

impl Output {
    /// Of the response with this id.
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), items: Items::default() }
    }

    /// Adds the next piece of the answer; gives the events of a stream for it, without their numbers.
    ///
    /// # Errors
    /// When the answer has too many items.
    pub(super) fn add(&mut self, event: &ExpertEvent) -> Result<Vec<Value>, ServiceError> {
        let steps = self.items.add(event)?;
        Ok(steps.into_iter().flat_map(|step| self.events(step)).collect())
    }

    /// The items with this status.
    pub(super) fn items(&self, status: &str) -> Vec<Value> {
        self.items.iter().enumerate().map(|(at, item)| self.body(at, item, status)).collect()
    }

    /// The output as a message of a chat, for the conversation that is kept; none without output.
    pub(super) fn message(&self) -> Option<Value> {
        let (mut text, mut calls) = (String::new(), Vec::new());
        for item in self.items.iter() {
            match &item.content {
                ItemContent::Text(TextItem { kind: TextKind::Reasoning, .. }) => {}
                ItemContent::Text(piece) => text.push_str(&piece.text),
                ItemContent::Call(call) => calls.push(json!({
                    "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments },
                })),
            }
        }
        match (text.is_empty(), calls.is_empty()) {
            (true, true) => None,
            (_, true) => Some(json!({ "role": "assistant", "content": text })),
            (true, false) => Some(json!({ "role": "assistant", "content": null, "tool_calls": calls })),
            (false, false) => Some(json!({ "role": "assistant", "content": text, "tool_calls": calls })),
        }
    }

    fn events(&self, step: Step) -> Vec<Value> {
        let (Step::Opened(at) | Step::Added(at, _) | Step::Closed(at)) = step;
        let Some(item) = self.items.get(at) else { return Vec::new() };
        match (step, &item.content) {
            (Step::Opened(_), ItemContent::Text(text)) => {
                let empty = part(text.kind, "", &[]);
                vec![
                    json!({ "type": "response.output_item.added", "output_index": at, "item": self.opened(at, item) }),
                    self.about(
                        at,
                        "response.content_part.added",
                        &[("content_index", json!(0)), ("part", empty)],
                    ),
                ]
            }
            (Step::Opened(_), ItemContent::Call(_)) => {
                vec![
                    json!({ "type": "response.output_item.added", "output_index": at, "item": self.opened(at, item) }),
                ]
            }
            (Step::Added(_, piece), ItemContent::Text(text)) => {
                let mut details = vec![("content_index", json!(0)), ("delta", json!(piece))];
                if text.kind == TextKind::Answer {
                    details.push(("logprobs", json!([])));
                }
                vec![self.about(at, &format!("{}.delta", text.kind.event()), &details)]
            }
            (Step::Added(_, piece), ItemContent::Call(_)) => {
                vec![self.about(at, "response.function_call_arguments.delta", &[("delta", json!(piece))])]
            }
            (Step::Closed(_), content) => self.closed(at, item, content),
        }
    }

    fn closed(&self, at: usize, item: &Item, content: &ItemContent) -> Vec<Value> {
        let mut events = match content {
            ItemContent::Text(TextItem { kind, text, logprobs }) => {
                let mut details = vec![("content_index", json!(0)), (kind.field(), json!(text))];
                if *kind == TextKind::Answer {
                    details.push(("logprobs", json!(logprobs)));
                }
                let part = [("content_index", json!(0)), ("part", part(*kind, text, logprobs))];
                vec![
                    self.about(at, &format!("{}.done", kind.event()), &details),
                    self.about(at, "response.content_part.done", &part),
                ]
            }
            ItemContent::Call(call) => {
                let details = [("name", json!(call.name)), ("arguments", json!(call.arguments))];
                vec![self.about(at, "response.function_call_arguments.done", &details)]
            }
        };
        let body = self.body(at, item, "completed");
        events.push(json!({ "type": "response.output_item.done", "output_index": at, "item": body }));
        events
    }

    /// The id of the item at a place.
    fn item_id(&self, at: usize, item: &Item) -> String {
        let prefix = match &item.content {
            ItemContent::Text(TextItem { kind: TextKind::Reasoning, .. }) => "rs",
            ItemContent::Text(_) => "msg",
            ItemContent::Call(_) => "fc",
        };
        format!("{prefix}_{}{at:02x}", self.id)
    }

    /// An item as it begins.
    fn opened(&self, at: usize, item: &Item) -> Value {
        let mut body = self.body(at, item, "in_progress");
        match &item.content {
            ItemContent::Text(_) => body["content"] = json!([]),
            ItemContent::Call(_) => body["arguments"] = json!(""),
        }
        body
    }

    fn body(&self, at: usize, item: &Item, status: &str) -> Value {
        let id = self.item_id(at, item);
        match &item.content {
            ItemContent::Text(TextItem { kind, text, logprobs }) => {
                let content = [part(*kind, text, logprobs)];
                match kind {
                    TextKind::Reasoning => {
                        json!({ "id": id, "type": "reasoning", "status": status, "summary": [], "content": content })
                    }
                    TextKind::Answer | TextKind::Refusal => {
                        json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content })
                    }
                }
            }
            ItemContent::Call(call) => json!({
                "id": id, "type": "function_call", "status": status, "call_id": call.id, "name": call.name,
                "arguments": call.arguments,
            }),
        }
    }

    /// An event about the item at a place.
    fn about(&self, at: usize, kind: &str, details: &[(&str, Value)]) -> Value {
        let id = self.items.get(at).map(|item| self.item_id(at, item));
        let mut event = json!({ "type": kind, "item_id": id, "output_index": at });
        for (name, value) in details {
            event[*name] = value.clone();
        }
        event
    }
}

/// What all bodies of a response have in common.
pub(super) struct ResponseHead {
    id: String,
    created_at: u64,
    model: String,
    settings: ResponseSettings,
}

/// A response, as it is so far.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponsesReply")]
pub(crate) struct ResponseBody {
    /// By which another response continues this one.
    id: String,
    /// Always `response`.
    object: &'static str,
    /// Seconds since 1970.
    created_at: u64,
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    status: &'static str,
    /// Why it failed.
    error: Option<ResponseError>,
    /// Why it is incomplete.
    incomplete_details: Option<IncompleteDetails>,
    /// The model that answered.
    model: String,
    /// Items: `message`, `function_call`, `reasoning`.
    output: Vec<Value>,
    /// Tokens of the expert; at the end.
    usage: Option<ResponseUsage>,
    /// What the request said.
    #[serde(flatten)]
    settings: ResponseSettings,
}

/// Why a response failed.
#[derive(Debug, Serialize, JsonSchema)]
struct ResponseError {
    /// The code of the error.
    code: String,
    /// In words.
    message: String,
}

/// Why a response is incomplete.
#[derive(Debug, Serialize, JsonSchema)]
struct IncompleteDetails {
    /// `max_output_tokens` or `content_filter`.
    reason: &'static str,
}

/// Usage in tokens of the expert.
#[derive(Debug, Serialize, JsonSchema)]
struct ResponseUsage {
    /// Tokens read.
    input_tokens: u32,
    /// Of these, those of a cache; not counted.
    input_tokens_details: Value,
    /// Tokens written.
    output_tokens: u32,
    /// Of these, those of reasoning; not counted.
    output_tokens_details: Value,
    /// Their sum.
    total_tokens: u32,
}

impl ResponseHead {
    /// Of a response that begins.
    pub(super) fn new(id: &str, created_at: u64, model: String, settings: ResponseSettings) -> Self {
        Self { id: format!("resp_{id}"), created_at, model, settings }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether its conversation is to be kept.
    pub(super) fn is_stored(&self) -> bool {
        self.settings.store
    }

    /// The response without output.
    pub(super) fn begun(&self) -> ResponseBody {
        ResponseBody {
            id: self.id.clone(),
            object: "response",
            created_at: self.created_at,
            status: "in_progress",
            error: None,
            incomplete_details: None,
            model: self.model.clone(),
            output: Vec::new(),
            usage: None,
            settings: self.settings.clone(),
        }
    }

    /// The response at its end.
    pub(super) fn ended(&self, output: Vec<Value>, usage: Usage, reason: FinishReason) -> ResponseBody {
        let why = match reason {
            FinishReason::Stop | FinishReason::ToolCalls => None,
            FinishReason::Length => Some("max_output_tokens"),
            FinishReason::Other => Some("content_filter"),
        };
        let usage = ResponseUsage {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: json!({ "cached_tokens": 0 }),
            output_tokens: usage.completion_tokens,
            output_tokens_details: json!({ "reasoning_tokens": 0 }),
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
        };
        ResponseBody {
            status: if why.is_some() { "incomplete" } else { "completed" },
            incomplete_details: why.map(|reason| IncompleteDetails { reason }),
            output,
            usage: Some(usage),
            ..self.begun()
        }
    }

    /// The response that broke off.
    pub(super) fn failed(&self, output: Vec<Value>, code: String, message: String) -> ResponseBody {
        ResponseBody {
            status: "failed",
            error: Some(ResponseError { code, message }),
            output,
            ..self.begun()
        }
    }
}

impl ResponseBody {
    /// The type of the event that ends a stream with it.
    pub(super) fn last_event(&self) -> String {
        format!("response.{}", self.status)
    }
}
