//! Converts an error response of an upstream into an [`ExpertError`].

use std::time::Duration;

use nervure_protocol::query::ErrorText;
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::body::BoundedResponse;
use crate::ExpertError;

/// Longest error body that is read, in bytes.
const MAX_ERROR_BODY_BYTES: usize = 16 << 10;

/// Bounds of the retry delay that an upstream can impose on clients, and its default.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
const DEFAULT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// An error object of the API. Servers differ: `code` may be a number, `error` may be a string.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UpstreamErrorBody {
    message: String,
    code: Value,
    #[serde(rename = "type")]
    kind: Value,
}

impl UpstreamErrorBody {
    /// The error in a JSON body of the form `{"error": {..}}`, `{"error": ".."}` or `{"message": ..}`.
    pub(super) fn of(body: &Value) -> Option<Self> {
        match body.get("error") {
            Some(Value::String(message)) => Some(Self { message: message.clone(), ..Self::default() }),
            Some(error @ Value::Object(_)) => serde_json::from_value(error.clone()).ok(),
            _ => {
                let message = body.get("message")?.as_str()?.to_owned();
                Some(Self { message, ..Self::default() })
            }
        }
    }

    /// The error that it means together with the HTTP status and the `Retry-After` header.
    pub(super) fn into_error(self, status: u16, retry_after: Option<Duration>) -> ExpertError {
        // Servers put the name into either field: OpenAI into `code`, llama.cpp into `type`.
        let has_code = |word: &str| [&self.code, &self.kind].iter().any(|name| name.as_str() == Some(word));
        let message = ErrorText::from(self.message);
        match status {
            429 | 503 => ExpertError::Busy {
                retry_after: retry_after
                    .unwrap_or(DEFAULT_RETRY_DELAY)
                    .clamp(MIN_RETRY_DELAY, MAX_RETRY_DELAY),
            },
            400 | 413 | 422
                if has_code("context_length_exceeded")
                    || has_code("exceed_context_size_error")
                    || says_too_long(&message.to_string()) =>
            {
                ExpertError::ContextTooLong { limit: 0, message }
            }
            // The request is wrong, or asks for what the server does not do: the asker can mend that, and the expert has
            // not failed.
            400 | 405 | 406 | 413 | 415 | 422 | 501 => ExpertError::field("request", message.to_string()),
            _ => ExpertError::UpstreamRefused { status, message },
        }
    }
}

/// Whether a message says that a prompt does not fit, in the words of vLLM, SGLang, llama.cpp, Ollama, TGI or Anthropic, which
/// have no code for it.
fn says_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().all(|word| message.contains(word));
    has(&["maximum context length"])
        || has(&["context length", "exceed"])
        || has(&["context size", "exceed"])
        || has(&["context window", "exceed"])
        || has(&["max_new_tokens", "must be <="])
        || has(&["inputs", "must have less than", "tokens"])
        || has(&["prompt is too long"])
}

/// Reads an error response.
pub(super) async fn read(response: BoundedResponse) -> ExpertError {
    let (status, delay) = (response.head().status(), retry_after(response.head()));
    // A body that breaks a bound counts as empty: the status alone says enough.
    let body = response.with_max_bytes(MAX_ERROR_BODY_BYTES).read().await.unwrap_or_default();
    let error = serde_json::from_slice(&body).ok().and_then(|body: Value| UpstreamErrorBody::of(&body));
    let error = error.unwrap_or_else(|| UpstreamErrorBody {
        message: status.canonical_reason().unwrap_or("no reason given").to_owned(),
        ..UpstreamErrorBody::default()
    });
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        // The message may quote the API key, which is the operator's; the client must not see it.
        let message = ErrorText::from("it does not accept this node's API key");
        return ExpertError::UpstreamRefused { status: status.as_u16(), message };
    }
    error.into_error(status.as_u16(), delay)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The error for a failed connection. It does not contain the URL, which is for the operator only.
pub(super) fn unavailable(error: &reqwest::Error) -> ExpertError {
    let reason = if error.is_connect() {
        unconnected(error)
    } else if error.is_timeout() {
        "it did not answer in time"
    } else {
        "it closed the connection before its answer was complete"
    };
    ExpertError::UpstreamUnavailable { reason: reason.to_owned() }
}

/// Why there is no connection, by the causes of `error`: what to mend is not the same for a name, a certificate and a server.
fn unconnected(error: &(dyn std::error::Error + 'static)) -> &'static str {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text: String = causes.map(|cause| cause.to_string().to_ascii_lowercase() + "\n").collect();
    // The last is what rustls says of bytes that are no TLS.
    if ["certificate", "tls", "handshake", "corrupt message"].iter().any(|word| text.contains(word)) {
        "its certificate is not accepted, or it does not speak TLS (SSL_CERT_FILE names further authorities)"
    } else if text.contains("dns") || text.contains("lookup") || text.contains("resolve") {
        "its name cannot be resolved"
    } else if text.contains("refused") {
        "it refuses the connection: nothing listens at that address and port"
    } else {
        "it cannot be reached"
    }
}

/// The error for JSON of an unexpected form.
pub(super) fn invalid(error: &serde_json::Error) -> ExpertError {
    ExpertError::UpstreamInvalid { reason: ErrorText::new(error) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(status: u16, body: &Value) -> ExpertError {
        UpstreamErrorBody::of(body).unwrap().into_error(status, None)
    }

    #[test]
    fn an_upstreams_message_is_cut_and_cannot_act_on_a_terminal() {
        let hostile = format!("a\u{1b}[31m\nb\u{202e}{}", "é".repeat(1000));
        let shown = error(400, &json!({ "error": hostile })).to_string();
        assert!(shown.contains(r"a\u{1b}[31m\nb\u{202e}é"), "{shown}");
        assert!(shown.len() < 700 && shown.ends_with('…'), "{shown}");
    }

    #[test]
    fn understands_the_error_forms_of_common_servers() {
        let upstream_error = |message: &str| ExpertError::field("request", message);
        assert_eq!(error(400, &json!({"error": {"message": "no", "code": 17}})), upstream_error("no"));
        assert_eq!(error(400, &json!({"error": "no"})), upstream_error("no"));
        assert_eq!(error(400, &json!({"message": "no"})), upstream_error("no"));
        let long = json!({"error": {"message": "no", "code": "context_length_exceeded"}});
        assert!(matches!(error(400, &long), ExpertError::ContextTooLong { .. }));
        assert!(matches!(error(503, &json!({"error": "no"})), ExpertError::Busy { .. }));
        assert!(UpstreamErrorBody::of(&json!({"x": 1})).is_none());
    }
}
