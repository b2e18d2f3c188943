//! Shows answers to a validator, where their user or this node's operator wants it.
//!
//! An answer goes to one validator of the expert's subnet, which is drawn at random among those that are connected: the
//! miner does not know which answers are released, nor to whom. It goes over the connection to that validator and
//! is never gossiped. Releasing never delays an answer, and a failure is only counted: audits are a sample.

use std::sync::Arc;

use futures::StreamExt;
use nervure_api::{AnswerStream, Query};
use nervure_p2p::NetworkHandle;
use nervure_primitives::{MeshId, NodeId};
use nervure_protocol::{
    AuditCase, AuditResponse, ExpertEvent, Neurons, Receipt, SignedReceipt, protocols::AUDIT,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::runtime::{peers, registry::LedgerRegistry};

/// Answers that wait to be released. A full queue drops further ones.
const MAX_QUEUED: usize = 32;

/// Validators that are asked to take one answer: one may be busy, or lack the model.
const MAX_ASKED: usize = 3;

/// Where answers are handed over for release.
#[derive(Clone)]
pub(crate) struct Releaser {
    queue: mpsc::Sender<Arc<AuditCase>>,
    /// The operator's share of all answers, in percent.
    percent: u8,
}

/// Answers on their way to validators.
pub(crate) struct ReleasedAnswers {
    queue: mpsc::Receiver<Arc<AuditCase>>,
    network: NetworkHandle,
    registry: LedgerRegistry,
    mesh: MeshId,
}

impl Releaser {
    /// Releases `percent` of the answers whose user says nothing about it.
    pub(crate) fn new(
        percent: u8,
        network: NetworkHandle,
        registry: LedgerRegistry,
        mesh: MeshId,
    ) -> (Self, ReleasedAnswers) {
        let (sender, queue) = mpsc::channel(MAX_QUEUED);
        (Self { queue: sender, percent }, ReleasedAnswers { queue, network, registry, mesh })
    }

    /// The query with the decision whether its answer is released.
    pub(crate) fn decided(&self, query: Query) -> Query {
        let drawn = || rand::random_ratio(u32::from(self.percent.min(100)), 100);
        Query { release: Some(query.release.unwrap_or_else(drawn)), ..query }
    }

    /// The same answer, which is handed over at its end if it is to be released.
    pub(crate) fn watch(&self, answer: AnswerStream) -> AnswerStream {
        let (releaser, summary) = (self.clone(), answer.summary.clone());
        let events = answer.events.inspect(move |event| {
            if let Ok(ExpertEvent::Done { .. }) = event
                && let Some(case) = summary.get().and_then(|summary| summary.released.clone())
                && releaser.queue.try_send(case).is_err()
            {
                tracing::debug!("too many answers wait to be released: one is not");
            }
        });
        AnswerStream { events: events.boxed(), ..answer }
    }
}

impl ReleasedAnswers {
    /// Sends each to a validator, until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(case)) = stop.run_until_cancelled(self.queue.recv()).await {
            let _ = stop.run_until_cancelled(self.release(&case)).await;
        }
    }

    async fn release(&self, case: &AuditCase) {
        let Ok(signed) = SignedReceipt::verify(&case.receipt, &self.mesh) else {
            return tracing::debug!("an answer without a valid receipt is not released");
        };
        let data = match case.encode() {
            Ok(data) => data,
            Err(error) => return tracing::debug!(%error, "an answer is not released"),
        };
        let validators = self.validators(signed.receipt()).await;
        for validator in validators.into_iter().take(MAX_ASKED) {
            match self.network.request(validator, AUDIT.name, data.clone()).await {
                Ok(response) => match AuditResponse::decode(&response) {
                    Ok(AuditResponse::Taken) => {
                        return tracing::debug!(%validator, query = %signed.receipt().query, "released an answer");
                    }
                    Ok(AuditResponse::Refused { reason }) => {
                        tracing::debug!(%validator, %reason, "a validator does not audit an answer");
                    }
                    Err(error) => tracing::debug!(%validator, %error, "no answer to a release"),
                },
                Err(error) => tracing::debug!(%validator, %error, "an answer was not released"),
            }
        }
    }

    /// The connected validators of the expert's subnet, in random order.
    async fn validators(&self, receipt: &Receipt) -> Vec<NodeId> {
        let registered = peers::registered(&self.network, &[receipt.miner].into()).await;
        registered.into_iter().filter(|node| self.registry.may_validate(node, receipt.netuid)).collect()
    }
}
