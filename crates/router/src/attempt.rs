//! One query to one expert: up to its first event, and the remainder of its answer.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use nervure_primitives::{Amount, Hash};
use nervure_protocol::{ExpertEvent, ExpertRecord, query::QueryErrorCode, query_name};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::{
    AnswerReceipt, Environment, RouterMetrics,
    body::RequestBody,
    dial::{AnswerItem, DialError, EventStream, ExpertQuery},
    in_flight::InFlightGuard,
    span,
};

/// When to ask a busy expert again that does not say when.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Empty pieces of text before an answer begins; a server may send one with the role, and some more. Others are no answer.
const MAX_EMPTY_EVENTS: usize = 64;

/// What all attempts at one request have in common.
#[derive(Clone)]
pub(crate) struct AttemptSpec {
    pub(crate) environment: Arc<Environment>,
    pub(crate) metrics: RouterMetrics,
    /// The request.
    pub(crate) body: RequestBody,
    /// The nonce of the end user's client, which each attempt's name covers.
    pub(crate) nonce: Option<Hash>,
    /// The most that one answer may cost.
    pub(crate) budget: Amount,
    pub(crate) deadline: Instant,
    /// How many servers have passed the query on before.
    pub(crate) hops: u8,
    /// Whether the time to the first byte is what this expert usually takes.
    pub(crate) records_latency: bool,
    /// The name of the only query; each has a random one where there is none.
    pub(crate) id: Option<Hash>,
}

/// An answer whose first event is there.
pub(crate) struct StartedAnswer {
    pub(crate) record: ExpertRecord,
    pub(crate) first: ExpertEvent,
    pub(crate) remainder: Remainder,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptFailure {
    pub(crate) kind: FailureKind,
    /// In words, escaped: the expert may have chosen them.
    pub(crate) reason: String,
}

/// What a failure means for the asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The expert failed; another one may not.
    Failed,
    /// The expert has no room until this much later.
    Busy(Duration),
    /// The expert finds the request wrong.
    BadRequest,
    /// The request is longer than the expert's context.
    ContextTooLong,
}

impl FailureKind {
    /// The name in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Failed => span::FAILED,
            Self::Busy(_) => "busy",
            Self::BadRequest => "bad_request",
            Self::ContextTooLong => "does_not_fit",
        }
    }
}

/// An attempt that failed, and the expert that it was with.
#[derive(Debug, Clone)]
pub(crate) struct AttemptError {
    pub(crate) record: ExpertRecord,
    pub(crate) failure: AttemptFailure,
}

impl AttemptSpec {
    /// The same for a query that so many servers have passed on before.
    pub(crate) fn passed_on(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    /// Asks the expert of `record` and waits for its first event.
    pub(crate) async fn start(&self, record: ExpertRecord) -> Result<StartedAnswer, AttemptError> {
        // Before the dial: the gate must see the query of this node while it is on its way, or many queries of
        // one moment would choose the same expert.
        let guard = InFlightGuard::new(&self.environment, &record);
        let (started, query) = (Instant::now(), self.query(&record));
        let span = span::of_attempt(&query);
        let first = self.first(query, guard, &span).instrument(span.clone()).await;
        self.metrics.attempt(first.as_ref().map(|_| started.elapsed()).map_err(|failure| failure.kind));
        match first {
            Ok((first, remainder)) => {
                if self.records_latency {
                    let mut observations = self.environment.catalog.observations();
                    observations.first_byte(record.node, &record.expert, started.elapsed());
                }
                Ok(StartedAnswer { record, first, remainder })
            }
            Err(failure) => Err(self.failed(record, failure)),
        }
    }

    /// An attempt failed, before its first event or after it.
    pub(crate) fn failed(&self, record: ExpertRecord, failure: AttemptFailure) -> AttemptError {
        // A busy expert is not a faulty one, and a request that is wrong or too long is the fault of the asker:
        // an asker could pause every expert with bad requests otherwise.
        if failure.kind == FailureKind::Failed {
            self.record_failure(&record);
        }
        AttemptError { record, failure }
    }

    /// Notes that the expert failed, or was silent for too long.
    pub(crate) fn record_failure(&self, record: &ExpertRecord) {
        let now = self.environment.clock.now();
        self.environment.catalog.observations().failed(record.node, &record.expert, now);
    }

    async fn first(
        &self,
        query: ExpertQuery,
        guard: InFlightGuard,
        span: &Span,
    ) -> Result<(ExpertEvent, Remainder), AttemptFailure> {
        let sent_at = self.environment.clock.now();
        let receipt = AnswerReceipt::new(&query, sent_at);
        let stream = self.environment.dial.dial(query).await.map_err(|error| failed(span, error.into()))?;
        let mut remainder = Remainder { stream, receipt, span: span.clone(), _guard: guard };
        let first = remainder.first().await?;
        Ok((first, remainder))
    }

    fn query(&self, record: &ExpertRecord) -> ExpertQuery {
        let salt = self.environment.salt();
        ExpertQuery {
            record: record.clone(),
            body: self.body.for_attempt(&self.environment),
            budget: self.budget,
            // What is left of the deadline now, not at the start: a later attempt of the same query has less.
            timeout: self.deadline.saturating_duration_since(Instant::now()),
            id: self.id.unwrap_or_else(|| query_name(self.nonce.as_ref(), &salt)),
            salt,
            hops: self.hops,
        }
    }
}

/// The remainder of an answer. Dropping it cancels the query.
pub(crate) struct Remainder {
    stream: EventStream,
    receipt: AnswerReceipt,
    span: Span,
    _guard: InFlightGuard,
}

impl Remainder {
    /// The receipt so far.
    pub(crate) fn receipt(&self) -> &AnswerReceipt {
        &self.receipt
    }

    /// The receipt for all of the answer; to be called after its last event.
    pub(crate) fn into_receipt(self) -> AnswerReceipt {
        self.receipt
    }

    /// The first event with something in it: an empty piece of text is no beginning, and must not end the failover.
    async fn first(&mut self) -> Result<ExpertEvent, AttemptFailure> {
        for _ in 0..MAX_EMPTY_EVENTS {
            match self.next().await? {
                ExpertEvent::Text(text) if text.is_empty() => {}
                first => return Ok(first),
            }
        }
        Err(failed(&self.span, protocol_failure("nothing but empty pieces")))
    }

    /// The next event; [`ExpertEvent::Done`] is the last. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<ExpertEvent, AttemptFailure> {
        let item = self.stream.next().instrument(self.span.clone()).await;
        self.event(item).map_err(|failure| failed(&self.span, failure))
    }

    fn event(&mut self, item: Option<Result<AnswerItem, DialError>>) -> Result<ExpertEvent, AttemptFailure> {
        match item {
            Some(Ok(AnswerItem::End(end))) => {
                self.span.record("outcome", span::ANSWERED);
                let (usage, reason) = (end.usage, end.reason);
                self.receipt.complete(end);
                Ok(ExpertEvent::Done { usage, reason })
            }
            // Only an end frame ends an answer: it is the one that says how many events there were.
            Some(Ok(AnswerItem::Event(ExpertEvent::Done { .. }))) => {
                Err(protocol_failure("an end in the middle"))
            }
            Some(Ok(AnswerItem::Event(event))) => Ok(event),
            Some(Err(error)) => Err(error.into()),
            None => Err(protocol_failure("the answer stopped without an end")),
        }
    }
}

/// Records and logs why an attempt failed.
fn failed(span: &Span, failure: AttemptFailure) -> AttemptFailure {
    span.record("outcome", failure.kind.name());
    span.in_scope(|| tracing::debug!(reason = failure.reason, "the attempt failed"));
    failure
}

/// A failure because an expert sent something that the protocol does not allow.
pub(crate) fn protocol_failure(reason: &str) -> AttemptFailure {
    DialError::Protocol(reason.into()).into()
}

impl From<DialError> for AttemptFailure {
    fn from(error: DialError) -> Self {
        let kind = match error {
            DialError::Refused {
                code: QueryErrorCode::Busy | QueryErrorCode::RateLimited,
                retry_after,
                ..
            } => FailureKind::Busy(retry_after.unwrap_or(DEFAULT_RETRY_AFTER)),
            DialError::Refused { code: QueryErrorCode::BadRequest, .. } => FailureKind::BadRequest,
            DialError::Refused { code: QueryErrorCode::ContextTooLong, .. } => FailureKind::ContextTooLong,
            _ => FailureKind::Failed,
        };
        Self { kind, reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
