//! Errors of the query plane.

use std::{io, time::Duration};

use nervure_primitives::NodeId;

use nervure_protocol::{
    BoundExceeded,
    query::{ErrorFrame, ErrorText, FrameError, QueryErrorCode},
};

/// Why a query has no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No connection to the node.
    #[error("cannot reach {node}: {reason}")]
    Unreachable {
        /// The node.
        node: NodeId,
        /// The reason; a node that closes a connection chooses it.
        reason: ErrorText,
    },
    /// Another node answers at the node's address.
    #[error("another node than {node} answers at its address")]
    WrongNode {
        /// The node expected.
        node: NodeId,
    },
    /// The node refused or failed, and sent an error.
    #[error("{message}")]
    Refused {
        /// The kind of error.
        code: QueryErrorCode,
        /// The node's own text.
        message: ErrorText,
        /// When the node may be asked again.
        retry_after: Option<Duration>,
    },
    /// The answer stopped before its end, or its end has another number of chunks.
    #[error("the answer broke off: {0}")]
    Truncated(ErrorText),
    /// The node broke the protocol.
    #[error("the node broke the protocol: {0}")]
    Protocol(FrameError),
    /// No frame came in time.
    #[error("no data for {} ms", .0.as_millis())]
    Stalled(Duration),
    /// The answer was not complete by the query's deadline.
    #[error("the answer was not complete after {} ms", .0.as_millis())]
    Overdue(Duration),
}

impl From<BoundExceeded> for QueryError {
    fn from(exceeded: BoundExceeded) -> Self {
        match exceeded {
            BoundExceeded::Late { after } => Self::Overdue(after),
            BoundExceeded::Stalled { after } => Self::Stalled(after),
            BoundExceeded::TooLong { .. } | BoundExceeded::TooManyPieces { .. } => {
                Self::Truncated(ErrorText::new(exceeded))
            }
        }
    }
}

impl From<ErrorFrame> for QueryError {
    fn from(frame: ErrorFrame) -> Self {
        Self::Refused {
            code: frame.code.into(),
            message: frame.message,
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
        /// The address to bind.
        address: std::net::SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No certificate could be made, or no thread started.
    #[error("cannot start the query endpoint: {0}")]
    Setup(String),
}
