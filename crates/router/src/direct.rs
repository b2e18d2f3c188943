//! A query to one expert that the caller chose. For validators, which want the whole answer with its receipt.

use std::{sync::Arc, time::Duration};

use nervure_api::wait_within;
use nervure_primitives::Amount;
use nervure_protocol::{AnswerBounds, AnswerMeter, ExpertEvent, ExpertRecord, SignedReceipt};
use tokio::time::Instant;

use crate::{ReceiptFault, Router, attempt::FailureKind};

/// The whole answer of one expert.
pub struct DirectAnswer {
    /// Its events, without the end.
    pub events: Vec<ExpertEvent>,
    /// The expert's receipt for it.
    pub receipt: Result<SignedReceipt, ReceiptFault>,
    /// From the query to the end of the answer.
    pub duration: Duration,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectError {
    /// The expert has no room until this much later.
    #[error("the expert is busy for {} ms", .0.as_millis())]
    Busy(Duration),
    /// The expert failed, was late or sent too much.
    #[error("{0}")]
    Failed(String),
}

impl Router {
    /// Asks the expert of `record` the encoded request `body`, which may cost `budget`, and waits for the whole answer,
    /// at most until `deadline`.
    ///
    /// # Errors
    /// When the expert is busy, fails, or is not done in time.
    pub async fn ask_directly(
        &self,
        record: ExpertRecord,
        (body, budget): (Arc<[u8]>, Amount),
        deadline: Instant,
    ) -> Result<DirectAnswer, DirectError> {
        let asked_at = Instant::now();
        let spec = self.attempt_spec(body, budget, deadline);
        let whole = deadline.saturating_duration_since(asked_at);
        let meter = AnswerMeter::new(AnswerBounds { whole, ..AnswerBounds::NONE }, asked_at.into_std());
        let collected = match wait_within(&meter, spec.collect(record)).await {
            Ok(Ok(collected)) => collected,
            Ok(Err(failed)) => {
                return Err(match failed.failure.kind {
                    FailureKind::Busy(after) => DirectError::Busy(after),
                    _ => DirectError::Failed(failed.failure.reason),
                });
            }
            Err(_) => return Err(DirectError::Failed("the deadline passed".into())),
        };
        let environment = &self.environment;
        let now = environment.clock.now();
        let receipt = collected.receipt.verify(environment.node, environment.mesh, now);
        Ok(DirectAnswer { events: collected.events, receipt, duration: asked_at.elapsed() })
    }
}

#[cfg(test)]
mod tests;
