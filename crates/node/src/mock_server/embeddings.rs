//! `POST /v1/embeddings`.

use axum::Json;
use nervure_experts::{MAX_INPUTS, MAX_TEXT};
use nervure_mock_server::ModelKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Slot, named};
use crate::gateway::{ApiError, JsonBody};

/// A request.
#[derive(Debug, Deserialize)]
pub(super) struct EmbedBody {
    model: String,
    input: Input,
    #[serde(default)]
    encoding_format: Encoding,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// How vectors are written; the mock model server writes numbers.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Float,
    Base64,
}

/// The handler.
pub(super) async fn embeddings(
    _slot: Slot,
    JsonBody(body): JsonBody<EmbedBody>,
) -> Result<Json<Value>, ApiError> {
    let mock_server = named(&body.model, ModelKind::Embedding)?;
    if body.encoding_format == Encoding::Base64 {
        return Err(ApiError::unsupported(
            "encoding_format",
            "the mock model server writes vectors as numbers: say float",
        ));
    }
    let inputs = match body.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    let bytes: usize = inputs.iter().map(String::len).sum();
    if inputs.is_empty() || inputs.len() > MAX_INPUTS || bytes > MAX_TEXT {
        return Err(ApiError::bad("input", format!("1 to {MAX_INPUTS} texts of {MAX_TEXT} bytes together")));
    }
    let words: usize = inputs.iter().map(|text| text.split_whitespace().count()).sum();
    let data = inputs.iter().enumerate().map(
        |(index, text)| json!({ "object": "embedding", "index": index, "embedding": mock_server.embed(text) }),
    );
    let usage = json!({ "prompt_tokens": words, "total_tokens": words });
    Ok(Json(
        json!({ "object": "list", "model": body.model, "data": data.collect::<Vec<_>>(), "usage": usage }),
    ))
}
