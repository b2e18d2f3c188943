//! Why a query has no answer.

use std::{io, time::Duration};

use nervure_primitives::NodeId;

use nervure_protocol::query::{ErrorFrame, FrameError, QueryErrorCode};

/// Why the asker has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No connection to the node.
    #[error("cannot reach {node}: {reason}")]
    Unreachable {
        /// The node.
        node: NodeId,
        /// Why not.
        reason: String,
    },
    /// Somebody else answers at the node's address.
    #[error("somebody other than {node} answers at its address")]
    WrongNode {
        /// The node expected.
        node: NodeId,
    },
    /// The node refused or failed, and said so.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        code: QueryErrorCode,
        /// In its words, not to be trusted.
        message: String,
        /// When asking again may help.
        retry_after: Option<Duration>,
    },
    /// The answer stopped before its end, or was not as long as its end said.
    #[error("the answer broke off: {0}")]
    Truncated(String),
    /// The node broke the protocol.
    #[error("the node broke the protocol: {0}")]
    Protocol(FrameError),
    /// Nothing came for too long.
    #[error("nothing came for {} ms", .0.as_millis())]
    Stalled(Duration),
    /// The answer had not ended by the question's deadline.
    #[error("the answer was not complete after {} ms", .0.as_millis())]
    Overdue(Duration),
}

impl From<ErrorFrame> for QueryError {
    fn from(frame: ErrorFrame) -> Self {
        Self::Refused {
            code: frame.code.into(),
            message: frame.message.chars().filter(|c| !c.is_control()).collect(),
            retry_after: frame.retry_after_ms.map(|ms| Duration::from_millis(ms.into())),
        }
    }
}

/// Why an endpoint does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be bound.
    #[error("cannot listen for queries on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No certificate could be made, or no thread started.
    #[error("cannot start the query endpoint: {0}")]
    Setup(String),
}
