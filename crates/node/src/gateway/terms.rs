//! The terms of a question that the OpenAI API has no word for: how experts are chosen, what may be spent, how long it may take.
//!
//! They stand in the object `nervure` of a `/v1` request or in headers (which win, because a
//! proxy or a client's configuration sets them), and in `terms` of `/ask`.

use std::time::Duration;

use axum::http::HeaderMap;
use nervure_primitives::Amount;
use nervure_protocol::{ExpertRequest, FieldError};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

use super::{
    App,
    error::{ApiError, excerpt},
};
use crate::service::{Ask, Strategy, Target};

/// Longest filter, in bytes.
const MAX_FILTER: usize = 1024;

/// Longest name of a model, in bytes.
const MAX_NAME: usize = 256;

/// Terms of a question. What is left out is for the node's operator to decide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Terms {
    /// `best`, `hedge`, `race:N`, `vote:N`, `average:N` or `mix:N`; `best` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// What counts: `balanced` (the default), `fastest`, `cheapest` or `trusted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The most to pay, in tokens, as text: `"0.5"`. The node's own bound by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<String>,
    /// A filter over experts, such as `context >= 4096 and price <= 5`.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Milliseconds for the whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Whether the reply shall lead to a trace: every candidate, every number, and the experts' receipts. Not by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

impl Terms {
    /// Lays the headers `x-nervure-strategy`, `-policy`, `-budget`, `-where`, `-deadline-ms` and `-explain` over these
    /// terms.
    pub(super) fn with_headers(mut self, headers: &HeaderMap) -> Result<Self, ApiError> {
        if let Some(text) = header(headers, "x-nervure-strategy")? {
            let strategy =
                text.parse().map_err(|error| ApiError::bad("x-nervure-strategy", format!("{error}")))?;
            self.strategy = Some(strategy);
        }
        if let Some(text) = header(headers, "x-nervure-policy")? {
            let policy =
                text.parse().map_err(|error| ApiError::bad("x-nervure-policy", format!("{error}")))?;
            self.policy = Some(policy);
        }
        if let Some(text) = header(headers, "x-nervure-budget")? {
            self.budget = Some(text.to_owned());
        }
        if let Some(text) = header(headers, "x-nervure-where")? {
            self.filter = Some(text.to_owned());
        }
        if let Some(text) = header(headers, "x-nervure-deadline-ms")? {
            let ms = text
                .parse()
                .map_err(|_| ApiError::bad("x-nervure-deadline-ms", "a whole number of milliseconds"))?;
            self.deadline_ms = Some(ms);
        }
        if let Some(text) = header(headers, "x-nervure-explain")? {
            let explain = text.parse().map_err(|_| ApiError::bad("x-nervure-explain", "true or false"))?;
            self.explain = Some(explain);
        }
        Ok(self)
    }

    /// Makes the question, within the operator's bounds.
    pub(super) fn ask(self, app: &App, target: Target, request: ExpertRequest) -> Result<Ask, ApiError> {
        if let Target::Model(name) | Target::Named(name) = &target
            && (name.is_empty() || name.len() > MAX_NAME)
        {
            return Err(ApiError::bad("model", format!("a model's name has 1 to {MAX_NAME} bytes")));
        }
        if self.filter.as_ref().is_some_and(|filter| filter.len() > MAX_FILTER) {
            return Err(ApiError::bad("where", format!("a filter has at most {MAX_FILTER} bytes")));
        }
        request.validate().map_err(out_of_bounds)?;
        let explain = self.explain.unwrap_or(false);
        Ok(Ask {
            target,
            request,
            strategy: self.strategy.unwrap_or_default(),
            policy: self.policy.unwrap_or_default(),
            budget: budget(self.budget.as_deref(), app.config.max_budget)?,
            deadline: deadline(self.deadline_ms, app)?,
            explain,
            receipt: explain,
            filter: self.filter.filter(|filter| !filter.trim().is_empty()),
        })
    }
}

/// A request that no expert would take, by the name that its field has in the HTTP API.
fn out_of_bounds(error: FieldError) -> ApiError {
    ApiError::bad(error.field.strip_prefix("sampling.").unwrap_or(error.field), error.reason)
}

/// The budget asked for, at most what the operator allows.
fn budget(text: Option<&str>, most: Amount) -> Result<Amount, ApiError> {
    let Some(text) = text else { return Ok(most) };
    let asked: Amount = excerpt(text).parse().map_err(|error| ApiError::bad("budget", format!("{error}")))?;
    if asked > most {
        return Err(ApiError::bad(
            "budget",
            format!("this node spends at most {most} tokens on one question"),
        ));
    }
    Ok(asked)
}

/// The deadline asked for, at most what the operator allows.
fn deadline(ms: Option<u64>, app: &App) -> Result<Duration, ApiError> {
    let limits = &app.config.limits;
    let Some(ms) = ms else { return Ok(limits.deadline) };
    let asked = Duration::from_millis(ms);
    if asked.is_zero() || asked > limits.max_deadline {
        let most = limits.max_deadline.as_millis();
        return Err(ApiError::bad("deadline_ms", format!("a deadline is from 1 to {most} milliseconds")));
    }
    Ok(asked)
}

/// A header as text.
fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, ApiError> {
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(|_| ApiError::bad(name, "printable ASCII only"))
}
