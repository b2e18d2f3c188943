//! Why a query got no answer, and the numbers by which that travels.

use std::{io, time::Duration};

use nervure_primitives::NodeId;

use super::frame::{ErrorFrame, FrameError};

/// Why an expert's node did not answer. The numbers are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
#[non_exhaustive]
pub enum QueryErrorCode {
    /// The asker may not ask here.
    NotAdmitted = 1,
    /// Too much is in progress.
    Busy = 2,
    /// The asker asks too often.
    RateLimited = 3,
    /// The question cannot be understood or is out of bounds.
    BadRequest = 4,
    /// No expert here does that.
    NoSuchExpert = 5,
    /// The answer took too long.
    DeadlineExceeded = 6,
    /// The expert costs more than the asker pays.
    BudgetExceeded = 7,
    /// The expert failed.
    ExpertFailed = 8,
    /// The node is stopping.
    ShuttingDown = 9,
    /// A fault of the node's.
    Internal = 10,
    /// The question is longer than the expert's context.
    DoesNotFit = 11,
    /// A number that this version does not know.
    Unknown = u16::MAX,
}

impl From<u16> for QueryErrorCode {
    fn from(number: u16) -> Self {
        const ALL: [QueryErrorCode; 11] = [
            QueryErrorCode::NotAdmitted,
            QueryErrorCode::Busy,
            QueryErrorCode::RateLimited,
            QueryErrorCode::BadRequest,
            QueryErrorCode::NoSuchExpert,
            QueryErrorCode::DeadlineExceeded,
            QueryErrorCode::BudgetExceeded,
            QueryErrorCode::ExpertFailed,
            QueryErrorCode::ShuttingDown,
            QueryErrorCode::Internal,
            QueryErrorCode::DoesNotFit,
        ];
        ALL.into_iter().find(|code| *code as u16 == number).unwrap_or(Self::Unknown)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_frozen_and_unknown_ones_are_no_error_of_ours() {
        for number in 1..=11u16 {
            assert_eq!(QueryErrorCode::from(number) as u16, number);
        }
        assert_eq!(QueryErrorCode::from(4711), QueryErrorCode::Unknown);
    }
}
