//! Why a request to a node failed.

use std::time::Duration;

use nervure_primitives::{Escaped, Excerpt};

use super::Endpoint;
use crate::{ErrorBody, ErrorDetail};

/// Exit code of a command whose node is unreachable.
pub(crate) const UNREACHABLE_EXIT: u8 = 8;

/// Why a request to a node failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node does not answer.
    #[error("the node at {http} does not answer: {source}")]
    Unreachable {
        /// The address of its HTTP API.
        http: Endpoint,
        /// The cause.
        source: reqwest::Error,
    },
    /// The node answered with an error.
    #[error("{}", Escaped::prose(&.0.error.message))]
    Response(Box<ErrorBody>),
    /// The response does not decode.
    #[error("invalid response from the node at {http}: {what}; does it run another version?")]
    InvalidResponse {
        /// The address of its HTTP API.
        http: Endpoint,
        /// The error; it may quote the response.
        what: Excerpt,
    },
}

impl ClientError {
    /// The next step, for a user at a terminal.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { http, .. } if http.is_url() => {
                Some("try another endpoint: --from URL; or join the mesh: --mesh SPEC".into())
            }
            Self::Unreachable { .. } => Some("check whether it is running: nervure testnet status".into()),
            Self::Response(body) => body.error.hint.as_deref().map(|hint| Escaped::line(hint).to_string()),
            Self::InvalidResponse { .. } => None,
        }
    }

    /// The time to wait before the next try, if the node names one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Response(body) => body.error.retry_after_ms.map(Duration::from_millis),
            Self::Unreachable { .. } | Self::InvalidResponse { .. } => None,
        }
    }

    /// The exit code of a command that failed with this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. } => UNREACHABLE_EXIT,
            Self::Response(body) => body.error.exit_code.unwrap_or(1),
            Self::InvalidResponse { .. } => 1,
        }
    }
}

/// The error line of an answer that began and broke off.
impl From<ErrorDetail> for ClientError {
    fn from(error: ErrorDetail) -> Self {
        Self::Response(Box::new(ErrorBody { error }))
    }
}
