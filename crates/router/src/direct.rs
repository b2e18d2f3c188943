//! A query to one expert that the caller chose. For validators and the gateways that ask for them, which want the whole
//! answer with its receipt.

use std::{sync::Arc, time::Duration};

use nervure_api::wait_within;
use nervure_primitives::{Amount, Hash};
use nervure_protocol::{
    AnswerBounds, AnswerMeter, ExpertEvent, ExpertRecord, FinishReason, SignedReceipt, Usage,
};
use tokio::time::Instant;

use crate::{
    AnswerReceipt, ReceiptFault, Router,
    attempt::{AttemptSpec, FailureKind},
    collect::CollectedAnswer,
};

/// A query to one expert.
pub struct DirectQuery {
    /// The expert.
    pub record: ExpertRecord,
    /// The encoded request.
    pub body: Arc<[u8]>,
    /// The most that the answer may cost.
    pub budget: Amount,
    /// How long the answer may take, as the expert is told.
    pub timeout: Duration,
    /// The query's name; a random one if there is none.
    pub id: Option<Hash>,
    /// When the caller gives up, which the expert is not told.
    pub until: Instant,
}

/// The whole answer of one expert.
pub struct DirectAnswer {
    /// Its events, without the end.
    pub events: Vec<ExpertEvent>,
    /// Tokens read and written.
    pub usage: Usage,
    /// Why it ended.
    pub reason: FinishReason,
    /// The expert's receipt for it, not verified.
    pub receipt: AnswerReceipt,
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
    /// Asks one expert, and waits for the whole answer.
    ///
    /// # Errors
    /// When the expert is busy, fails, or is not done in time.
    pub async fn ask_directly(&self, query: DirectQuery) -> Result<DirectAnswer, DirectError> {
        let asked_at = Instant::now();
        let DirectQuery { record, body, budget, timeout, id, until } = query;
        let spec = AttemptSpec { id, ..self.attempt_spec(body, budget, asked_at + timeout) };
        let whole = until.saturating_duration_since(asked_at);
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
        let CollectedAnswer { events, usage, reason, receipt, .. } = collected;
        Ok(DirectAnswer { events, usage, reason, receipt, duration: asked_at.elapsed() })
    }

    /// Checks the receipt of an answer to this node.
    ///
    /// # Errors
    /// When there is none, or it is not for this query and this answer.
    pub fn verify(&self, receipt: AnswerReceipt) -> Result<SignedReceipt, ReceiptFault> {
        let environment = &self.environment;
        receipt.verify(environment.node, environment.mesh, environment.clock.now())
    }
}

#[cfg(test)]
mod tests;
