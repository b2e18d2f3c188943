//! The receipt that an answer should end with, and how this node checks it.

use data_encoding::HEXLOWER;
use nervure_primitives::{Hash, MeshId, NodeId, UnixMillis};
use nervure_protocol::{SignedReceipt, request_hash};
use nervure_subnet::task::{Asked, Outstanding, SettleError};

use crate::ExpertQuery;
use nervure_api::ReceiptView;

/// The receipt of one query. Empty until the answer is complete.
pub struct AnswerReceipt {
    asked: Asked,
    /// The hash of the answer as it arrived, and the receipt that came with its end.
    signed: Option<(Hash, Vec<u8>)>,
}

/// Why an answer has no valid receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// None came.
    #[error("the node signed no receipt for its answer")]
    Missing,
    /// It is for another query, or for another answer.
    #[error(transparent)]
    Invalid(#[from] SettleError),
}

impl AnswerReceipt {
    /// For the answer to `query`.
    pub(crate) fn new(query: &ExpertQuery, sent_at: UnixMillis) -> Self {
        let asked = Asked {
            query: query.id,
            netuid: query.record.netuid,
            miner: query.record.node,
            request: request_hash(&query.id, &query.body),
            sent_at,
        };
        Self { asked, signed: None }
    }

    /// The end of the answer came, with or without a receipt.
    pub(crate) fn complete(&mut self, answer: Hash, receipt: Option<Vec<u8>>) {
        self.signed = receipt.map(|receipt| (answer, receipt));
    }

    /// What the API shows of it; `asker` is this node.
    pub(crate) fn view(self, asker: NodeId, mesh: MeshId, now: UnixMillis) -> ReceiptView {
        let Asked { query, netuid, miner: node, .. } = self.asked;
        let receipt = self.signed.as_ref().map(|(_, bytes)| HEXLOWER.encode(bytes));
        let wrong = self.verify(asker, mesh, now).err().map(|fault| fault.to_string());
        ReceiptView { asker, node, netuid, query, receipt, wrong }
    }

    /// The receipt, checked against what was asked and what arrived; `asker` is this node.
    ///
    /// # Errors
    /// When there is none, or it is not for this query and this answer.
    pub fn verify(self, asker: NodeId, mesh: MeshId, now: UnixMillis) -> Result<SignedReceipt, ReceiptFault> {
        let (answer, bytes) = self.signed.ok_or(ReceiptFault::Missing)?;
        let mut outstanding = Outstanding::new(asker, mesh);
        outstanding.ask(self.asked)?;
        Ok(outstanding.settle(&bytes, &answer, now)?)
    }
}

#[cfg(test)]
mod tests;
