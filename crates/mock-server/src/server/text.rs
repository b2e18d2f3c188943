//! `POST /v1/chat/completions` and `/v1/completions`: the last message of the user is the question. A token is a word.
//!
//! With tools, the first one is called with the question as its `text`, and the answer is the result that comes back: so
//! a client's loop can be tried without a language model.

use std::convert::Infallible;

use axum::{
    Json,
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures::stream;
use nervure_gateway::{ApiError, CompleteAnswer, JsonBody, ReplyBody, ReplyKind, TextReply, unix_seconds};
use nervure_protocol::{FinishReason, Usage, bounds::MAX_MESSAGES};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{RequestPermit, find_model};
use crate::ModelKind;

/// Most tokens of an answer when the request does not limit them.
const DEFAULT_MAX_TOKENS: u32 = 1024;

/// A request for text. Other fields of the API have no effect on a computed answer.
#[derive(Debug, Deserialize)]
pub(super) struct TextBody {
    model: String,
    #[serde(default)]
    messages: Vec<TextMessage>,
    prompt: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    tools: Vec<Value>,
    tool_choice: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct TextMessage {
    role: String,
    /// None where a tool was called.
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// `POST /v1/chat/completions`.
pub(super) async fn chat(
    _permit: RequestPermit,
    JsonBody(body): JsonBody<TextBody>,
) -> Result<Response, ApiError> {
    if body.messages.len() > MAX_MESSAGES {
        return Err(ApiError::bad("messages", format!("a conversation has at most {MAX_MESSAGES} messages")));
    }
    let of = |role: &str| body.messages.iter().rfind(|message| message.role == role);
    let question = of("user").and_then(|message| message.content.as_deref());
    let question = question.ok_or_else(|| ApiError::bad("messages", "no message of the user"))?;
    let result = body.messages.last().filter(|message| message.role == "tool");
    if result.is_none() && body.tool_choice != Some("none".into()) {
        let name = body.tools.first().and_then(|tool| tool["function"]["name"].as_str());
        if let Some(name) = name {
            return call(&body, question, name);
        }
    }
    let result = result.and_then(|message| message.content.as_deref());
    answer(&body, question, result, ReplyKind::Chat)
}

/// A call of the tool `name`, with the question as its argument: in two pieces, as servers stream it.
fn call(body: &TextBody, question: &str, name: &str) -> Result<Response, ApiError> {
    find_model(&body.model, ModelKind::Chat)?;
    let arguments = json!({ "text": question }).to_string();
    let first = json!({ "index": 0, "id": "call_0", "type": "function", "function": { "name": name, "arguments": "" } });
    let second = json!({ "index": 0, "function": { "arguments": arguments } });
    let piece = |call: Value| Map::from_iter([("tool_calls".to_owned(), json!([call]))]);
    let pieces = [piece(first), piece(second)];
    let usage = Usage { prompt_tokens: words(question), completion_tokens: 2 };
    let reply = TextReply::new(ReplyKind::Chat, body.model.clone(), unix_seconds());
    if body.stream.unwrap_or(false) {
        let pieces = pieces.into_iter().map(|piece| reply.fields_chunk(piece));
        return Ok(sse(&reply, pieces, FinishReason::ToolCalls, body.wanted(usage)));
    }
    let function = json!({ "name": name, "arguments": arguments });
    let fields = piece(json!({ "id": "call_0", "type": "function", "function": function }));
    let complete = CompleteAnswer { fields, usage, ..CompleteAnswer::default() };
    Ok(Json(reply.complete(complete, FinishReason::ToolCalls)).into_response())
}

/// Words of a text, which are its tokens.
fn words(text: &str) -> u32 {
    u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
}

/// `POST /v1/completions`.
pub(super) async fn completions(
    _permit: RequestPermit,
    JsonBody(body): JsonBody<TextBody>,
) -> Result<Response, ApiError> {
    let question = body.prompt.as_deref().ok_or_else(|| ApiError::bad("prompt", "must be a string"))?;
    answer(&body, question, None, ReplyKind::Completion)
}

fn answer(
    body: &TextBody,
    question: &str,
    result: Option<&str>,
    kind: ReplyKind,
) -> Result<Response, ApiError> {
    let model = find_model(&body.model, ModelKind::Chat)?;
    let text = match result {
        Some(result) => format!("The tool says: {result}"),
        None => model.answer(question),
    };
    let max_tokens = body.max_completion_tokens.or(body.max_tokens).unwrap_or(DEFAULT_MAX_TOKENS) as usize;
    let pieces: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let reason = if pieces.len() > max_tokens { FinishReason::Length } else { FinishReason::Stop };
    let pieces = pieces.get(..max_tokens).unwrap_or(&pieces);
    let written = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let usage = Usage { prompt_tokens: words(question), completion_tokens: written };
    let reply = TextReply::new(kind, body.model.clone(), unix_seconds());
    if body.stream.unwrap_or(false) {
        let pieces = pieces.iter().map(|word| reply.chunk((*word).to_owned()));
        return Ok(sse(&reply, pieces, reason, body.wanted(usage)));
    }
    let complete = CompleteAnswer { text: pieces.concat(), usage, ..CompleteAnswer::default() };
    Ok(Json(reply.complete(complete, reason)).into_response())
}

impl TextBody {
    /// The usage, if the client wants it at the end of a stream.
    fn wanted(&self, usage: Usage) -> Option<Usage> {
        let wanted = self.stream_options.as_ref().and_then(|options| options.include_usage);
        wanted.unwrap_or(false).then_some(usage)
    }
}

/// The answer as server-sent events, one for each of `pieces`.
fn sse<'r>(
    reply: &'r TextReply,
    pieces: impl Iterator<Item = ReplyBody<'r>>,
    reason: FinishReason,
    usage: Option<Usage>,
) -> Response {
    // These types always encode; an event that did not would be empty, and clients skip empty events.
    let event = |body: ReplyBody<'_>| Event::default().json_data(body).unwrap_or_default();
    let mut events: Vec<Event> = reply.first_chunk().map(event).into_iter().collect();
    events.extend(pieces.map(event));
    events.push(event(reply.last_chunk(reason)));
    events.extend(usage.map(|usage| event(reply.usage_chunk(usage))));
    events.push(Event::default().data("[DONE]"));
    Sse::new(stream::iter(events.into_iter().map(Ok::<_, Infallible>))).into_response()
}
