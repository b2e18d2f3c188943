//! `POST /v1/chat/completions`.

use axum::{extract::State, http::HeaderMap, response::Response};
use nervure_primitives::Excerpt;
use nervure_protocol::{ChatMessage, ExpertRequest, Role, bounds::MAX_MESSAGES};
use serde_json::Value;

use super::{generate, request};
use crate::{App, body::JsonBody, client::Client, error::ApiError};

/// The handler.
pub(crate) async fn chat(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(mut body): JsonBody<request::GenerateBody>,
) -> Result<Response, ApiError> {
    let sampling = body.sampling()?;
    let messages = body.messages.take().unwrap_or_default();
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(ApiError::bad("messages", format!("a conversation has 1 to {MAX_MESSAGES} messages")));
    }
    let messages = messages.into_iter().enumerate().map(|(at, message)| convert(at, message));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    generate(&app, client, &headers, body, ExpertRequest::Chat { messages, sampling }).await
}

/// Message number `at`, as experts take it.
fn convert(at: usize, message: request::Message) -> Result<ChatMessage, ApiError> {
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let message =
                format!("'{}' is not supported: system, developer, user or assistant", Excerpt::new(other));
            return Err(ApiError::bad(format!("messages[{at}].role"), message));
        }
    };
    let bad = |message| ApiError::bad(format!("messages[{at}].content"), message);
    let content = match message.content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            parts.iter().map(text_of).collect::<Option<String>>().ok_or_else(|| {
                bad("only parts of the form {\"type\": \"text\", \"text\": ..} are supported")
            })?
        }
        _ => return Err(bad("a string, or an array of text parts")),
    };
    Ok(ChatMessage { role, content })
}

/// The text of a text part.
fn text_of(part: &Value) -> Option<&str> {
    if part["type"] == "text" { part["text"].as_str() } else { None }
}
