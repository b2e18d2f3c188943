//! Why a question got no answer, and what that means to a program: an HTTP status and an exit code.
//!
//! Texts in here may come from a remote node (a model's name, an expert's complaint). They are data: whoever
//! prints them bounds and escapes them.

use std::time::Duration;

use nervure_ledger::transaction::Rejection;
use nervure_primitives::{Amount, Capability, NodeId};
use serde::{Deserialize, Serialize};

mod rejection;

/// Most names listed in a message.
const NAMES_SHOWN: usize = 8;

/// One expert that was asked in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// The node asked.
    pub node: NodeId,
    /// Its expert.
    pub expert: String,
    /// What went wrong.
    pub failure: String,
}

/// What a failure means to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorClass {
    /// A stable name, the `code` of the HTTP API.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The exit code of `nervure ask` and `nervure experts`.
    pub exit: u8,
}

/// Why a question got no answer, or only part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// No known expert has the capability.
    #[error("no expert for {capability} is known{}", known_suffix(.known))]
    NoExpert {
        /// What was asked for.
        capability: Capability,
        /// Capabilities that are known.
        known: Vec<String>,
    },
    /// The name is neither a known model nor a capability.
    #[error("no model '{model}' is known{}", known_suffix(.known))]
    UnknownModel {
        /// What was asked for.
        model: String,
        /// Models that are known.
        known: Vec<String>,
    },
    /// Experts are known for it, and the asker's filter leaves all of them out.
    #[error("{known} experts do that, and none of them passes the filter")]
    NoMatch {
        /// How many there are.
        known: usize,
    },
    /// Fewer experts can take part than the strategy needs.
    #[error("{strategy} needs {needed} experts {what}, and {found} can be asked")]
    TooFewExperts {
        /// The strategy.
        strategy: String,
        /// Experts of which kind.
        what: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// The filter does not parse.
    #[error("the filter is wrong at column {column}: {message}\n{rendered}")]
    InvalidFilter {
        /// Where, counted from 1.
        column: usize,
        /// What was expected.
        message: String,
        /// The filter with a mark under the column.
        rendered: String,
    },
    /// Every candidate costs more than the asker pays.
    #[error("the cheapest expert that matches costs up to {cheapest} tokens, the budget is {budget}")]
    OverBudget {
        /// The least that an answer may cost.
        cheapest: Amount,
        /// What the asker would pay.
        budget: Amount,
    },
    /// Every expert that was asked failed before its first byte.
    #[error("all {} experts that were asked failed{}", .attempts.len(), last_failure(.attempts))]
    AllFailed {
        /// Whom we asked and what they said.
        attempts: Vec<FailedAttempt>,
    },
    /// The deadline passed.
    #[error("no complete answer within {} ms", .after.as_millis())]
    DeadlineExceeded {
        /// The deadline.
        after: Duration,
    },
    /// The request is wrong.
    #[error("{field}: {message}")]
    InvalidRequest {
        /// Which field.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// The prompt does not fit any expert that matches.
    #[error("the prompt does not fit: {reason}")]
    ContextTooLong {
        /// What the expert said.
        reason: String,
    },
    /// Every expert that matches is busy.
    #[error("every expert that matches is busy")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// This node cannot ask now: not joined yet, or stopping.
    #[error("this node cannot ask the mesh now: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The answer began and did not end.
    #[error("the answer broke off: {reason}")]
    Interrupted {
        /// What happened.
        reason: String,
    },
    /// The ledger refuses the transaction.
    #[error("the ledger refuses it: {0}")]
    Rejected(Rejection),
    /// What was asked for is not here.
    #[error("{what}")]
    NotFound {
        /// What, and why not.
        what: String,
    },
    /// A defect of this node.
    #[error("internal error: {reason}")]
    Internal {
        /// What happened.
        reason: String,
    },
}

impl ServiceError {
    /// What the failure means to a program.
    pub fn class(&self) -> ErrorClass {
        let (code, status, exit) = match self {
            Self::InvalidRequest { .. } => ("invalid_request", 400, 2),
            Self::InvalidFilter { .. } => ("bad_filter", 400, 2),
            Self::ContextTooLong { .. } => ("context_length_exceeded", 400, 2),
            Self::NoExpert { .. } | Self::NoMatch { .. } => ("no_expert", 404, 3),
            Self::TooFewExperts { .. } => ("too_few_experts", 404, 3),
            Self::UnknownModel { .. } => ("model_not_found", 404, 3),
            Self::OverBudget { .. } => ("over_budget", 402, 4),
            Self::Busy { .. } => ("busy", 429, 5),
            Self::AllFailed { .. } => ("all_experts_failed", 502, 6),
            Self::Interrupted { .. } => ("interrupted", 502, 6),
            Self::DeadlineExceeded { .. } => ("deadline_exceeded", 504, 7),
            Self::Unavailable { .. } => ("unavailable", 503, 8),
            Self::Rejected(_) => ("refused", 400, 2),
            Self::NotFound { .. } => ("not_found", 404, 1),
            Self::Internal { .. } => ("internal", 500, 1),
        };
        ErrorClass { code, status, exit }
    }

    /// When to ask again, where waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => Some(*retry_after),
            Self::Unavailable { .. } => Some(Duration::from_secs(2)),
            _ => None,
        }
    }

    /// The field of the request at fault, where one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::InvalidRequest { field, .. } => Some(field),
            Self::Rejected(_) => Some("transaction"),
            Self::UnknownModel { .. } | Self::NoExpert { .. } => Some("model"),
            Self::InvalidFilter { .. } | Self::NoMatch { .. } => Some("where"),
            Self::OverBudget { .. } => Some("budget"),
            Self::TooFewExperts { .. } => Some("strategy"),
            _ => None,
        }
    }

    /// What to do next, for people at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoExpert { .. } | Self::UnknownModel { .. } => "see what is there: nervure experts find",
            Self::NoMatch { .. } => {
                "widen the filter, or look at what it leaves: nervure experts find --where ..."
            }
            Self::TooFewExperts { .. } => "ask for a wider capability, or --strategy best",
            Self::InvalidFilter { .. } => "fields and operators: nervure experts find --help",
            Self::OverBudget { .. } => {
                "raise --budget, or look for a cheaper one: nervure experts find --where 'price <= 0'"
            }
            Self::AllFailed { .. } => "try again, or look at them: nervure experts find, nervure peers",
            Self::DeadlineExceeded { .. } => "raise --deadline, ask for fewer tokens, or try --strategy race",
            Self::InvalidRequest { .. } => "see nervure ask --help, or docs/protocol/http.md",
            Self::ContextTooLong { .. } => "shorten the prompt, or ask with --where 'context >= N'",
            Self::Busy { .. } => "wait a moment and ask again",
            Self::Unavailable { .. } => "see how far it is: nervure peers",
            Self::Interrupted { .. } => "ask again: what came before the break is not the whole answer",
            Self::Rejected(refusal) => rejection::next_step(refusal),
            Self::NotFound { .. } => "see what is there: nervure checkpoint list, nervure subnet list",
            Self::Internal { .. } => "see the node's log, and report it",
        }
    }
}

/// `; known are a, b, c and 4 more`, or nothing.
fn known_suffix(known: &[String]) -> String {
    if known.is_empty() {
        return String::new();
    }
    let shown = known.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match known.len().saturating_sub(NAMES_SHOWN) {
        0 => format!("; known: {shown}"),
        more => format!("; known: {shown} and {more} more"),
    }
}

/// `; the last one: timed out`, or nothing.
fn last_failure(attempts: &[FailedAttempt]) -> String {
    attempts.last().map(|last| format!("; the last, {}: {}", last.expert, last.failure)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_in_the_message() {
        let known = (0..20).map(|i| format!("m{i}")).collect();
        let text = ServiceError::UnknownModel { model: "x".into(), known }.to_string();
        assert!(text.ends_with("m7 and 12 more"), "{text}");
    }

    #[test]
    fn only_what_may_pass_by_itself_says_when_to_come_back() {
        assert!(ServiceError::Busy { retry_after: Duration::from_secs(3) }.retry_after().is_some());
        assert!(ServiceError::DeadlineExceeded { after: Duration::from_secs(3) }.retry_after().is_none());
    }
}
