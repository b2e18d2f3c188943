//! Why an expert's node did not answer, as a number.

/// Why an expert's node did not answer. The numbers are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum QueryErrorCode {
    /// The asker may not ask here.
    NotAdmitted = 1,
    /// Too many queries are in progress.
    Busy = 2,
    /// The asker asks too often.
    RateLimited = 3,
    /// The request cannot be decoded or is out of bounds.
    BadRequest = 4,
    /// No expert of the node matches.
    NoSuchExpert = 5,
    /// The answer took too long.
    DeadlineExceeded = 6,
    /// The expert costs more than the asker pays.
    BudgetExceeded = 7,
    /// The expert failed.
    ExpertFailed = 8,
    /// The node is stopping.
    ShuttingDown = 9,
    /// An internal error of the node.
    Internal = 10,
    /// The request is longer than the expert's context.
    ContextTooLong = 11,
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
            QueryErrorCode::ContextTooLong,
        ];
        ALL.into_iter().find(|code| *code as u16 == number).unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_frozen_and_an_unknown_one_is_not_an_error() {
        for number in 1..=11u16 {
            assert_eq!(QueryErrorCode::from(number) as u16, number);
        }
        assert_eq!(QueryErrorCode::from(4711), QueryErrorCode::Unknown);
    }
}
