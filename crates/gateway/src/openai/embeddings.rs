//! `POST /v1/embeddings`.
//!
//! Vectors are sent as numbers or, as the official clients request by default, as base64 of little-endian 32-bit
//! floats.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use data_encoding::BASE64;
use nervure_api::{QueryTarget, QueryTerms, ServiceError};
use nervure_protocol::{ExpertRequest, bounds::MAX_INPUTS};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::OneOrMany;
use crate::{
    App,
    answer::start,
    body::JsonBody,
    client::Client,
    error::ApiError,
    terms::{query, with_headers},
};

/// Most texts of a request, as OpenAI's. Experts get them in parts.
const MAX_TEXTS: usize = 2048;

/// A request for the vectors of texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "EmbeddingRequest")]
pub(crate) struct EmbedBody {
    /// The name of a model, or a capability.
    model: String,
    /// A text, or up to 2,048 texts; no tokens.
    #[schemars(with = "OneOrMany")]
    input: Value,
    /// How vectors are written.
    encoding_format: Option<Encoding>,
    /// Not supported: a vector has the length that its model gives it.
    #[schemars(with = "Option<()>")]
    dimensions: Option<Value>,
    /// Terms of the mesh.
    nervure: Option<QueryTerms>,
}

/// The reply of `/v1/embeddings`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EmbeddingList {
    /// Always `list`.
    object: &'static str,
    /// A vector per input, in order.
    data: Vec<Embedding>,
    /// The model that answered.
    model: String,
    /// Tokens of the expert.
    usage: EmbeddingUsage,
}

/// The vector of one input.
#[derive(Debug, Serialize, JsonSchema)]
struct Embedding {
    /// Always `embedding`.
    object: &'static str,
    /// The index of the input.
    index: usize,
    /// Numbers, or base64 of little-endian 32-bit floats.
    #[schemars(with = "EncodedVector")]
    embedding: Value,
}

/// A vector as one of the two encodings writes it; never made, only described.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "describes what `encode` makes")]
enum EncodedVector {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens of a request for vectors.
#[derive(Debug, Serialize, JsonSchema)]
struct EmbeddingUsage {
    /// Tokens read.
    prompt_tokens: u32,
    /// The same.
    total_tokens: u32,
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// Numbers.
    #[default]
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
}

/// The handler.
pub(crate) async fn embeddings(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<EmbedBody>,
) -> Result<Response, ApiError> {
    if body.dimensions.is_some_and(|value| !value.is_null()) {
        return Err(ApiError::unsupported(
            "dimensions",
            "not supported: a vector has the length that its model gives it",
        ));
    }
    let encoding = body.encoding_format.unwrap_or_default();
    let found = vectors(&app, client, &headers, (body.model, body.input, body.nervure)).await?;
    let data = found.vectors.iter().enumerate();
    let data = data.map(|(index, vector)| Embedding {
        object: "embedding",
        index,
        embedding: encode(vector, encoding),
    });
    let usage = EmbeddingUsage { prompt_tokens: found.prompt_tokens, total_tokens: found.prompt_tokens };
    let list = EmbeddingList { object: "list", data: data.collect(), model: found.model, usage };
    Ok((found.headers, Json(list)).into_response())
}

/// The vectors of texts.
#[derive(Default)]
pub(crate) struct Vectors {
    /// Those of the response, by the expert that answered first.
    pub(crate) headers: HeaderMap,
    /// The model that answered.
    pub(crate) model: String,
    /// A vector for each text, in order.
    pub(crate) vectors: Vec<Vec<f32>>,
    /// Tokens read.
    pub(crate) prompt_tokens: u32,
}

/// Asks for the vectors of texts, in parts that experts take: of a model, texts, and terms.
pub(crate) async fn vectors(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    (model, input, terms): (String, Value, Option<QueryTerms>),
) -> Result<Vectors, ApiError> {
    let inputs = inputs(input)?;
    let terms = with_headers(terms.unwrap_or_default(), headers)?;
    let (mut target, mut found) = (QueryTarget::Named(model), Vectors::default());
    for batch in inputs.chunks(MAX_INPUTS) {
        let request = ExpertRequest::Embed { inputs: batch.to_vec() };
        let query = query(terms.clone(), app, target, request, headers)?;
        let running = start(app, client.clone(), query).await?;
        if found.vectors.is_empty() {
            // Before the events are consumed. The trace is filled in when the answer ends.
            (found.headers, found.model) = (running.headers_and_trace(app), running.expert.model.clone());
        }
        // Vectors of other models cannot be compared with these.
        target = QueryTarget::Model(running.expert.model.clone());
        let (answer, _) = running.events.complete().await?;
        // The expert is not trusted to count: a client matches vectors to inputs by their places.
        if answer.vectors.len() != batch.len() {
            let reason = format!("{} vectors for {} inputs", answer.vectors.len(), batch.len());
            return Err(ServiceError::Interrupted { reason }.into());
        }
        found.vectors.extend(answer.vectors);
        found.prompt_tokens = found.prompt_tokens.saturating_add(answer.usage.prompt_tokens);
    }
    Ok(found)
}

/// One text or several, none empty.
fn inputs(value: Value) -> Result<Vec<String>, ApiError> {
    let reject = |message: String| Err(ApiError::bad("input", message));
    let inputs = match serde_json::from_value(value) {
        Ok(OneOrMany::One(text)) => vec![text],
        Ok(OneOrMany::Many(texts)) => texts,
        Err(_) => return reject("a string or an array of strings; tokens are not supported".into()),
    };
    if inputs.is_empty() || inputs.len() > MAX_TEXTS {
        return reject(format!("1 to {MAX_TEXTS} texts"));
    }
    if inputs.iter().any(String::is_empty) {
        return reject("a text must not be empty".into());
    }
    Ok(inputs)
}

/// A vector as JSON.
fn encode(vector: &[f32], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Float => json!(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            Value::String(BASE64.encode(&bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_base64_of_little_endian_floats() {
        assert_eq!(encode(&[1.0, -2.0], Encoding::Base64), json!("AACAPwAAAMA="));
    }

    #[test]
    fn accepts_texts_only() {
        assert_eq!(inputs(json!("a")).unwrap(), ["a"]);
        assert_eq!(inputs(json!(["a", "b"])).unwrap(), ["a", "b"]);
        for bad in
            [json!([]), json!([1, 2]), json!([["a"]]), json!(""), json!(["a", ""]), json!(null), json!({})]
        {
            assert!(inputs(bad.clone()).is_err(), "{bad}");
        }
        assert!(inputs(json!(vec!["a"; MAX_TEXTS + 1])).is_err());
    }
}
