//! Receipts: what this node signs for its answers, and what it makes of others'.

use std::time::Instant;

use nervure_p2p::query::QueryOpen;
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use nervure_subnet::task::{AnswerHasher, Receipt, SignedReceipt, request_hash};

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

    /// The signed receipt of an answer that is whole.
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
    /// For a question that has a name.
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

    /// A chunk goes out.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) {
        self.answer.chunk(chunk);
    }
}
