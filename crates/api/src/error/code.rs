//! The stable names of errors, each with an HTTP status and an exit code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable name of an error: `code` of an error body.
///
/// A client of an older version may meet codes that it does not know, so error bodies carry the name as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApiErrorCode {
    /// A field or a parameter is invalid; `param` names it.
    InvalidRequest,
    /// The filter does not parse; the message names the column.
    BadFilter,
    /// The prompt does not fit any expert that matches.
    ContextLengthExceeded,
    /// No known expert has the capability, or none passes the filter.
    NoExpert,
    /// The name is neither a known model nor a capability.
    ModelNotFound,
    /// Fewer experts can take part than the strategy needs.
    TooFewExperts,
    /// Every expert that matches costs more than the budget.
    OverBudget,
    /// Every expert that matches is busy.
    Busy,
    /// Every expert that was asked failed before its first byte.
    AllExpertsFailed,
    /// The answer ended before it was complete.
    Interrupted,
    /// The deadline passed.
    DeadlineExceeded,
    /// The ledger rejects the transaction.
    Refused,
    /// No such block, subnet, node or transaction, or a state that this node does not keep.
    NotFound,
    /// The node is starting or stopping, or it follows no chain.
    Unavailable,
    /// A defect of this node.
    Internal,
    /// A field of the OpenAI API that is known but not supported.
    UnsupportedParameter,
    /// No such endpoint, or no such trace.
    UnknownUrl,
    /// The endpoint has other methods; the header `Allow` lists them.
    MethodNotAllowed,
    /// The API needs a key, and the request has none that is valid.
    InvalidApiKey,
    /// Without keys, the API serves this host only: `Host` names another one.
    WrongHost,
    /// Without keys, web pages of other origins are refused.
    WrongOrigin,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is larger than this node accepts.
    BodyTooLarge,
    /// The body is not `application/json`, or it is compressed.
    UnsupportedMediaType,
    /// So many servers have passed the question on that it probably goes round.
    TooManyHops,
    /// This node is working on as many queries as it accepts at once, and no place came free in time.
    TooManyRequests,
    /// The key is bound to other models or capabilities.
    KeyNotAllowed,
    /// The key has reached its questions a minute or its tokens a day; `Retry-After` says when that resets.
    KeyLimitReached,
    /// The key has spent its budget of the day; `Retry-After` says when that resets.
    KeyBudgetSpent,
}

impl ApiErrorCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 29] = [
        Self::InvalidRequest,
        Self::BadFilter,
        Self::ContextLengthExceeded,
        Self::NoExpert,
        Self::ModelNotFound,
        Self::TooFewExperts,
        Self::OverBudget,
        Self::Busy,
        Self::AllExpertsFailed,
        Self::Interrupted,
        Self::DeadlineExceeded,
        Self::Refused,
        Self::NotFound,
        Self::Unavailable,
        Self::Internal,
        Self::UnsupportedParameter,
        Self::UnknownUrl,
        Self::MethodNotAllowed,
        Self::InvalidApiKey,
        Self::WrongHost,
        Self::WrongOrigin,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::TooManyHops,
        Self::TooManyRequests,
        Self::KeyNotAllowed,
        Self::KeyLimitReached,
        Self::KeyBudgetSpent,
    ];

    /// Its name in JSON, in logs and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::BadFilter => "bad_filter",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::NoExpert => "no_expert",
            Self::ModelNotFound => "model_not_found",
            Self::TooFewExperts => "too_few_experts",
            Self::OverBudget => "over_budget",
            Self::Busy => "busy",
            Self::AllExpertsFailed => "all_experts_failed",
            Self::Interrupted => "interrupted",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::UnknownUrl => "unknown_url",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::InvalidApiKey => "invalid_api_key",
            Self::WrongHost => "wrong_host",
            Self::WrongOrigin => "wrong_origin",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooManyHops => "too_many_hops",
            Self::TooManyRequests => "too_many_requests",
            Self::KeyNotAllowed => "key_not_allowed",
            Self::KeyLimitReached => "key_limit_reached",
            Self::KeyBudgetSpent => "key_budget_spent",
        }
    }

    /// The HTTP status of a response with this code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::BadFilter
            | Self::ContextLengthExceeded
            | Self::Refused
            | Self::UnsupportedParameter => 400,
            Self::InvalidApiKey => 401,
            Self::OverBudget | Self::KeyBudgetSpent => 402,
            Self::WrongHost | Self::WrongOrigin | Self::KeyNotAllowed => 403,
            Self::NoExpert
            | Self::ModelNotFound
            | Self::TooFewExperts
            | Self::NotFound
            | Self::UnknownUrl => 404,
            Self::MethodNotAllowed => 405,
            Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Busy | Self::TooManyRequests | Self::KeyLimitReached => 429,
            Self::Internal => 500,
            Self::AllExpertsFailed | Self::Interrupted => 502,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 504,
            Self::TooManyHops => 508,
        }
    }

    /// The exit code of a command that failed with it; `None` where the command line causes no such error.
    #[must_use]
    pub const fn exit_code(self) -> Option<u8> {
        match self {
            Self::InvalidRequest | Self::BadFilter | Self::ContextLengthExceeded | Self::Refused => Some(2),
            Self::NoExpert | Self::ModelNotFound | Self::TooFewExperts => Some(3),
            Self::OverBudget => Some(4),
            Self::Busy => Some(5),
            Self::AllExpertsFailed | Self::Interrupted => Some(6),
            Self::DeadlineExceeded => Some(7),
            Self::Unavailable => Some(8),
            Self::NotFound | Self::Internal => Some(1),
            Self::UnsupportedParameter
            | Self::UnknownUrl
            | Self::MethodNotAllowed
            | Self::InvalidApiKey
            | Self::WrongHost
            | Self::WrongOrigin
            | Self::BodyTimeout
            | Self::BodyTooLarge
            | Self::UnsupportedMediaType
            | Self::TooManyHops
            | Self::TooManyRequests
            | Self::KeyNotAllowed
            | Self::KeyLimitReached
            | Self::KeyBudgetSpent => None,
        }
    }
}

impl fmt::Display for ApiErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_under_its_name_in_json() {
        for (index, code) in ApiErrorCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index, "{code} is listed out of order or twice");
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        let next = ApiErrorCode::ALL.len();
        assert_eq!(ApiErrorCode::KeyBudgetSpent as usize + 1, next, "the last code is the last of the list");
    }
}
