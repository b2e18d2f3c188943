//! The router: takes a query, and gives an answer that has started.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use nervure_primitives::Amount;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use crate::{Environment, RouterMetrics, attempt::AttemptSpec, body::RequestBody, span};
use nervure_api::{AnswerStream, Query, ServiceError, Strategy, ask_within_bounds};

/// How long an expert may be silent within a text before a successor is looked for.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long experts are asked again after all of them have failed.
pub(crate) const RETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before they are asked again.
pub(crate) const RETRY_DELAY: Duration = Duration::from_millis(250);

/// How long a query waits for room when every expert is busy, before the asker is told so.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Takeovers within one answer.
pub(crate) const MAX_TAKEOVERS: usize = 8;

/// Routes queries to experts. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    pub(crate) environment: Arc<Environment>,
    pub(crate) limits: Limits,
    pub(crate) metrics: RouterMetrics,
}

/// The bounds of retrying and resuming. Only tests use others than the default ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) stall_timeout: Duration,
    pub(crate) retry_timeout: Duration,
    pub(crate) retry_delay: Duration,
    pub(crate) busy_timeout: Duration,
    pub(crate) max_takeovers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stall_timeout: STALL_TIMEOUT,
            retry_timeout: RETRY_TIMEOUT,
            retry_delay: RETRY_DELAY,
            busy_timeout: BUSY_TIMEOUT,
            max_takeovers: MAX_TAKEOVERS,
        }
    }
}

impl Router {
    /// A router for the node that `environment` describes.
    pub fn new(environment: Environment) -> Self {
        let (limits, metrics) = (Limits::default(), RouterMetrics::default());
        Self { environment: Arc::new(environment), limits, metrics }
    }

    /// What it counts.
    pub fn metrics(&self) -> &RouterMetrics {
        &self.metrics
    }

    /// Asks within the query's bounds, and returns once an expert has started to answer. Dropping the future or the
    /// answer frees every expert that works on it.
    ///
    /// # Errors
    /// When no expert can be asked, all fail, or the deadline passes.
    pub async fn ask(&self, query: Query) -> Result<AnswerStream, ServiceError> {
        ask_within_bounds(query, |query| self.start(query)).await
    }

    /// Asks without the query's bounds, for a caller that enforces them itself with [`ask_within_bounds`], together with
    /// what it does besides. The experts are told the deadline.
    ///
    /// # Errors
    /// When no expert can be asked, or all fail.
    pub async fn start(&self, query: Query) -> Result<AnswerStream, ServiceError> {
        let span = span::of_query(&query, self.environment.entropy.bits());
        match self.route(query).instrument(span.clone()).await {
            Ok(answer) => Ok(AnswerStream { events: span::within(span, answer.events), ..answer }),
            Err(error) => {
                span::failed(&span, &error);
                Err(error)
            }
        }
    }

    async fn route(&self, query: Query) -> Result<AnswerStream, ServiceError> {
        let now = Instant::now();
        let (deadline, give_up) = (now + query.deadline, now + self.limits.busy_timeout);
        loop {
            let started = match query.strategy {
                Strategy::Best | Strategy::Hedge | Strategy::Race(_) => {
                    self.ask_with_failover(&query, deadline).boxed()
                }
                Strategy::Vote(_) | Strategy::Average(_) => self.ask_ensemble(&query, deadline).boxed(),
                Strategy::Mix(_) => self.ask_mixture(&query, deadline).boxed(),
            };
            let error = match started.await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Validators' tasks and other users' queries take all places for moments: a short wait here spares the
            // user an error and the expert a new connection. A long wait is the asker's to decide.
            let ServiceError::Busy { retry_after } = error else { return Err(error) };
            let pause = self.with_jitter(retry_after.max(self.limits.retry_delay));
            if Instant::now() + pause > give_up {
                return Err(error);
            }
            self.metrics.retries.inc();
            sleep(pause).await;
        }
    }

    /// `pause`, and up to a quarter of it more: queries that were refused together do not come back together.
    fn with_jitter(&self, pause: Duration) -> Duration {
        let share = u32::try_from(self.environment.entropy.bits() % 256).unwrap_or_default();
        pause + pause * share / 1024
    }

    /// What all attempts at one request have in common.
    pub(crate) fn attempt_spec(
        &self,
        body: impl Into<RequestBody>,
        budget: Amount,
        deadline: Instant,
    ) -> AttemptSpec {
        let (environment, metrics) = (self.environment.clone(), self.metrics.clone());
        let body = body.into();
        AttemptSpec {
            environment,
            metrics,
            body,
            nonce: None,
            budget,
            deadline,
            hops: 0,
            records_latency: true,
            id: None,
        }
    }
}

#[cfg(test)]
mod tests;
