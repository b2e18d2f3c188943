//! Receipts that this node signs for its answers. The router verifies those of other nodes.

use std::time::Instant;

use nervure_p2p::query::QueryOpen;
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use nervure_protocol::{AnswerHasher, Receipt, SignedReceipt, request_hash};

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
    received_at: UnixMillis,
    began: Instant,
}

impl ReceiptSigner {
    /// Signs as `key` in `mesh`.
    pub(crate) fn new(key: NodeKey, mesh: MeshId) -> Self {
        Self { key, mesh }
    }

    /// The signed receipt of a complete answer.
    pub(crate) fn sign(&self, open: OpenReceipt) -> Option<Vec<u8>> {
        let receipt = Receipt {
            netuid: open.netuid,
            asker: open.asker,
            miner: self.key.node_id(),
            query: open.query,
            request: open.request,
            answer: open.answer.finish(),
            received_at: open.received_at,
            took_ms: u32::try_from(open.began.elapsed().as_millis()).unwrap_or(u32::MAX),
        };
        match SignedReceipt::sign(&self.key, &self.mesh, receipt) {
            Ok(signed) => Some(signed.bytes().to_vec()),
            Err(error) => {
                tracing::debug!(%error, "an answer took too long for a receipt");
                None
            }
        }
    }
}

impl OpenReceipt {
    /// For a query that has a name; none for others.
    pub(crate) fn of(asker: NodeId, open: &QueryOpen) -> Option<Self> {
        let query = open.name?;
        Some(Self {
            netuid: open.netuid,
            asker,
            query,
            request: request_hash(&query, &open.body),
            answer: AnswerHasher::default(),
            received_at: clock::now(),
            began: Instant::now(),
        })
    }

    /// Hashes a chunk that is sent.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) {
        self.answer.chunk(chunk);
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
        }
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
        let verified = |arrived: &[u8]| {
            let mut receipt = OpenReceipt::of(asker, &open(Some(query))).unwrap();
            receipt.chunk(b"one");
            let signed = ReceiptSigner::new(miner.clone(), MESH).sign(receipt).unwrap();
            let mut outstanding = PendingQueries::new(asker, MESH);
            outstanding.ask(asked).unwrap();
            let mut answer = AnswerHasher::default();
            answer.chunk(arrived);
            outstanding.settle(&signed, &answer.finish(), clock::now())
        };
        assert_eq!(verified(b"one").unwrap().receipt().miner, miner.node_id());
        assert_eq!(verified(b"two"), Err(SettleError::Differs("answer")));
    }

    #[test]
    fn a_query_without_a_name_gets_no_receipt() {
        assert!(OpenReceipt::of(NodeId::from_bytes([1; 32]), &open(None)).is_none());
    }
}
