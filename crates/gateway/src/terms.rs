//! Reads the terms of a query, and applies the operator's bounds.
//!
//! Headers win over the object `nervure` of a `/v1` request, because a proxy or a client's configuration sets them.

use std::{fmt::Display, str::FromStr, time::Duration};

use axum::http::HeaderMap;
use nervure_api::{Query, QueryTarget, QueryTerms};
use nervure_primitives::{Amount, Netuid};
use nervure_protocol::{ExpertRequest, FieldError, bounds::MAX_FILTER};

use super::{App, client::hops, error::ApiError};

/// Longest name of a model, in bytes.
const MAX_MODEL_BYTES: usize = 256;

/// Most subnets that a query can name.
const MAX_SUBNETS: usize = 64;

/// Each header of a term, and the field of [`QueryTerms`] that it sets.
pub(super) const TERM_HEADERS: [(&str, &str); 9] = [
    ("x-nervure-strategy", "strategy"),
    ("x-nervure-policy", "policy"),
    ("x-nervure-budget", "budget"),
    ("x-nervure-where", "where"),
    ("x-nervure-subnets", "subnets"),
    ("x-nervure-deadline-ms", "deadline_ms"),
    ("x-nervure-explain", "explain"),
    ("x-nervure-nonce", "nonce"),
    ("x-nervure-release", "release"),
];

/// The headers of terms, laid over the terms of the body.
pub(super) fn with_headers(mut terms: QueryTerms, headers: &HeaderMap) -> Result<QueryTerms, ApiError> {
    if let Some(strategy) = parsed(headers, "x-nervure-strategy")? {
        terms.strategy = Some(strategy);
    }
    if let Some(policy) = parsed(headers, "x-nervure-policy")? {
        terms.policy = Some(policy);
    }
    if let Some(text) = header(headers, "x-nervure-budget")? {
        terms.budget = Some(text.to_owned());
    }
    if let Some(text) = header(headers, "x-nervure-where")? {
        terms.filter = Some(text.to_owned());
    }
    if let Some(text) = header(headers, "x-nervure-subnets")? {
        let netuids = text.split(',').map(|netuid| netuid.trim().parse().map(Netuid));
        let netuids = netuids.collect::<Result<_, _>>();
        let numbers = "numbers of subnets, separated by commas: 1,18";
        terms.subnets = Some(netuids.map_err(|_| ApiError::bad("x-nervure-subnets", numbers))?);
    }
    if let Some(text) = header(headers, "x-nervure-deadline-ms")? {
        let ms = text
            .parse()
            .map_err(|_| ApiError::bad("x-nervure-deadline-ms", "a whole number of milliseconds"))?;
        terms.deadline_ms = Some(ms);
    }
    if let Some(explain) = flag(headers, "x-nervure-explain")? {
        terms.explain = Some(explain);
    }
    if let Some(nonce) = parsed(headers, "x-nervure-nonce")? {
        terms.nonce = Some(nonce);
    }
    if let Some(release) = flag(headers, "x-nervure-release")? {
        terms.release = Some(release);
    }
    Ok(terms)
}

/// The query that `terms` ask for, within the operator's bounds.
pub(super) fn query(
    terms: QueryTerms,
    app: &App,
    target: QueryTarget,
    request: ExpertRequest,
    headers: &HeaderMap,
) -> Result<Query, ApiError> {
    let target = app.config.model_names.resolve(target);
    if let QueryTarget::Model(name) | QueryTarget::Named(name) = &target
        && (name.is_empty() || name.len() > MAX_MODEL_BYTES)
    {
        return Err(ApiError::bad("model", format!("a model's name has 1 to {MAX_MODEL_BYTES} bytes")));
    }
    if terms.filter.as_ref().is_some_and(|filter| filter.len() > MAX_FILTER) {
        return Err(ApiError::bad("where", format!("a filter has at most {MAX_FILTER} bytes")));
    }
    request.validate().map_err(invalid_request)?;
    let explain = terms.explain.unwrap_or(false);
    Ok(Query {
        target,
        request,
        strategy: terms.strategy.unwrap_or_default(),
        policy: terms.policy.unwrap_or_default(),
        budget: budget(terms.budget.as_deref(), app.config.max_budget)?,
        deadline: deadline(terms.deadline_ms, app)?,
        max_answer: app.config.limits.max_answer.get(),
        explain,
        receipt: explain,
        filter: terms.filter.filter(|filter| !filter.trim().is_empty()),
        nonce: terms.nonce,
        release: terms.release,
        subnets: subnets(terms.subnets, app)?,
        hops: hops(headers)?,
    })
}

/// The subnets that the query names, or those that the operator trusts.
fn subnets(named: Option<Vec<Netuid>>, app: &App) -> Result<Vec<Netuid>, ApiError> {
    let Some(named) = named else { return Ok(app.config.trusted_subnets.clone()) };
    if named.is_empty() || named.len() > MAX_SUBNETS {
        return Err(ApiError::bad(
            "subnets",
            format!("a query names 1 to {MAX_SUBNETS} subnets, or leaves it out"),
        ));
    }
    Ok(named)
}

/// A request that no expert accepts, by the name that its field has in the HTTP API.
fn invalid_request(error: FieldError) -> ApiError {
    ApiError::bad(error.field.strip_prefix("sampling.").unwrap_or(error.field), error.reason)
}

/// The requested budget, within the operator's bound.
fn budget(text: Option<&str>, max: Amount) -> Result<Amount, ApiError> {
    let Some(text) = text else { return Ok(max) };
    let requested: Amount = text.parse().map_err(|error| ApiError::bad("budget", format!("{error}")))?;
    if requested > max {
        return Err(ApiError::bad("budget", format!("this node spends at most {max} tokens on one query")));
    }
    Ok(requested)
}

/// The requested deadline, within the operator's bound.
fn deadline(ms: Option<u64>, app: &App) -> Result<Duration, ApiError> {
    let limits = &app.config.limits;
    let Some(ms) = ms else { return Ok(limits.default_deadline) };
    let requested = Duration::from_millis(ms);
    if requested.is_zero() || requested > limits.max_deadline {
        let max = limits.max_deadline.as_millis();
        return Err(ApiError::bad("deadline_ms", format!("a deadline is from 1 to {max} milliseconds")));
    }
    Ok(requested)
}

/// A header's value, parsed; the error names the header.
fn parsed<T>(headers: &HeaderMap, name: &'static str) -> Result<Option<T>, ApiError>
where
    T: FromStr<Err: Display>,
{
    let value = header(headers, name)?.map(str::parse);
    value.transpose().map_err(|error: T::Err| ApiError::bad(name, error.to_string()))
}

/// A header that is `true` or `false`.
fn flag(headers: &HeaderMap, name: &'static str) -> Result<Option<bool>, ApiError> {
    let value = header(headers, name)?.map(str::parse);
    value.transpose().map_err(|_| ApiError::bad(name, "true or false"))
}

/// A header as text.
fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, ApiError> {
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(|_| ApiError::bad(name, "printable ASCII only"))
}
