//! `POST /v1/embeddings`.

use axum::Json;
use nervure_gateway::{ApiError, JsonBody};
use nervure_protocol::bounds::{MAX_INPUTS, MAX_TEXT};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{RequestPermit, find_model};
use crate::ModelKind;

/// An embedding request.
#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingBody {
    model: String,
    input: EmbeddingInput,
    #[serde(default)]
    encoding_format: EncodingFormat,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
enum EmbeddingInput {
    One(String),
    Many(Vec<String>),
}

/// The encoding of vectors; only numbers are supported.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

/// The handler.
pub(super) async fn embeddings(
    _permit: RequestPermit,
    JsonBody(body): JsonBody<EmbeddingBody>,
) -> Result<Json<Value>, ApiError> {
    let model = find_model(&body.model, ModelKind::Embedding)?;
    if body.encoding_format == EncodingFormat::Base64 {
        let message = "the mock model server encodes vectors as numbers only: use float";
        return Err(ApiError::unsupported("encoding_format", message));
    }
    let inputs = match body.input {
        EmbeddingInput::One(text) => vec![text],
        EmbeddingInput::Many(texts) => texts,
    };
    let bytes: usize = inputs.iter().map(String::len).sum();
    if inputs.is_empty() || inputs.len() > MAX_INPUTS || bytes > MAX_TEXT {
        let message = format!("must be 1 to {MAX_INPUTS} texts of at most {MAX_TEXT} bytes together");
        return Err(ApiError::bad("input", message));
    }
    let words: usize = inputs.iter().map(|text| text.split_whitespace().count()).sum();
    let data = inputs.iter().enumerate().map(
        |(index, text)| json!({ "object": "embedding", "index": index, "embedding": model.embed(text) }),
    );
    let usage = json!({ "prompt_tokens": words, "total_tokens": words });
    Ok(Json(
        json!({ "object": "list", "model": body.model, "data": data.collect::<Vec<_>>(), "usage": usage }),
    ))
}
