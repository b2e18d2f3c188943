//! `POST /v1/chat/completions` and `/v1/completions`: the last message of the user is the question. A token is a word.

use std::convert::Infallible;

use axum::{
    Json,
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures::stream;
use nervure_gateway::{ApiError, CompleteAnswer, JsonBody, ReplyKind, TextReply, unix_seconds};
use nervure_protocol::{FinishReason, Usage, bounds::MAX_MESSAGES};
use serde::Deserialize;

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
}

#[derive(Debug, Deserialize)]
struct TextMessage {
    role: String,
    content: String,
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
    let last = body.messages.iter().rfind(|message| message.role == "user");
    let question = last.map(|message| message.content.as_str());
    let question = question.ok_or_else(|| ApiError::bad("messages", "no message of the user"))?;
    answer(&body, question, ReplyKind::Chat)
}

/// `POST /v1/completions`.
pub(super) async fn completions(
    _permit: RequestPermit,
    JsonBody(body): JsonBody<TextBody>,
) -> Result<Response, ApiError> {
    let question = body.prompt.as_deref().ok_or_else(|| ApiError::bad("prompt", "must be a string"))?;
    answer(&body, question, ReplyKind::Completion)
}

fn answer(body: &TextBody, question: &str, kind: ReplyKind) -> Result<Response, ApiError> {
    let model = find_model(&body.model, ModelKind::Chat)?;
    let text = model.answer(question);
    let max_tokens = body.max_completion_tokens.or(body.max_tokens).unwrap_or(DEFAULT_MAX_TOKENS) as usize;
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let reason = if words.len() > max_tokens { FinishReason::Length } else { FinishReason::Stop };
    let words = words.get(..max_tokens).unwrap_or(&words);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let usage = Usage {
        prompt_tokens: count(question.split_whitespace().count()),
        completion_tokens: count(words.len()),
    };
    let reply = TextReply::new(kind, body.model.clone(), unix_seconds());
    if body.stream.unwrap_or(false) {
        let wanted = body.stream_options.as_ref().and_then(|options| options.include_usage);
        let usage = wanted.unwrap_or(false).then_some(usage);
        return Ok(sse(&reply, words, reason, usage).into_response());
    }
    let complete = CompleteAnswer { text: words.concat(), usage, ..CompleteAnswer::default() };
    Ok(Json(reply.complete(complete, reason)).into_response())
}

/// The answer as server-sent events, one word each.
fn sse(
    reply: &TextReply,
    words: &[&str],
    reason: FinishReason,
    usage: Option<Usage>,
) -> impl IntoResponse + use<> {
    // These types always encode; an event that did not would be empty, and clients skip empty events.
    let event = |body| Event::default().json_data(body).unwrap_or_default();
    let mut events: Vec<Event> = reply.first_chunk().map(event).into_iter().collect();
    events.extend(words.iter().map(|word| event(reply.chunk((*word).to_owned()))));
    events.push(event(reply.last_chunk(reason)));
    events.extend(usage.map(|usage| event(reply.usage_chunk(usage))));
    events.push(Event::default().data("[DONE]"));
    Sse::new(stream::iter(events.into_iter().map(Ok::<_, Infallible>)))
}
