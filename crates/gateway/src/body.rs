//! Reads a JSON body from an untrusted client: bounded in bytes, time and depth, and only if its content type says
//! JSON.
//!
//! The content type is required because a web page can send `text/plain` to any server without a preflight request,
//! but not `application/json`. `serde_json` bounds the depth to 128 levels, and skips unknown fields without recursion.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use futures::StreamExt;
use nervure_api::ApiErrorCode;
use nervure_primitives::Excerpt;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::{config::HttpLimits, error::ApiError, state::GatewayState};

/// Bytes of one permit for memory.
pub(super) const KIB: usize = 1024;

/// When a client may try again that found no memory for its body.
const MEMORY_RETRY_DELAY: Duration = Duration::from_secs(1);

/// A router state that has limits.
pub trait HasLimits: Send + Sync {
    /// The limits.
    fn limits(&self) -> &HttpLimits;

    /// The memory for all bodies that are arriving, in KiB; unbounded by default.
    fn body_memory(&self) -> Option<&Arc<Semaphore>> {
        None
    }
}

impl<T: HasLimits> HasLimits for Arc<T> {
    fn limits(&self) -> &HttpLimits {
        self.as_ref().limits()
    }

    fn body_memory(&self) -> Option<&Arc<Semaphore>> {
        self.as_ref().body_memory()
    }
}

impl HasLimits for GatewayState {
    fn limits(&self) -> &HttpLimits {
        &self.config.limits
    }

    fn body_memory(&self) -> Option<&Arc<Semaphore>> {
        Some(&self.body_memory)
    }
}

/// A JSON body, decoded; an error names the field, the line and the column.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: HasLimits> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let limits = state.limits();
        let (parts, body) = request.into_parts();
        check_type(&parts.headers)?;
        match tokio::time::timeout(limits.body_timeout, read(body, limits, state.body_memory())).await {
            Ok(bytes) => decode(&bytes?).map(Self),
            Err(_) => {
                let message = format!("the body did not arrive within {} s", limits.body_timeout.as_secs());
                Err(ApiError::new(ApiErrorCode::BodyTimeout, message))
            }
        }
    }
}

/// Requires `application/json` and no compression.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let reject = |message| Err(ApiError::new(ApiErrorCode::UnsupportedMediaType, message));
    if headers.contains_key(header::CONTENT_ENCODING) {
        return reject("send the body as it is, without a content-encoding");
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    reject("send JSON, with the header 'Content-Type: application/json'")
}

/// Collects the body, up to the limit, in its part of the memory of all bodies.
async fn read(body: Body, limits: &HttpLimits, memory: Option<&Arc<Semaphore>>) -> Result<Bytes, ApiError> {
    let limit = limits.max_body.get();
    let too_large = || {
        let message = format!("a request body has at most {limit} bytes");
        ApiError::new(ApiErrorCode::BodyTooLarge, message)
    };
    // From `Content-Length`, where there is one.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large());
    }
    // Not of the announced size: a body counts for what has arrived of it.
    let (mut collected, mut reserved) = (Vec::new(), Vec::new());
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad("body", "the body was cut off"))?;
        // A chunked body announces nothing: it is counted as it arrives.
        if collected.len() + chunk.len() > limit {
            return Err(too_large());
        }
        if let Some(memory) = memory {
            let kib = u32::try_from(chunk.len().div_ceil(KIB)).unwrap_or(u32::MAX);
            reserved.push(memory.clone().try_acquire_many_owned(kib).map_err(|_| no_memory())?);
        }
        collected.extend_from_slice(&chunk);
    }
    Ok(collected.into())
}

fn no_memory() -> ApiError {
    let message = "this node is receiving as much as it accepts at once";
    ApiError::new(ApiErrorCode::TooManyRequests, message).retry_after(MEMORY_RETRY_DELAY)
}

/// Decodes; an error names the path of the invalid field.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let field = if matches!(path.as_str(), "." | "?") { "body".to_owned() } else { path };
        ApiError::bad(field, Excerpt::new(without_types(&error.into_inner().to_string())).to_string())
    })?;
    // Bytes after the value are an error as well: decoding the value alone leaves them unread.
    json.end().map_err(|error| ApiError::bad("body", Excerpt::new(error).to_string()))?;
    Ok(value)
}

/// An error of the decoder without the names of this program's types, which say nothing to a client.
fn without_types(message: &str) -> String {
    let Some((before, after)) = message.split_once("expected struct ") else { return message.to_owned() };
    // Serde writes the type, and for an array how many elements it would need.
    let place = after.find(" at line ").map_or("", |at| &after[at..]);
    format!("{before}expected an object{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Doc {
        #[serde(rename = "messages")]
        _messages: Vec<Message>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Message {
        #[serde(rename = "n")]
        _n: u8,
    }

    fn fault(text: &str) -> (String, String) {
        let error = decode::<Doc>(text.as_bytes()).unwrap_err().into_body().error;
        (error.param.unwrap(), error.message)
    }

    #[test]
    fn names_the_field_and_the_place_of_an_error() {
        let (param, message) = fault("{\"messages\": [{\"n\": 1},\n {\"n\": \"x\"}]}");
        assert_eq!(param, "messages[1].n");
        assert!(message.contains("line 2 column"), "{message}");
        assert_eq!(fault("{\"messages\": []").0, "body");
        assert!(fault("{\"messages\": []} x").1.contains("trailing characters"));
    }

    #[test]
    fn names_no_type_of_this_program() {
        assert_eq!(
            fault("[]"),
            ("body".into(), "body: invalid length 0, expected an object at line 1 column 2".into())
        );
        let (param, message) = fault("{\"messages\": [7]}");
        assert_eq!(param, "messages[0]");
        assert!(
            message.contains("expected an object at line 1") && !message.contains("Message"),
            "{message}"
        );
    }

    #[test]
    fn rejects_deep_nesting_without_a_stack_overflow() {
        let deep = "[".repeat(1 << 20);
        assert!(decode::<serde_json::Value>(deep.as_bytes()).is_err());
        let hidden = format!("{{\"messages\": [], \"x\": {deep}");
        assert!(decode::<Doc>(hidden.as_bytes()).is_err(), "a skipped value is not recursed into");
    }
}
