//! An answer that outlives its expert: when the expert fails or stalls within a text, a successor continues it from
//! the same byte.
//!
//! # Design
//! The successor gets the same request with the text that the asker has read already (the *prefix*), and writes only
//! what follows. It serves the same model where there is one: then the same seed gives the same text. An expert that
//! merely stalls is not given up before a successor has started, so a slow expert without a possible successor is
//! waited for. An answer that has calls of tools, or anything else beside its text and its reasoning, stays with its expert:
//! no request says how far it has come.
//!
//! # What a hostile expert can do
//! * *Stall*: [`STALL_TIMEOUT`](crate::router::STALL_TIMEOUT) later a successor is looked for.
//! * *Write a little and fail, in turns with others*: there are at most
//!   [`MAX_TAKEOVERS`](crate::router::MAX_TAKEOVERS), and the deadline and the budget of the query hold for all of
//!   them together: a successor is offered what the text so far left of the budget.

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
};

use futures::{StreamExt, stream};
use nervure_primitives::{Amount, NodeId};
use nervure_protocol::{AuditCase, ExpertEvent, ExpertRecord, ExpertRequest, ModelName, bounds::MAX_TEXT};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    AnswerReceipt, Router,
    attempt::{AttemptFailure, AttemptSpec, FailureKind, Remainder, StartedAnswer},
    body::RequestBody,
    price,
    race::race,
    select::select,
};
use nervure_api::{AnswerStream, AnswerSummary, Query, RouteView, ServiceError, Strategy, TakeoverView};

/// What a stream that waits for its expert wakes up for.
enum Wake {
    /// An event of the expert, or why there is none.
    Event(Result<ExpertEvent, AttemptFailure>),
    /// Another expert has started to continue the text.
    Successor(Box<StartedAnswer>),
}

/// An answer in progress.
pub(crate) struct ResumableStream {
    router: Router,
    query: Arc<Query>,
    deadline: Instant,
    /// The expert that answers now.
    record: ExpertRecord,
    /// Its first event, until it is given out.
    first: Option<ExpertEvent>,
    remainder: Remainder,
    /// The text that the asker has read.
    prefix: String,
    /// What it has read besides, where the answer is released.
    others: Vec<ExpertEvent>,
    /// Whether it has read something that only the expert that began it can continue: calls of tools, for one.
    is_bound: bool,
    /// Pieces of fields so far, and the bytes of those that the present expert wrote.
    fields: u64,
    field_bytes: usize,
    /// Bytes of the text that experts before the present one wrote, and what these may cost.
    written: usize,
    spent: Amount,
    takeovers: Vec<TakeoverView>,
}

/// The search for an expert that continues a text.
struct Successor {
    router: Router,
    /// The request with the prefix, and the rest of the budget.
    query: Query,
    deadline: Instant,
    /// The node that failed or stalls.
    failed: NodeId,
    /// Its model, which the successor should serve as well.
    model: ModelName,
    /// The nodes that failed earlier in this answer; asked last.
    failed_before: Vec<NodeId>,
}

impl ResumableStream {
    pub(crate) fn new(router: Router, (query, deadline): (&Query, Instant), started: StartedAnswer) -> Self {
        let StartedAnswer { record, first, remainder } = started;
        Self {
            router,
            query: Arc::new(query.clone()),
            deadline,
            record,
            first: Some(first),
            remainder,
            prefix: String::new(),
            others: Vec::new(),
            is_bound: false,
            fields: 0,
            field_bytes: 0,
            written: 0,
            spent: Amount::ZERO,
            takeovers: Vec::new(),
        }
    }

    /// The next event; [`ExpertEvent::Done`] is the last. The error says in words why there is none.
    pub(crate) async fn next(&mut self) -> Result<ExpertEvent, String> {
        let event = match self.first.take() {
            Some(first) => first,
            None => self.receive().await?,
        };
        match &event {
            ExpertEvent::Text(text) => self.prefix.push_str(text),
            ExpertEvent::Fields(fields) => {
                self.is_bound |= !fields.is_reasoning();
                self.fields = self.fields.saturating_add(1);
                self.field_bytes = self.field_bytes.saturating_add(event.content_bytes());
            }
            ExpertEvent::Embedding { .. } | ExpertEvent::Distribution(_) | ExpertEvent::Done { .. } => {}
        }
        if self.is_released() && !matches!(event, ExpertEvent::Text(_) | ExpertEvent::Done { .. }) {
            self.others.push(event.clone());
        }
        Ok(event)
    }

    /// The takeovers so far.
    pub(crate) fn takeovers(&self) -> &[TakeoverView] {
        &self.takeovers
    }

    fn is_released(&self) -> bool {
        self.query.release == Some(true)
    }

    /// The part of the answer that the present expert gave, for a validator.
    fn case(&mut self) -> Option<Arc<AuditCase>> {
        if !self.is_released() {
            return None;
        }
        let mut events = std::mem::take(&mut self.others);
        let text = self.prefix.get(self.written..).unwrap_or_default();
        if !text.is_empty() {
            events.push(ExpertEvent::Text(text.to_owned()));
        }
        self.remainder.receipt().case(events).map(Arc::new)
    }

    /// The receipt of the expert that ended the answer, for its part of it.
    pub(crate) fn into_receipt(self) -> AnswerReceipt {
        self.remainder.into_receipt()
    }

    async fn receive(&mut self) -> Result<ExpertEvent, String> {
        match self.wake().await {
            Wake::Event(Ok(event)) => Ok(event),
            // The old stream is replaced in `take_over`, and its drop cancels the query at the expert that
            // stalls.
            Wake::Successor(started) => {
                let why = format!("it sent nothing for {} s", self.router.limits.stall_timeout.as_secs());
                Ok(self.take_over(*started, why))
            }
            Wake::Event(Err(AttemptFailure { kind, reason })) => {
                let error = match self.successor() {
                    None => reason,
                    Some(successor) => match successor.start().await {
                        Ok(started) => return Ok(self.take_over(started, reason)),
                        Err(error) => format!("{reason}; no other expert could continue: {error}"),
                    },
                };
                if kind == FailureKind::Failed {
                    self.record_failure();
                }
                Err(error)
            }
        }
    }

    /// The expert that answers now failed, or was silent for too long.
    fn record_failure(&self) {
        let environment = &self.router.environment;
        let now = environment.clock.now();
        environment.catalog.observations().failed(self.record.node, &self.record.expert, now);
    }

    async fn wake(&mut self) -> Wake {
        let successor = self.successor();
        // Pinned and polled by reference: the timeout must not drop a read in progress, which would lose its
        // event.
        let mut event = pin!(self.remainder.next());
        match (timeout(self.router.limits.stall_timeout, &mut event).await, successor) {
            (Ok(event), _) => Wake::Event(event),
            // The deadline of the query ends this wait: the stream below has it.
            (Err(_), None) => Wake::Event(event.await),
            (Err(_), Some(successor)) => tokio::select! {
                biased;
                // First in order: the present expert continues when both are ready. Dropping the search
                // cancels the queries of its race.
                event = &mut event => Wake::Event(event),
                started = successor.start() => match started {
                    Ok(started) => Wake::Successor(Box::new(started)),
                    // No other expert can do better than this one, which may only be slow.
                    Err(_) => Wake::Event(event.await),
                },
            },
        }
    }

    /// The search for a successor; none when the answer is more than a text, or has had too many.
    fn successor(&self) -> Option<Successor> {
        if self.is_bound || self.takeovers.len() >= self.router.limits.max_takeovers {
            return None;
        }
        let request = with_prefix(&self.query.request, &self.prefix)?;
        let budget = self.query.budget.saturating_sub(self.spent());
        Some(Successor {
            router: self.router.clone(),
            query: Query { request, budget, ..Query::clone(&self.query) },
            deadline: self.deadline,
            failed: self.record.node,
            model: self.record.model.clone(),
            failed_before: self.takeovers.iter().map(|takeover| takeover.from).collect(),
        })
    }

    /// What the text so far may cost.
    fn spent(&self) -> Amount {
        let bytes = self.prefix.len().saturating_sub(self.written).saturating_add(self.field_bytes);
        let present = price::cost_of_text(self.record.price, bytes);
        self.spent.checked_add(present).unwrap_or(self.query.budget)
    }

    fn take_over(&mut self, started: StartedAnswer, why: String) -> ExpertEvent {
        let StartedAnswer { record, first, remainder } = started;
        tracing::info!(from = %self.record.node, to = %record.node, %why, "another expert continues an answer");
        self.record_failure();
        self.router.metrics.takeovers.inc();
        (self.spent, self.written) = (self.spent(), self.prefix.len());
        self.field_bytes = 0;
        // The receipt that ends the answer is of the expert that ends it.
        self.others.clear();
        self.takeovers.push(TakeoverView {
            from: self.record.node,
            why,
            at: self.prefix.len() as u64,
            fields: self.fields,
            expert: self.router.expert_view(&record),
        });
        (self.record, self.remainder) = (record, remainder);
        first
    }
}

impl Successor {
    /// Asks until one starts to continue the text. The error says in words why none did.
    async fn start(self) -> Result<StartedAnswer, String> {
        let body = RequestBody::of(&self.query.request).map_err(|error| error.to_string())?;
        let limits = self.router.limits;
        // Counted from the first failure, not from the start: a race may itself take most of the retry
        // timeout.
        let mut give_up: Option<Instant> = None;
        loop {
            // Selected again each time: an expert that died may be back.
            let winner = match self.candidates() {
                Ok(candidates) => {
                    let spec = self.router.attempt_spec(body.clone(), self.query.budget, self.deadline);
                    let spec = AttemptSpec { nonce: self.query.nonce, ..spec.passed_on(self.query.hops) };
                    race(spec, candidates, Strategy::Best).await
                }
                Err(error) => Err(error),
            };
            match winner {
                Ok(winner) => return Ok(winner.answer),
                Err(error) if give_up.is_some_and(|end| Instant::now() > end) => {
                    return Err(error.to_string());
                }
                Err(_) => {
                    give_up.get_or_insert_with(|| Instant::now() + limits.retry_timeout);
                    sleep(limits.retry_delay).await;
                }
            }
        }
    }

    /// The experts of other nodes: those of the same model first, those that failed in this answer last.
    fn candidates(&self) -> Result<Vec<ExpertRecord>, ServiceError> {
        let environment = &self.router.environment;
        let route = select(environment, &environment.trust.snapshot(), &self.query)?;
        let others = route.choices.into_iter().map(|choice| choice.record);
        let mut others: Vec<ExpertRecord> = others.filter(|other| other.node != self.failed).collect();
        // The sort is stable, so that the order of the gate holds within each group. False sorts before true.
        others.sort_by_key(|other| (other.model != self.model, self.failed_before.contains(&other.node)));
        Ok(others)
    }
}

/// The answer that `started`.
pub(crate) fn answer(
    router: &Router,
    started: StartedAnswer,
    route: RouteView,
    (query, deadline): (&Query, Instant),
) -> AnswerStream {
    let expert = router.expert_view(&started.record);
    let summary = Arc::new(OnceLock::new());
    let (wants_receipt, set_summary) = (query.receipt, summary.clone());
    let stream = ResumableStream::new(router.clone(), (query, deadline), started);
    let events = stream::unfold(Some(Box::new(stream)), move |stream| {
        let set_summary = set_summary.clone();
        async move {
            let mut stream = stream?;
            Some(match stream.next().await {
                Ok(event @ ExpertEvent::Done { .. }) => {
                    let released = stream.case();
                    let summary = AnswerSummary { released, ..stream.summary(wants_receipt) };
                    // Set here only, and once, as this is the last event.
                    let _ = set_summary.set(summary);
                    (Ok(event), None)
                }
                Ok(event) => (Ok(event), Some(stream)),
                Err(reason) => (Err(ServiceError::Interrupted { reason }), None),
            })
        }
    });
    AnswerStream { route, expert, events: events.boxed(), summary }
}

impl ResumableStream {
    fn summary(self, wants_receipt: bool) -> AnswerSummary {
        let took_over = self.takeovers().to_vec();
        let environment = self.router.environment.clone();
        let receipts = match wants_receipt {
            true => {
                let now = environment.clock.now();
                vec![self.into_receipt().view(environment.node, environment.mesh, now)]
            }
            false => Vec::new(),
        };
        AnswerSummary { receipts, took_over, ..AnswerSummary::default() }
    }
}

/// The same request with the text that was written already; none where both together are too long to be asked, or the
/// answer is not a text.
pub fn with_prefix(request: &ExpertRequest, prefix: &str) -> Option<ExpertRequest> {
    let mut request = request.clone();
    match &mut request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => {
            sampling.prefix.push_str(prefix);
        }
        _ => return None,
    }
    // `validate` bounds prompt and prefix together, as the expert does: it would refuse a longer request.
    (prefix.len() <= MAX_TEXT && request.validate().is_ok()).then_some(request)
}

#[cfg(test)]
mod tests;
