//! `POST /v1/chat/completions` and `/v1/completions`: the last message of a user is the question. A token is a word.

use std::convert::Infallible;

use axum::{
    Json,
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures::stream;
use nervure_experts::{FinishReason, MAX_MESSAGES, Usage};
use nervure_gateway::{ApiError, CompleteAnswer, JsonBody, ReplyKind, TextReply, unix_seconds};
use nervure_mock_server::ModelKind;
use serde::Deserialize;

use super::{Slot, named};

/// Maximum tokens of an answer if the request does not set it.
const DEFAULT_MAX_TOKENS: u32 = 1024;

/// A request; other fields of the API do not change the answer and are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct TextBody {
    model: String,
    #[serde(default)]
    messages: Vec<Message>,
    prompt: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// `POST /v1/chat/completions`.
pub(super) async fn chat(_slot: Slot, JsonBody(body): JsonBody<TextBody>) -> Result<Response, ApiError> {
    if body.messages.len() > MAX_MESSAGES {
        return Err(ApiError::bad("messages", format!("a conversation has at most {MAX_MESSAGES} messages")));
    }
    let last = body.messages.iter().rfind(|message| message.role == "user");
    let question = last.map(|message| message.content.as_str());
    answer(&body, question.ok_or_else(|| ApiError::bad("messages", "no message of a user"))?, ReplyKind::Chat)
}

/// `POST /v1/completions`.
pub(super) async fn completions(
    _slot: Slot,
    JsonBody(body): JsonBody<TextBody>,
) -> Result<Response, ApiError> {
    let question = body.prompt.as_deref().ok_or_else(|| ApiError::bad("prompt", "a string"))?;
    answer(&body, question, ReplyKind::Completion)
}

fn answer(body: &TextBody, question: &str, form: ReplyKind) -> Result<Response, ApiError> {
    let mock_server = named(&body.model, ModelKind::Chat)?;
    let text = mock_server.answer(question);
    let max = body.max_completion_tokens.or(body.max_tokens).unwrap_or(DEFAULT_MAX_TOKENS) as usize;
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let reason = if words.len() > max { FinishReason::Length } else { FinishReason::Stop };
    let words = words.get(..max).unwrap_or(&words);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let usage = Usage {
        prompt_tokens: count(question.split_whitespace().count()),
        completion_tokens: count(words.len()),
    };
    let reply = TextReply::new(form, body.model.clone(), unix_seconds());
    if body.stream.unwrap_or(false) {
        let wanted = body.stream_options.as_ref().and_then(|options| options.include_usage);
        let usage = wanted.unwrap_or(false).then_some(usage);
        return Ok(sse(&reply, words, reason, usage).into_response());
    }
    let whole = CompleteAnswer { text: words.concat(), usage, ..CompleteAnswer::default() };
    Ok(Json(reply.complete(whole, reason)).into_response())
}

/// The answer word by word.
fn sse(
    reply: &TextReply,
    words: &[&str],
    reason: FinishReason,
    usage: Option<Usage>,
) -> impl IntoResponse + use<> {
    // Our types always encode; otherwise the event would be empty, which clients skip.
    let event = |body| Event::default().json_data(body).unwrap_or_default();
    let mut events: Vec<Event> = reply.first_chunk().map(event).into_iter().collect();
    events.extend(words.iter().map(|word| event(reply.chunk((*word).to_owned()))));
    events.push(event(reply.last_chunk(reason)));
    events.extend(usage.map(|usage| event(reply.usage_chunk(usage))));
    events.push(Event::default().data("[DONE]"));
    Sse::new(stream::iter(events.into_iter().map(Ok::<_, Infallible>)))
}
