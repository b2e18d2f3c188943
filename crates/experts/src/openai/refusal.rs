//! An upstream's refusal as one of our errors.

use std::time::Duration;

use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::body;
use crate::{ExpertError, error::printable};

/// Most bytes of an error body that are read.
const MAX_BODY: usize = 16 << 10;

/// Bounds of what an upstream can make askers wait.
const LEAST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(60);
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// An error in the form of the API. Servers differ: `code` may be a number, `error` a text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    message: String,
    code: Value,
    #[serde(rename = "type")]
    kind: Value,
}

impl Refusal {
    /// Takes an error out of a JSON body: `{"error": {..}}`, `{"error": ".."}` or `{"message": ..}`.
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

    /// What it means, with the status that it came with.
    pub(super) fn into_error(self, status: u16, wait: Option<Duration>) -> ExpertError {
        let says = |word: &str| [&self.code, &self.kind].iter().any(|name| name.as_str() == Some(word));
        let message = printable(&self.message);
        match status {
            429 | 503 => {
                ExpertError::Busy { retry_after: wait.unwrap_or(DEFAULT_WAIT).clamp(LEAST_WAIT, MOST_WAIT) }
            }
            400 | 413 | 422 if says("context_length_exceeded") || says("exceed_context_size_error") => {
                ExpertError::ContextTooLong { limit: 0, message }
            }
            _ => ExpertError::UpstreamRefused { status, message },
        }
    }
}

/// Reads the refusal that `response` is.
pub(super) async fn read(response: Response, between: Duration) -> ExpertError {
    let (status, wait) = (response.status(), retry_after(&response));
    let body = body::read(response, MAX_BODY, between).await.unwrap_or_default();
    let refusal = serde_json::from_slice(&body).ok().and_then(|body: Value| Refusal::of(&body));
    let refusal = refusal.unwrap_or_else(|| Refusal {
        message: status.canonical_reason().unwrap_or("no reason given").to_owned(),
        ..Refusal::default()
    });
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        // Not the asker's fault and not for its eyes: the message may quote the key.
        let message = "it does not accept this node's API key".to_owned();
        return ExpertError::UpstreamRefused { status: status.as_u16(), message };
    }
    refusal.into_error(status.as_u16(), wait)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The server cannot be reached, or went away. The URL stays out of it: it is the operator's.
pub(super) fn unavailable(error: &reqwest::Error) -> ExpertError {
    let reason = if error.is_connect() {
        "it cannot be reached"
    } else if error.is_timeout() {
        "it did not answer in time"
    } else {
        "it went away before its answer was complete"
    };
    ExpertError::UpstreamUnavailable { reason: reason.to_owned() }
}

/// The server sent what is no such JSON.
pub(super) fn invalid(error: &serde_json::Error) -> ExpertError {
    ExpertError::UpstreamInvalid { reason: printable(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(status: u16, body: &Value) -> ExpertError {
        Refusal::of(body).unwrap().into_error(status, None)
    }

    #[test]
    fn each_dialect_of_errors_is_understood() {
        let refused = |message: &str| ExpertError::UpstreamRefused { status: 400, message: message.into() };
        assert_eq!(error(400, &json!({"error": {"message": "no", "code": 17}})), refused("no"));
        assert_eq!(error(400, &json!({"error": "no"})), refused("no"));
        assert_eq!(error(400, &json!({"message": "no"})), refused("no"));
        let long = json!({"error": {"message": "no", "code": "context_length_exceeded"}});
        assert!(matches!(error(400, &long), ExpertError::ContextTooLong { .. }));
        assert!(matches!(error(503, &json!({"error": "no"})), ExpertError::Busy { .. }));
        assert!(Refusal::of(&json!({"x": 1})).is_none());
    }
}
