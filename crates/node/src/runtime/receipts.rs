//! Receipts: what this node signs for its answers, and how it checks what others sign for theirs.

use std::time::Instant;

use data_encoding::HEXLOWER;
use nervure_p2p::query::QueryOpen;
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use nervure_subnet::task::{
    AnswerHasher, PendingQueries, PendingQuery, Receipt, SettleError, SignedReceipt, request_hash,
};
use rand::Rng;

use super::clock;
use crate::service::ReceiptView;

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

/// A question of this node with a name, and the receipt that its answer should end with.
pub(crate) struct AwaitedReceipt {
    asked: PendingQuery,
    answer: AnswerHasher,
    came: Option<Vec<u8>>,
}

/// Why an answer has no good receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoReceipt {
    /// None came.
    #[error("the node signed no receipt for its answer")]
    None,
    /// It is not for this question, or not for this answer.
    #[error(transparent)]
    Wrong(#[from] SettleError),
}

/// A name that no other question has.
pub(crate) fn new_name() -> Hash {
    Hash::from_bytes(rand::rng().random())
}

impl AwaitedReceipt {
    /// Of a question with the name `query` to `miner`.
    pub(crate) fn new(miner: NodeId, netuid: Netuid, (query, body): (Hash, &[u8])) -> Self {
        let request = request_hash(&query, body);
        let asked = PendingQuery { query, netuid, miner, request, sent_at: clock::now() };
        Self { asked, answer: AnswerHasher::default(), came: None }
    }

    /// A piece of the answer came.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) {
        self.answer.chunk(chunk);
    }

    /// The answer's end came, with a receipt or without one.
    pub(crate) fn end(&mut self, receipt: Option<Vec<u8>>) {
        self.came = receipt;
    }

    /// What whoever asked this node is shown of it.
    pub(crate) fn view(self, asker: NodeId, mesh: MeshId) -> ReceiptView {
        let PendingQuery { query, netuid, miner: node, .. } = self.asked;
        let receipt = self.came.as_deref().map(|bytes| HEXLOWER.encode(bytes));
        let wrong = self.settle(asker, mesh).err().map(|error| error.to_string());
        ReceiptView { asker, node, netuid, query, receipt, wrong }
    }

    /// The receipt, checked against what was asked and what came; `asker` is this node.
    pub(crate) fn settle(self, asker: NodeId, mesh: MeshId) -> Result<SignedReceipt, NoReceipt> {
        let bytes = self.came.ok_or(NoReceipt::None)?;
        let mut outstanding = PendingQueries::new(asker, mesh);
        outstanding.ask(self.asked)?;
        Ok(outstanding.settle(&bytes, &self.answer.finish(), clock::now())?)
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::Amount;

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
    fn a_receipt_is_for_one_question_and_its_whole_answer() {
        let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
        let answered = |chunks: &[&[u8]]| {
            let name = new_name();
            let mut theirs = OpenReceipt::of(asker, &open(Some(name))).unwrap();
            let mut ours = AwaitedReceipt::new(miner.node_id(), Netuid(1), (name, &[1, 2, 3]));
            theirs.chunk(b"one");
            chunks.iter().for_each(|chunk| ours.chunk(chunk));
            ours.end(ReceiptSigner::new(miner.clone(), MESH).sign(theirs));
            ours.settle(asker, MESH)
        };
        assert_eq!(answered(&[b"one"]).unwrap().receipt().miner, miner.node_id());
        assert_eq!(answered(&[b"two"]), Err(NoReceipt::Wrong(SettleError::Differs("answer"))));
        assert!(OpenReceipt::of(asker, &open(None)).is_none(), "nobody asked for one");
        let unsigned = AwaitedReceipt::new(miner.node_id(), Netuid(1), (new_name(), &[]));
        assert_eq!(unsigned.settle(asker, MESH), Err(NoReceipt::None));
    }
}
