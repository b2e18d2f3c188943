//! `POST /v1/chat/completions`.

use axum::{extract::State, http::HeaderMap, response::Response};
use nervure_primitives::Excerpt;
use nervure_protocol::{
    ChatMessage, ExpertRequest, MessageFields, Role, bounds::MAX_MESSAGES, text_of_parts,
};
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
    let request = request(&mut body)?;
    generate(&app, client, &headers, body, request).await
}

/// The request that a body asks for.
pub(crate) fn request(body: &mut request::GenerateBody) -> Result<ExpertRequest, ApiError> {
    let sampling = body.sampling()?;
    let messages = body.messages.take().unwrap_or_default();
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(ApiError::bad("messages", format!("a conversation has 1 to {MAX_MESSAGES} messages")));
    }
    let messages = messages.into_iter().enumerate().map(|(at, message)| convert(at, message));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    Ok(ExpertRequest::Chat { messages, sampling })
}

/// Message number `at`, as experts take it.
fn convert(at: usize, message: request::Message) -> Result<ChatMessage, ApiError> {
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let message = format!(
                "'{}' is not supported: system, developer, user, assistant or tool",
                Excerpt::new(other)
            );
            return Err(ApiError::bad(format!("messages[{at}].role"), message));
        }
    };
    let bad = |field: &str, message: &str| ApiError::bad(format!("messages[{at}].{field}"), message);
    let mut others = message.others;
    // What is null or empty asks for nothing, and some servers refuse it.
    others.retain(|_, value| !value.is_null() && value != &Value::Array(Vec::new()));
    if role == Role::Tool && !others.get("tool_call_id").is_some_and(Value::is_string) {
        return Err(bad("tool_call_id", "the id of the call that this is the result of"));
    }
    let called = role == Role::Assistant && others.contains_key("tool_calls");
    let content = match message.content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) if parts.iter().all(is_part) => {
            let text = text_of_parts(&parts);
            if !parts.iter().all(|part| part["type"] == "text") {
                others.insert("content".to_owned(), Value::Array(parts));
            }
            text
        }
        None | Some(Value::Null) if called => {
            others.insert("content".to_owned(), Value::Null);
            String::new()
        }
        _ => {
            return Err(bad(
                "content",
                "a string, or an array of parts such as {\"type\": \"text\", \"text\": ..}",
            ));
        }
    };
    let fields = MessageFields::new(&others)
        .map_err(|error| ApiError::bad(format!("messages[{at}]"), error.reason))?;
    Ok(ChatMessage { role, content, fields })
}

/// Whether it is a part of a message: one of a known kind, or one for the expert's model server.
fn is_part(part: &Value) -> bool {
    match part["type"].as_str() {
        Some("text") => part["text"].is_string(),
        kind => kind.is_some(),
    }
}
