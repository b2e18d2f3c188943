//! A question to one expert, for validators: they ask whom they have to, and want the whole answer with its receipt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_experts::ExpertEvent;
use nervure_primitives::Amount;
use nervure_subnet::{ExpertRecord, task::SignedReceipt};

use super::{
    Router,
    attempt::{Attempts, FailureKind},
};
use crate::runtime::receipts::NoReceipt;

/// A whole answer.
pub(crate) struct Whole {
    /// What came, without the end.
    pub events: Vec<ExpertEvent>,
    /// The expert's word on it.
    pub receipt: Result<SignedReceipt, NoReceipt>,
    /// From the question to the end of the answer.
    pub waited: Duration,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum NotWhole {
    /// The expert has no room now.
    Busy(Duration),
    /// It failed, was late or said too much.
    Failed(String),
}

impl Router {
    /// Asks the expert of `record` the encoded question `body` and waits for the whole answer, at most until `until`.
    pub(crate) async fn ask_one(
        &self,
        record: ExpertRecord,
        (body, budget): (Arc<[u8]>, Amount),
        until: Instant,
    ) -> Result<Whole, NotWhole> {
        let began = Instant::now();
        let attempts = self.attempts(body, budget, until);
        let whole = async {
            let whole = attempts.whole(record).await.map_err(|(_, failure)| match failure.kind {
                FailureKind::Busy(after) => NotWhole::Busy(after),
                _ => NotWhole::Failed(failure.reason),
            })?;
            let receipt = whole.receipt.settle(self.own, self.mesh);
            Ok(Whole { events: whole.events, receipt, waited: began.elapsed() })
        };
        match tokio::time::timeout_at(until.into(), whole).await {
            Ok(whole) => whole,
            Err(_) => Err(NotWhole::Failed("the deadline passed".into())),
        }
    }

    /// Attempts at one question.
    pub(super) fn attempts(&self, body: Arc<[u8]>, budget: Amount, until: Instant) -> Attempts {
        Attempts {
            client: self.client.clone(),
            network: self.network.clone(),
            catalog: self.catalog.clone(),
            scope: self.scope,
            body,
            budget,
            until,
            measured: true,
        }
    }
}
