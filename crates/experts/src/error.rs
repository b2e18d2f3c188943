//! Why an expert did not answer, or did not complete its answer.

use std::time::Duration;

use nervure_protocol::FieldError;

/// Longest error message from an upstream that is passed on, in characters.
pub const MAX_MESSAGE: usize = 512;

/// The last item of a stream that does not end with `Done`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpertError {
    /// The queue of the expert, or of its upstream, is full.
    #[error("the expert is busy; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// Estimated time until a place is free.
        retry_after: Duration,
    },
    /// A field of the request is out of its bounds.
    #[error("{field}: {reason}")]
    BadRequest {
        /// Path of the field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The request does not fit the model's context.
    #[error("the request does not fit the model's context of {limit} tokens: {message}")]
    ContextTooLong {
        /// Context of the model, in tokens; 0 if the upstream does not report it.
        limit: u32,
        /// The message of the model server.
        message: String,
    },
    /// The model does not have this operation.
    #[error("{model} does not support {operation}")]
    Unsupported {
        /// The model.
        model: String,
        /// The requested operation.
        operation: &'static str,
    },
    /// The upstream cannot be reached, or closed the connection before its answer was complete.
    #[error("the model server is unavailable: {reason}")]
    UpstreamUnavailable {
        /// What happened.
        reason: String,
    },
    /// The upstream answered with an error.
    #[error("the model server refused with status {status}: {message}")]
    UpstreamRefused {
        /// HTTP status, or the code of an error inside a stream.
        status: u16,
        /// Its message, at most [`MAX_MESSAGE`] characters without control characters.
        message: String,
    },
    /// The upstream sent no data for too long.
    #[error("the model server sent nothing for {} ms", after.as_millis())]
    UpstreamStalled {
        /// The timeout.
        after: Duration,
    },
    /// The upstream violated the protocol or a size limit.
    #[error("the model server broke the protocol: {reason}")]
    UpstreamInvalid {
        /// The violated rule.
        reason: String,
    },
    /// The expert was shut down before the answer was complete.
    #[error("the expert was stopped before the answer was complete")]
    Cancelled,
    /// A bug or a fault of this node.
    #[error("internal error of the expert: {0}")]
    Internal(String),
}

impl From<FieldError> for ExpertError {
    fn from(error: FieldError) -> Self {
        Self::BadRequest { field: error.field, reason: error.reason }
    }
}

impl ExpertError {
    /// An internal error with `message` cut to [`MAX_MESSAGE`] characters and without control characters.
    #[must_use]
    pub fn internal(message: &str) -> Self {
        Self::Internal(printable(message))
    }

    /// A refusal that names its field.
    pub(crate) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::BadRequest { field, reason: reason.into() }
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
    fn an_upstreams_message_is_cut_and_has_no_control_characters() {
        let cleaned = printable(&format!("a\u{1b}[31m\n{}", "é".repeat(2 * MAX_MESSAGE)));
        assert_eq!(cleaned.chars().count(), MAX_MESSAGE);
        assert!(cleaned.starts_with("a [31m é"));
    }
}
