//! `POST /v1/completions`.

use axum::{extract::State, http::HeaderMap, response::Response};
use nervure_protocol::ExpertRequest;
use serde_json::Value;

use super::{generate, request::GenerateBody};
use crate::{App, body::JsonBody, client::Client, error::ApiError};

/// The handler.
pub(crate) async fn completions(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(mut body): JsonBody<GenerateBody>,
) -> Result<Response, ApiError> {
    let sampling = body.sampling()?;
    let prompt = prompt(body.prompt.take())?;
    generate(&app, client, &headers, body, ExpertRequest::Complete { prompt, sampling }).await
}

/// One text: a string, or an array of one. Tokens are rejected: each expert has its own tokenizer.
fn prompt(value: Option<Value>) -> Result<String, ApiError> {
    let reject = |message| Err(ApiError::bad("prompt", message));
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(mut items)) => match (items.pop(), items.is_empty()) {
            (Some(Value::String(text)), true) => Ok(text),
            (Some(Value::String(_)), false) => {
                reject("one prompt per request is supported; send several requests")
            }
            _ => reject(
                "a string; arrays of tokens are not supported, because each expert has its own tokenizer",
            ),
        },
        None | Some(Value::Null) => reject("missing: the text to continue"),
        Some(_) => reject("a string"),
    }
}
