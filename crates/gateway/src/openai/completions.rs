//! `POST /v1/completions`.

use axum::{extract::State, http::HeaderMap, response::Response};
use nervure_experts::ExpertRequest;
use serde_json::Value;

use super::{generate, request::GenerateBody};
use crate::gateway::{App, answer::Slot, body::JsonBody, error::ApiError};

/// The handler.
pub(super) async fn completions(
    State(app): State<App>,
    slot: Slot,
    headers: HeaderMap,
    JsonBody(mut body): JsonBody<GenerateBody>,
) -> Result<Response, ApiError> {
    let sampling = body.sampling()?;
    let prompt = prompt(body.prompt.take())?;
    generate(&app, slot, &headers, body, ExpertRequest::Complete { prompt, sampling }).await
}

/// One text: a string, or an array of one. Tokens are refused: each expert has its own.
fn prompt(value: Option<Value>) -> Result<String, ApiError> {
    let refuse = |message| Err(ApiError::bad("prompt", message));
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(mut items)) => match (items.pop(), items.is_empty()) {
            (Some(Value::String(text)), true) => Ok(text),
            (Some(Value::String(_)), false) => {
                refuse("one prompt per request is offered; send several requests")
            }
            _ => {
                refuse("a string; arrays of tokens are not offered, because experts have tokens of their own")
            }
        },
        None | Some(Value::Null) => refuse("missing: the text to continue"),
        Some(_) => refuse("a string"),
    }
}
