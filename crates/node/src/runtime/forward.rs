//! A gateway's duty: it asks experts validators' questions as it asks those of its users.
//!
//! The miner sees this gateway as the asker, the budget of one of its users' last queries (or the default one, where that is
//! larger), and a question on the connection that users' questions take. The gateway returns the chunks as they came with the miner's receipt, by which
//! the validator sees that neither the question nor the answer was changed.
//!
//! What a hostile node can do: nothing without a validator's permit in the question's subnet. With one: have
//! [`MAX_PER_VALIDATOR`] questions asked at a time, at the rate of the protocol.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use nervure_p2p::{InboundRequest, NetworkHandle, ProtocolSpec};
use nervure_primitives::{Amount, NodeId};
use nervure_protocol::{
    Neurons,
    forward::{ForwardRequest, ForwardResponse},
    protocols::FORWARD,
    query::{ErrorText, body::encode_event},
};
use nervure_router::{DirectError, DirectQuery, Router};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use serde_bytes::ByteBuf;
use tokio::time::Instant;

use super::{
    catalog::ExpertCatalog,
    directory::{ProtocolHandlers, register_concurrent},
    registry::LedgerRegistry,
    traffic::TrafficGossip,
};

/// Questions of one validator in progress at a time: one for each miner of a task.
const MAX_PER_VALIDATOR: usize = 64;

/// Questions of all validators in progress at a time.
const MAX_IN_PROGRESS: usize = 256;

/// Questions of one validator per second.
const PER_VALIDATOR_PER_SECOND: u32 = 40;

/// How long a gateway may take: the longest that a validator waits for an answer, and a margin.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(125);

/// The bounds of the protocol.
pub(crate) fn protocol() -> ProtocolSpec {
    ProtocolSpec {
        timeout: FORWARD_TIMEOUT,
        inbound: MAX_IN_PROGRESS,
        per_peer_per_second: PER_VALIDATOR_PER_SECOND,
        ..ProtocolSpec::of(FORWARD)
    }
}

/// Registers the handler of questions to forward.
pub(crate) fn register(protocols: &mut ProtocolHandlers, forwarder: &Arc<Forwarder>) {
    let forwarder = forwarder.clone();
    register_concurrent(protocols, FORWARD.name, move |request| {
        let forwarder = forwarder.clone();
        async move { forwarder.answer(request).await }
    });
}

/// Questions that were forwarded, by what came of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForwardMetrics(Family<OutcomeLabels, Counter>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl ForwardMetrics {
    /// Registers them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Questions of validators that this gateway was asked to forward: answered, busy, failed or refused";
        registry.register("forwarded_questions", help, self.0.clone());
    }

    fn count(&self, response: &ForwardResponse) {
        let outcome = match response {
            ForwardResponse::Answer { .. } => "answered",
            ForwardResponse::Busy(_) => "busy",
            ForwardResponse::Failed(_) => "failed",
            ForwardResponse::Refused(_) => "refused",
        };
        self.0.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}

/// Forwards validators' questions, once it has a router: on gateways.
pub(crate) struct Forwarder {
    registry: LedgerRegistry,
    catalog: Arc<ExpertCatalog>,
    traffic: Arc<TrafficGossip>,
    /// What this gateway asks with, and the default budget of its users' queries.
    router: OnceLock<(Router, Amount)>,
    in_progress: Mutex<BTreeMap<NodeId, usize>>,
    metrics: ForwardMetrics,
}

impl Forwarder {
    /// One that refuses until it [serves](Self::serve).
    pub(crate) fn new(
        registry: LedgerRegistry,
        catalog: Arc<ExpertCatalog>,
        traffic: Arc<TrafficGossip>,
    ) -> Self {
        let (router, in_progress, metrics) = (OnceLock::new(), Mutex::default(), ForwardMetrics::default());
        Self { registry, catalog, traffic, router, in_progress, metrics }
    }

    /// Begins to forward, with what this gateway asks its users' queries with.
    pub(crate) fn serve(&self, router: Router, budget: Amount) {
        let _ = self.router.set((router, budget));
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &ForwardMetrics {
        &self.metrics
    }

    async fn answer(&self, request: InboundRequest) {
        let response = match self.forward(request.from, &request.data).await {
            Ok(response) => response,
            Err(reason) => ForwardResponse::Refused(ErrorText::from(reason)),
        };
        self.metrics.count(&response);
        if let Ok(bytes) = response.encode() {
            request.respond(bytes).await;
        }
    }

    async fn forward(&self, from: NodeId, data: &[u8]) -> Result<ForwardResponse, &'static str> {
        let (router, budget) = self.router.get().ok_or("this node is no gateway")?;
        let question = ForwardRequest::decode(data).map_err(|_| "this is no question")?;
        if !self.registry.may_validate(&from, question.netuid) {
            return Err("only validators with a permit in the subnet are asked for");
        }
        let _guard = self.enter(from).ok_or("too many questions of this validator are in progress")?;
        let record = self.catalog.record(question.miner, &question.expert);
        let record = record.filter(|record| record.netuid == question.netuid);
        let record = record.ok_or("the expert is not known here")?;
        let timeout = Duration::from_millis(question.deadline_ms.into());
        let query = DirectQuery {
            record,
            body: Arc::from(question.body.into_vec()),
            // A smaller one than usual could be refused, and would show in the validator's scores.
            budget: self.traffic.budget().map_or(*budget, |users| users.max(*budget)),
            timeout,
            id: Some(question.query),
            until: Instant::now() + timeout.min(FORWARD_TIMEOUT),
        };
        Ok(match router.ask_directly(query).await {
            Ok(answer) => {
                // The encoding is canonical: these are the bytes that came.
                let chunks: Result<Vec<ByteBuf>, _> = answer
                    .events
                    .iter()
                    .map(|event| encode_event(event).map(|chunk| ByteBuf::from(chunk.to_vec())))
                    .collect();
                let chunks = chunks.map_err(|_| "the answer cannot be encoded")?;
                if ForwardResponse::is_too_long(&chunks) {
                    return Ok(ForwardResponse::Failed("the answer is too long".into()));
                }
                let receipt = answer.receipt.into_bytes().map(ByteBuf::from);
                ForwardResponse::Answer { chunks, usage: answer.usage, reason: answer.reason, receipt }
            }
            Err(DirectError::Busy(after)) => {
                ForwardResponse::Busy(u32::try_from(after.as_millis()).unwrap_or(u32::MAX))
            }
            Err(DirectError::Failed(reason)) => ForwardResponse::Failed(ErrorText::new(reason)),
        })
    }

    /// Counts a question of `validator` until the guard is dropped; none when it has too many.
    fn enter(&self, validator: NodeId) -> Option<ForwardGuard<'_>> {
        let mut in_progress = self.in_progress.lock();
        let count = in_progress.entry(validator).or_default();
        (*count < MAX_PER_VALIDATOR).then(|| {
            *count += 1;
            ForwardGuard { forwarder: self, validator }
        })
    }
}

/// A question in progress.
struct ForwardGuard<'a> {
    forwarder: &'a Forwarder,
    validator: NodeId,
}

impl Drop for ForwardGuard<'_> {
    fn drop(&mut self) {
        let mut in_progress = self.forwarder.in_progress.lock();
        if let Some(count) = in_progress.get_mut(&self.validator) {
            *count -= 1;
            // No entry without questions: the map is bounded by those in progress.
            if *count == 0 {
                in_progress.remove(&self.validator);
            }
        }
    }
}

/// Asks `gateway` to forward a question. None when it does not answer, or with something else.
pub(crate) async fn ask_through(
    network: &NetworkHandle,
    gateway: NodeId,
    question: &ForwardRequest,
) -> Option<ForwardResponse> {
    let request = question.encode().ok()?;
    match network.request(gateway, FORWARD.name, request).await {
        Ok(bytes) => ForwardResponse::decode(&bytes).ok(),
        Err(error) => {
            tracing::debug!(%gateway, %error, "a gateway forwards no question");
            None
        }
    }
}
