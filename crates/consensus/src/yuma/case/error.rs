//! [`CaseError`]: what is wrong with a case, and where.

use crate::yuma::YumaError;

/// Why a case cannot be read or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The text is not JSON, or a field is missing, unknown or of another type.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What was expected there.
        problem: String,
    },
    /// A field does not fit the rest of the case.
    #[error("{path}: {problem}")]
    Invalid {
        /// The field, such as `steps[2].set.stake`.
        path: String,
        /// What does not fit.
        problem: String,
    },
    /// An epoch cannot be computed.
    #[error("steps[{step}]: {source}")]
    Epoch {
        /// The step, counted from 0.
        step: usize,
        /// Why.
        source: YumaError,
    },
    /// No step runs an epoch, so there is nothing to show.
    #[error("no step of the case runs an epoch: leave out \"run_epoch\": false in at least one")]
    NoEpoch,
    /// The uid to explain does not exist.
    #[error("there is no uid {uid}: the case has the uids below {neurons}")]
    NoSuchUid {
        /// The uid that was asked for.
        uid: u16,
        /// How many there are.
        neurons: usize,
    },
}

impl CaseError {
    /// Moves the place from serde_json's message into the fields.
    pub(super) fn from_json(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        Self::Json { line, column, problem: error.to_string().replace(&place, "") }
    }

    /// A field that does not fit.
    pub(super) fn invalid(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.into(), problem: problem.into() }
    }
}
