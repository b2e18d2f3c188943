//! Errors of a query or another request to a node, each with an HTTP status and an exit code.
//!
//! Texts in here may come from a remote node (the name of a model, an expert's error message). Reasons were escaped
//! when they became one; names are escaped where an error shows them.

use std::time::Duration;

use nervure_ledger::transaction::Rejection;
use nervure_primitives::{Amount, Capability, Excerpt, Netuid, NodeId};
use serde::{Deserialize, Serialize};

mod code;

pub use code::ApiErrorCode;

/// Most names listed in a message.
const NAMES_SHOWN: usize = 8;

/// An expert that was asked and failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedAttempt {
    /// The node that serves it.
    pub node: NodeId,
    /// Its name on that node.
    pub expert: String,
    /// The error.
    pub failure: String,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// No known expert has the capability.
    #[error("no expert for {capability} is known{}", known_suffix(.known))]
    NoExpert {
        /// The requested capability.
        capability: Capability,
        /// The known capabilities.
        known: Vec<String>,
    },
    /// The name is neither a known model nor a capability.
    #[error("no model '{}' is known{}", Excerpt::new(.model), known_suffix(.known))]
    UnknownModel {
        /// The requested name.
        model: String,
        /// The known models.
        known: Vec<String>,
    },
    /// Experts match, and the filter excludes all of them.
    #[error("{known} experts match, and none of them passes the filter")]
    NoMatch {
        /// The number of experts that match.
        known: usize,
    },
    /// Experts match, and none is in a subnet that the query names.
    #[error("no expert in {} matches; those that match are in {}", numbered(.subnets), numbered(.found))]
    NotInSubnets {
        /// The subnets that the query names.
        subnets: Vec<Netuid>,
        /// The subnets of the experts that match.
        found: Vec<Netuid>,
    },
    /// Fewer experts can take part than the strategy needs.
    #[error("{strategy} needs {needed} experts {what}, and {found} can be asked")]
    TooFewExperts {
        /// The strategy.
        strategy: String,
        /// The kind of experts.
        what: &'static str,
        /// The number of experts needed.
        needed: usize,
        /// The number of experts found.
        found: usize,
    },
    /// The filter does not parse.
    #[error("invalid filter at column {column}: {message}\n{rendered}")]
    InvalidFilter {
        /// The column of the error, counted from 1.
        column: usize,
        /// What was expected.
        message: String,
        /// The filter with a mark under the column.
        rendered: String,
    },
    /// Every candidate costs more than the budget.
    #[error("the cheapest matching expert costs up to {cheapest} tokens, and the budget is {budget} tokens")]
    OverBudget {
        /// The maximum price of an answer of the cheapest expert.
        cheapest: Amount,
        /// The budget of the query.
        budget: Amount,
    },
    /// Every expert that was asked failed before its first byte.
    #[error("all {} experts that were asked failed{}", .attempts.len(), last_failure(.attempts))]
    AllFailed {
        /// The experts asked, with their errors.
        attempts: Vec<FailedAttempt>,
    },
    /// The deadline passed.
    #[error("no complete answer within {} ms", .after.as_millis())]
    DeadlineExceeded {
        /// The deadline.
        after: Duration,
    },
    /// A field of the request is invalid.
    #[error("{field}: {message}")]
    InvalidRequest {
        /// The field.
        field: String,
        /// The error.
        message: String,
    },
    /// The prompt does not fit any expert that matches.
    #[error("the prompt does not fit: {reason}")]
    ContextTooLong {
        /// The expert's error message.
        reason: String,
    },
    /// Every expert that matches is busy.
    #[error("every expert that matches is busy")]
    Busy {
        /// The time to wait before the next try.
        retry_after: Duration,
    },
    /// This node cannot ask the mesh: it has not joined yet, or it is stopping.
    #[error("this node cannot ask the mesh now: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The answer ended before it was complete.
    #[error("the answer broke off: {reason}")]
    Interrupted {
        /// What happened.
        reason: String,
    },
    /// The ledger rejects the transaction.
    #[error("the ledger rejects the transaction: {rejection}")]
    Rejected {
        /// Why.
        rejection: Rejection,
        /// The next step, which the kind of the transaction knows.
        hint: &'static str,
    },
    /// The requested document does not exist on this node.
    #[error("{what}")]
    NotFound {
        /// The document, and why it does not exist.
        what: String,
    },
    /// A bug of this node.
    #[error("internal error: {reason}")]
    Internal {
        /// What happened.
        reason: String,
    },
}

impl ServiceError {
    /// Its stable name, which also gives the HTTP status and the exit code.
    pub fn code(&self) -> ApiErrorCode {
        match self {
            Self::InvalidRequest { .. } => ApiErrorCode::InvalidRequest,
            Self::InvalidFilter { .. } => ApiErrorCode::BadFilter,
            Self::ContextTooLong { .. } => ApiErrorCode::ContextLengthExceeded,
            Self::NoExpert { .. } | Self::NoMatch { .. } | Self::NotInSubnets { .. } => {
                ApiErrorCode::NoExpert
            }
            Self::TooFewExperts { .. } => ApiErrorCode::TooFewExperts,
            Self::UnknownModel { .. } => ApiErrorCode::ModelNotFound,
            Self::OverBudget { .. } => ApiErrorCode::OverBudget,
            Self::Busy { .. } => ApiErrorCode::Busy,
            Self::AllFailed { .. } => ApiErrorCode::AllExpertsFailed,
            Self::Interrupted { .. } => ApiErrorCode::Interrupted,
            Self::DeadlineExceeded { .. } => ApiErrorCode::DeadlineExceeded,
            Self::Unavailable { .. } => ApiErrorCode::Unavailable,
            Self::Rejected { .. } => ApiErrorCode::Refused,
            Self::NotFound { .. } => ApiErrorCode::NotFound,
            Self::Internal { .. } => ApiErrorCode::Internal,
        }
    }

    /// The time to wait before the next try; `None` where waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => Some(*retry_after),
            Self::Unavailable { .. } => Some(Duration::from_secs(2)),
            Self::NoExpert { .. }
            | Self::UnknownModel { .. }
            | Self::NoMatch { .. }
            | Self::NotInSubnets { .. }
            | Self::TooFewExperts { .. }
            | Self::InvalidFilter { .. }
            | Self::OverBudget { .. }
            | Self::AllFailed { .. }
            | Self::DeadlineExceeded { .. }
            | Self::InvalidRequest { .. }
            | Self::ContextTooLong { .. }
            | Self::Interrupted { .. }
            | Self::Rejected { .. }
            | Self::NotFound { .. }
            | Self::Internal { .. } => None,
        }
    }

    /// The field of the request that caused the error.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::InvalidRequest { field, .. } => Some(field),
            Self::Rejected { .. } => Some("transaction"),
            Self::UnknownModel { .. } | Self::NoExpert { .. } => Some("model"),
            Self::InvalidFilter { .. } | Self::NoMatch { .. } => Some("where"),
            Self::NotInSubnets { .. } => Some("subnets"),
            Self::OverBudget { .. } => Some("budget"),
            Self::TooFewExperts { .. } => Some("strategy"),
            Self::AllFailed { .. }
            | Self::DeadlineExceeded { .. }
            | Self::ContextTooLong { .. }
            | Self::Busy { .. }
            | Self::Unavailable { .. }
            | Self::Interrupted { .. }
            | Self::NotFound { .. }
            | Self::Internal { .. } => None,
        }
    }

    /// The next step, for a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoExpert { .. } | Self::UnknownModel { .. } => {
                "list the known experts: nervure experts find"
            }
            Self::NoMatch { .. } => {
                "widen the filter, or try it on the known experts: nervure experts find --where ..."
            }
            Self::NotInSubnets { .. } => {
                "name one of those subnets, or none: nervure ask --subnet N; look at it first: nervure subnet show N"
            }
            Self::TooFewExperts { .. } => "ask for a more general capability, or use --strategy best",
            Self::InvalidFilter { .. } => "see the fields and operators: nervure experts find --help",
            Self::OverBudget { .. } => {
                "raise --budget, or find a cheaper expert: nervure experts find --where 'price <= 0'"
            }
            Self::AllFailed { .. } => {
                "try again, or check the experts and peers: nervure experts find, nervure peers"
            }
            Self::DeadlineExceeded { .. } => "raise --deadline, ask for fewer tokens, or try --strategy race",
            Self::InvalidRequest { field, .. } if field == "transaction" => {
                "wait for the next block (nervure status), and send it again only if it is still missing then"
            }
            Self::InvalidRequest { .. } => "see nervure ask --help or docs/protocol/http.md",
            Self::ContextTooLong { .. } => {
                "shorten the prompt, or ask an expert with more context: --where 'context >= N'"
            }
            Self::Busy { .. } => "wait a moment and ask again",
            Self::Unavailable { .. } => "check the connections of the node: nervure peers",
            Self::Interrupted { .. } => "ask again: the answer is incomplete",
            Self::Rejected { hint, .. } => hint,
            Self::NotFound { .. } => "list what exists: nervure checkpoint list, nervure subnet list",
            Self::Internal { .. } => "see the node's log, and report the bug",
        }
    }
}

/// `; known: a, b, c and 4 more`, or an empty text.
fn known_suffix(known: &[String]) -> String {
    if known.is_empty() {
        return String::new();
    }
    let shown = known.iter().take(NAMES_SHOWN).map(|name| Excerpt::new(name).to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match known.len().saturating_sub(NAMES_SHOWN) {
        0 => format!("; known: {shown}"),
        more => format!("; known: {shown} and {more} more"),
    }
}

/// `subnet 1` or `subnets 1, 18 and 4 more`.
fn numbered(all: &[Netuid]) -> String {
    let shown = all.iter().take(NAMES_SHOWN).map(Netuid::to_string).collect::<Vec<_>>().join(", ");
    match (all.len(), all.len().saturating_sub(NAMES_SHOWN)) {
        (1, _) => format!("subnet {shown}"),
        (_, 0) => format!("subnets {shown}"),
        (_, more) => format!("subnets {shown} and {more} more"),
    }
}

/// `; the last, r1: timed out`, or an empty text.
fn last_failure(attempts: &[FailedAttempt]) -> String {
    attempts.last().map(|last| format!("; the last, {}: {}", last.expert, last.failure)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::SubnetRejection;

    use super::*;

    #[test]
    fn long_lists_are_cut_in_the_message() {
        let known = (0..20).map(|i| format!("m{i}")).collect();
        let text = ServiceError::UnknownModel { model: "x".into(), known }.to_string();
        assert!(text.ends_with("m7 and 12 more"), "{text}");
    }

    #[test]
    fn subnets_without_an_expert_are_named_with_those_that_have_one() {
        let error =
            ServiceError::NotInSubnets { subnets: vec![Netuid(22)], found: vec![Netuid(1), Netuid(18)] };
        assert_eq!(
            error.to_string(),
            "no expert in subnet 22 matches; those that match are in subnets 1, 18"
        );
    }

    #[test]
    fn a_rejected_transaction_has_the_hint_of_its_kind() {
        let rejection = Rejection::from(SubnetRejection::Price { price: Amount::ZERO });
        let error = ServiceError::Rejected { rejection, hint: "raise --max-price" };
        assert_eq!((error.hint(), error.field()), ("raise --max-price", Some("transaction")));
    }

    #[test]
    fn only_temporary_errors_have_a_retry_delay() {
        assert!(ServiceError::Busy { retry_after: Duration::from_secs(3) }.retry_after().is_some());
        assert!(ServiceError::DeadlineExceeded { after: Duration::from_secs(3) }.retry_after().is_none());
    }
}
