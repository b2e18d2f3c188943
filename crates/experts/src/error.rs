//! Why an expert did not answer, or did not complete its answer.

use std::time::Duration;

use nervure_protocol::{FieldError, ModelName, query::ErrorText};

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
        message: ErrorText,
    },
    /// The model does not have this operation.
    #[error("{model} does not support {operation}")]
    Unsupported {
        /// The model.
        model: ModelName,
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
        /// Its message.
        message: ErrorText,
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
        /// The violated rule; it may quote what the upstream sent.
        reason: ErrorText,
    },
    /// The expert was shut down before the answer was complete.
    #[error("the expert was stopped before the answer was complete")]
    Cancelled,
    /// A bug or a fault of this node.
    #[error("internal error of the expert: {0}")]
    Internal(ErrorText),
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
