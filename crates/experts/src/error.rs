//! Why an expert did not answer, or did not answer to the end.

use std::time::Duration;

use nervure_protocol::FieldError;

/// Longest message that is taken over from an upstream, in characters.
pub const MAX_MESSAGE: usize = 512;

/// The last item of a stream that did not end with `Done`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpertError {
    /// The expert's queue is full, or its upstream says so.
    #[error("the expert is busy; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// When a place is likely to be free.
        retry_after: Duration,
    },
    /// A field of the request is out of its bounds.
    #[error("{field}: {reason}")]
    BadRequest {
        /// Path of the field.
        field: &'static str,
        /// What it must be.
        reason: String,
    },
    /// The request does not fit the model's context.
    #[error("the request does not fit the model's context of {limit} tokens: {message}")]
    ContextTooLong {
        /// Context of the model, in tokens.
        limit: u32,
        /// What the model's server said.
        message: String,
    },
    /// This model cannot do this at all.
    #[error("{model} does not support {operation}")]
    Unsupported {
        /// The model asked.
        model: String,
        /// The operation asked for.
        operation: &'static str,
    },
    /// The upstream cannot be reached, or went away before its answer was complete.
    #[error("the model server is unavailable: {reason}")]
    UpstreamUnavailable {
        /// What happened.
        reason: String,
    },
    /// The upstream answered with an error of its own.
    #[error("the model server refused with status {status}: {message}")]
    UpstreamRefused {
        /// HTTP status, or the code of an error inside a stream.
        status: u16,
        /// Its message, at most [`MAX_MESSAGE`] characters without control characters.
        message: String,
    },
    /// The upstream sent nothing for too long.
    #[error("the model server sent nothing for {} ms", after.as_millis())]
    UpstreamStalled {
        /// The limit that passed.
        after: Duration,
    },
    /// The upstream sent what the protocol does not allow, or more than is accepted.
    #[error("the model server broke the protocol: {reason}")]
    UpstreamInvalid {
        /// Which rule it broke.
        reason: String,
    },
    /// The expert was shut down while the request waited or ran.
    #[error("the expert was stopped before the answer was complete")]
    Cancelled,
    /// A fault of ours.
    #[error("internal error of the expert: {0}")]
    Internal(String),
}

impl From<FieldError> for ExpertError {
    fn from(error: FieldError) -> Self {
        Self::BadRequest { field: error.field, reason: error.reason }
    }
}

impl ExpertError {
    /// A refusal that names its field.
    pub(crate) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::BadRequest { field, reason: reason.into() }
    }
}

impl From<candle_core::Error> for ExpertError {
    fn from(error: candle_core::Error) -> Self {
        Self::Internal(printable(&error.to_string()))
    }
}

/// `text` cut to [`MAX_MESSAGE`] characters, control characters replaced by spaces.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(MAX_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_cut_and_cleaned() {
        let cleaned = printable(&format!("a\u{1b}[31m\n{}", "é".repeat(2 * MAX_MESSAGE)));
        assert_eq!(cleaned.chars().count(), MAX_MESSAGE);
        assert!(cleaned.starts_with("a [31m é"));
    }
}
