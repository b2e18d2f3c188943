//! The spans along a query: `query`, and in it an `attempt` for each expert that is asked.
//!
//! Names and fields are stable: `docs/operating.md` lists them.
//!
//! # Which ids are logged
//! `query_id` never leaves this node. `attempt_id` is the id that the expert's node gets with the query; it is random
//! and new for each attempt, and the node logs it in its span `answer`. So a node's log leads from a query to its
//! attempts, and an attempt to the log of the miner that answered it.
//!
//! The attempts of one query share nothing that a miner sees. If they did, miners that compare notes could tell a user's
//! query, which is hedged, raced or combined from several answers, from a validator's task, whose requests go out one
//! by one: they would answer tasks well and users badly.

use std::task::Poll;

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use nervure_api::{Query, QueryTarget, ServiceError};
use nervure_protocol::ExpertEvent;
use tracing::{Span, field::Empty};

use crate::ExpertQuery;

/// The outcome of a query or an attempt whose answer came to its end.
pub(crate) const ANSWERED: &str = "answered";

/// The outcome of one that failed.
pub(crate) const FAILED: &str = "failed";

/// The span of a query with this id.
pub(crate) fn of_query(query: &Query, id: u64) -> Span {
    let span = tracing::info_span!(
        "query",
        query_id = %format_args!("{id:016x}"),
        strategy = %query.strategy,
        target = Empty,
        outcome = Empty,
    );
    match &query.target {
        QueryTarget::Capability(capability) => span.record("target", tracing::field::display(capability)),
        QueryTarget::Model(name) | QueryTarget::Named(name) => span.record("target", name.as_str()),
    };
    span
}

/// The span of one query to one expert. At the level debug: a mixture has one for each byte and expert.
pub(crate) fn of_attempt(query: &ExpertQuery) -> Span {
    tracing::debug_span!(
        "attempt",
        attempt_id = %query.id,
        node = %query.record.node,
        expert = query.record.expert.as_str(),
        outcome = Empty,
    )
}

type Events = BoxStream<'static, Result<ExpertEvent, ServiceError>>;

/// The events of an answer, each awaited within `span`, which ends with them.
pub(crate) fn within(span: Span, mut events: Events) -> Events {
    let next = move |context: &mut std::task::Context<'_>| {
        let polled = span.in_scope(|| events.poll_next_unpin(context));
        match &polled {
            Poll::Ready(Some(Ok(ExpertEvent::Done { .. }))) => ended(&span, ANSWERED),
            Poll::Ready(Some(Err(error))) => failed(&span, error),
            _ => {}
        }
        polled
    };
    stream::poll_fn(next).boxed()
}

/// Records and logs that a query failed.
pub(crate) fn failed(span: &Span, error: &ServiceError) {
    span.record("outcome", FAILED);
    span.in_scope(|| tracing::debug!(%error, "the query failed"));
}

fn ended(span: &Span, outcome: &'static str) {
    span.record("outcome", outcome);
    span.in_scope(|| tracing::debug!("the answer is complete"));
}

#[cfg(test)]
mod tests;
