//! Receipts that this node signs for its answers. The router verifies those of other nodes.

use std::time::Instant;

use nervure_p2p::query::QueryOpen;
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use nervure_protocol::{
    AnswerHasher, ExpertEvent, ExpertRequest, FinishReason, ModelIdentity, ModelName, Receipt,
    ReceiptSampling, SignedReceipt, Usage, request_hash,
};

use super::clock;

/// Signs for this node's answers.
#[derive(Clone)]
pub(crate) struct ReceiptSigner {
    key: NodeKey,
    mesh: MeshId,
}

/// The receipt of an answer in progress.
pub(crate) struct OpenReceipt {
    netuid: Netuid,
    asker: NodeId,
    query: Hash,
    request: Hash,
    answer: AnswerHasher,
    model: ServedModel,
    sampling: Option<ReceiptSampling>,
    received_at: UnixMillis,
    began: Instant,
}

/// The expert that answers, as its record names it.
#[derive(Clone)]
pub(crate) struct ServedModel {
    /// Its name on this node.
    pub(crate) expert: String,
    /// The name of its model.
    pub(crate) model: ModelName,
    /// What this node says about that model.
    pub(crate) identity: ModelIdentity,
}

impl ReceiptSigner {
    /// Signs as `key` in `mesh`.
    pub(crate) fn new(key: NodeKey, mesh: MeshId) -> Self {
        Self { key, mesh }
    }

    /// The signed receipt of a complete answer.
    pub(crate) fn sign(&self, open: OpenReceipt, usage: Usage, reason: FinishReason) -> Option<Vec<u8>> {
        let ServedModel { expert, model, identity } = open.model;
        let receipt = Receipt {
            netuid: open.netuid,
            asker: open.asker,
            miner: self.key.node_id(),
            query: open.query,
            request: open.request,
            answer: open.answer.finish(usage, reason),
            expert,
            model,
            identity,
            sampling: open.sampling,
            received_at: open.received_at,
            took_ms: u32::try_from(open.began.elapsed().as_millis()).unwrap_or(u32::MAX),
        };
        match SignedReceipt::sign(&self.key, &self.mesh, receipt) {
            Ok(signed) => Some(signed.bytes().to_vec()),
            Err(error) => {
                tracing::debug!(%error, "an answer gets no receipt");
                None
            }
        }
    }
}

impl OpenReceipt {
    /// For a query that has a name; none for others.
    pub(crate) fn of(asker: NodeId, open: &QueryOpen, model: ServedModel) -> Option<Self> {
        let query = open.name?;
        Some(Self {
            netuid: open.netuid,
            asker,
            query,
            request: request_hash(&query, &open.body),
            answer: AnswerHasher::default(),
            model,
            sampling: None,
            received_at: clock::now(),
            began: Instant::now(),
        })
    }

    /// Notes how the request wants its tokens chosen.
    pub(crate) fn asked(&mut self, request: &ExpertRequest) {
        self.sampling = ReceiptSampling::of(request);
    }

    /// Hashes an event that is sent.
    pub(crate) fn event(&mut self, event: &ExpertEvent) {
        self.answer.event(event);
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::Amount;
    use nervure_subnet::task::{PendingQueries, PendingQuery, SettleError};

    use super::*;

    const MESH: MeshId = MeshId::from_bytes([7; 32]);

    fn open(name: Option<Hash>) -> QueryOpen {
        QueryOpen {
            netuid: Netuid(1),
            capability: "text".parse().unwrap(),
            expert: None,
            body: vec![1, 2, 3],
            deadline_ms: 1_000,
            budget: Amount::ZERO,
            name,
            hops: 0,
        }
    }

    fn model() -> ServedModel {
        ServedModel { expert: "rust".into(), model: "m".into(), identity: ModelIdentity::default() }
    }

    #[test]
    fn a_receipt_is_for_one_query_and_its_whole_answer() {
        let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
        let query = Hash::of("query", &[]);
        let asked = PendingQuery {
            query,
            netuid: Netuid(1),
            miner: miner.node_id(),
            request: request_hash(&query, &[1, 2, 3]),
            sent_at: clock::now(),
        };
        let (usage, reason) = (Usage::default(), FinishReason::Stop);
        let text = |text: &str| ExpertEvent::Text(text.into());
        let verified = |arrived: &str| {
            let mut receipt = OpenReceipt::of(asker, &open(Some(query)), model()).unwrap();
            receipt.event(&text("one"));
            let signed = ReceiptSigner::new(miner.clone(), MESH).sign(receipt, usage, reason).unwrap();
            let mut outstanding = PendingQueries::new(asker, MESH);
            outstanding.ask(asked).unwrap();
            let mut answer = AnswerHasher::default();
            answer.event(&text(arrived));
            outstanding.settle(&signed, &answer.finish(usage, reason), clock::now())
        };
        assert_eq!(verified("one").unwrap().receipt().miner, miner.node_id());
        assert_eq!(verified("two"), Err(SettleError::Differs("answer")));
    }

    #[test]
    fn a_query_without_a_name_gets_no_receipt() {
        assert!(OpenReceipt::of(NodeId::from_bytes([1; 32]), &open(None), model()).is_none());
    }
}
