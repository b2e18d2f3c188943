//! The client of a query: whose turn it is, and how far its question has come.
//!
//! A query waits for its turn after its body was read, so that a client that sends slowly holds no place. Where several keys
//! are in use, each gets its share of the places; a share that is not used is lent.

use std::{
    convert::Infallible,
    num::{NonZeroU32, NonZeroUsize},
    time::Instant,
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use nervure_api::{ApiErrorCode, Place, Places, Query, Waiting};
use nervure_protocol::{
    bounds::MAX_HOPS,
    fair_places::{Applicant, ClassRules},
    names::HOPS_HEADER,
};

use super::{
    App,
    config::HttpLimits,
    error::ApiError,
    guard::Caller,
    keys::{KeyCharge, KeyGrant},
    metrics::QueryGuard,
};

/// The places of a gateway's queries, by key.
pub(super) type QueryPlaces = Places<QueryFlow>;

/// Whose queries share a part of the places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum QueryFlow {
    WithoutKey,
    Operator(usize),
    Named(String),
}

/// The place of a query in progress.
pub(super) struct QueryPermit {
    #[expect(dead_code, reason = "held for its drop")]
    place: Place<QueryFlow>,
    #[expect(dead_code, reason = "held for its drop")]
    guard: QueryGuard,
    /// That of a named key.
    pub(super) charge: Option<KeyCharge>,
}

/// Who sent a query.
#[derive(Debug, Clone)]
pub(super) struct Client(Caller);

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().cloned().unwrap_or_default()))
    }
}

/// The places that `limits` allow.
pub(super) fn places(limits: &HttpLimits) -> QueryPlaces {
    let size = |count: NonZeroU32| usize::try_from(count.get()).unwrap_or(usize::MAX);
    let rules = ClassRules { weight: NonZeroU32::MIN, waiting: size(limits.max_waiting), yields: false };
    Places::new(NonZeroUsize::new(size(limits.max_queries)).unwrap_or(NonZeroUsize::MIN), [rules])
}

impl Client {
    /// The named key that it showed.
    pub(super) fn grant(&self) -> Option<&KeyGrant> {
        match &self.0 {
            Caller::Named(grant) => Some(grant),
            Caller::WithoutKey | Caller::Operator(_) => None,
        }
    }

    /// Whose places, and whose conversations, it uses.
    pub(super) fn flow(&self) -> QueryFlow {
        match &self.0 {
            Caller::WithoutKey => QueryFlow::WithoutKey,
            Caller::Operator(number) => QueryFlow::Operator(*number),
            Caller::Named(grant) => QueryFlow::Named(grant.name.clone()),
        }
    }

    fn share(&self) -> NonZeroU32 {
        self.grant().map_or(NonZeroU32::MIN, |grant| grant.share)
    }

    /// Waits for a place for `query`; gives it back with what is left of its deadline.
    pub(super) async fn admit(self, app: &App, query: Query) -> Result<(QueryPermit, Query), ApiError> {
        // Before it waits: what is refused for its key takes no place in the queue.
        let (charge, query) = match self.grant() {
            Some(grant) => {
                let (charge, query) = KeyCharge::admit(&app.config.named_keys, grant, query)?;
                (Some(charge), query)
            }
            None => (None, query),
        };
        let limits = &app.config.limits;
        let at_most = limits.queue_timeout.min(query.deadline);
        // No class yields here, so that no patience ends anything.
        let waiting = Waiting { at_most, patience: at_most };
        let applicant = Applicant { class: 0, flow: self.flow(), weight: self.share() };
        let (guard, began) = (app.config.metrics.begin_query(), Instant::now());
        let place = app.places.take(applicant, waiting).await.map_err(|none| {
            let message = format!(
                "this node is already working on {} queries, and no place came free in time",
                limits.max_queries
            );
            ApiError::new(ApiErrorCode::TooManyRequests, message).retry_after(none.retry_after)
        })?;
        let deadline = query.deadline.saturating_sub(began.elapsed());
        Ok((QueryPermit { place, guard, charge }, Query { deadline, ..query }))
    }
}

/// How many servers have passed a question on.
pub(super) fn hops(headers: &HeaderMap) -> Result<u8, ApiError> {
    let Some(value) = headers.get(HOPS_HEADER) else { return Ok(0) };
    let hops = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    let hops = hops.ok_or_else(|| ApiError::bad(HOPS_HEADER, "a whole number"))?;
    match u8::try_from(hops) {
        Ok(hops) if hops <= MAX_HOPS => Ok(hops),
        _ => {
            let message = format!(
                "{hops} servers have passed this question on, at most {MAX_HOPS} may: is a gateway the upstream of one of \
                 its own experts?"
            );
            Err(ApiError::new(ApiErrorCode::TooManyHops, message))
        }
    }
}
