//! The body of every error response: the form of the OpenAI API with a few more fields.

use serde::{Deserialize, Serialize};

use crate::FailedAttempt;

/// The body: `{"error": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// An error. `message`, `type`, `param` and `code` are those of the OpenAI API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorDetail {
    /// The message, for people.
    pub message: String,
    /// The family of errors.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field of the request that caused the error.
    pub param: Option<String>,
    /// The stable name of the error: an [`ApiErrorCode`](crate::ApiErrorCode).
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::ApiErrorCode>"))]
    pub code: Option<String>,
    /// The next step, for a user at a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The exit code of the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Milliseconds to wait before the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Experts that were asked and failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<FailedAttempt>,
}
