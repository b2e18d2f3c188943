//! The receipt that an answer should end with, and how this node checks it.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use nervure_primitives::{Hash, MeshId, NodeId, UnixMillis};
use nervure_protocol::{AuditCase, ExpertEvent, ExpertRecord, Receipt, SignedReceipt, request_hash};
use nervure_subnet::task::{PendingQueries, PendingQuery, SettleError};

use crate::{AnswerEnd, ExpertQuery};
use nervure_api::ReceiptView;

/// The receipt of one query. Empty until the answer is complete.
pub struct AnswerReceipt {
    asked: PendingQuery,
    /// What the expert advertised when it was asked.
    record: ExpertRecord,
    /// The encoded request.
    body: Arc<[u8]>,
    salt: Hash,
    /// The end of the answer, with its receipt and the hash of what arrived.
    end: Option<AnswerEnd>,
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
        let asked = PendingQuery {
            query: query.id,
            netuid: query.record.netuid,
            miner: query.record.node,
            request: request_hash(&query.id, &query.body),
            sent_at,
        };
        let (record, body) = (query.record.clone(), query.body.clone());
        Self { asked, record, body, salt: query.salt, end: None }
    }

    /// Everything that a validator needs to audit the answer; none for an answer without a receipt.
    pub(crate) fn case(&self, events: Vec<ExpertEvent>) -> Option<AuditCase> {
        let AnswerEnd { usage, reason, receipt, .. } = self.end.as_ref()?;
        Some(AuditCase::new(self.body.to_vec(), events, (*usage, *reason), receipt.clone()?))
    }

    /// The end of the answer came, with or without a receipt.
    pub(crate) fn complete(&mut self, end: AnswerEnd) {
        self.end = Some(end);
    }

    /// The receipt as it came, not verified.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        self.end?.receipt
    }

    /// What the API shows of it; `asker` is this node.
    pub(crate) fn view(self, asker: NodeId, mesh: MeshId, now: UnixMillis) -> ReceiptView {
        let (PendingQuery { query, netuid, miner: node, .. }, salt) = (self.asked, self.salt);
        let (end, receipt) = match &self.end {
            Some(AnswerEnd { usage, reason, receipt, .. }) => (Some((*usage, *reason)), receipt.as_deref()),
            None => (None, None),
        };
        let (usage, reason) = (end.map(|(usage, _)| usage), end.map(|(_, reason)| reason));
        let receipt = receipt.map(|bytes| HEXLOWER.encode(bytes));
        let wrong = self.verify(asker, mesh, now).err().map(|fault| fault.to_string());
        ReceiptView { asker, node, netuid, query, salt, usage, reason, receipt, wrong }
    }

    /// The receipt, checked against what was asked and what arrived; `asker` is this node.
    ///
    /// # Errors
    /// When there is none, or it is not for this query and this answer.
    pub fn verify(self, asker: NodeId, mesh: MeshId, now: UnixMillis) -> Result<SignedReceipt, ReceiptFault> {
        let AnswerEnd { answer, receipt, .. } = self.end.ok_or(ReceiptFault::Missing)?;
        let bytes = receipt.ok_or(ReceiptFault::Missing)?;
        let mut outstanding = PendingQueries::new(asker, mesh);
        outstanding.ask(self.asked)?;
        let signed = outstanding.settle(&bytes, &answer, now)?;
        check_expert(&self.record, signed.receipt())?;
        Ok(signed)
    }
}

/// Checks that a receipt is of the expert of `record`. A miner must not advertise one model and sign for another.
///
/// # Errors
/// What the receipt says of its expert that is not what the record says.
pub fn check_expert(record: &ExpertRecord, receipt: &Receipt) -> Result<(), SettleError> {
    let same = [
        ("expert", receipt.expert == record.expert),
        ("model", receipt.model == record.model),
        ("model identity", receipt.identity == record.identity),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(SettleError::Differs(what)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
