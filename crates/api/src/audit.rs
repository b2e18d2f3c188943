//! What a validator's audits found: the documents that prove a mismatch to anyone with the model.
//!
//! `nervure audit show --json` prints [`EvidenceView`], and `nervure audit verify` checks one. Everything beside the
//! request, the answer and the receipt is for readers: the check computes it again.

use std::fmt;

use data_encoding::HEXLOWER;
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, UnixMillis};
use nervure_protocol::{
    AuditCase, ExpertEvent, ExpertRequest, FinishReason, ReceiptError, SignedReceipt, Usage, query::body,
};
use nervure_subnet::audit::{Evidence, Judgement};
use serde::{Deserialize, Serialize};

use crate::ModelIdentityView;

/// An answer that was audited and is not of the model that its receipt names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvidenceView {
    /// Who answered what, and what was found.
    pub summary: AuditView,
    /// The mesh of the receipt.
    pub mesh: MeshId,
    /// The question, in the form of the request of `/ask`.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub request: ExpertRequest,
    /// The answer.
    pub answer: AuditedAnswer,
    /// The miner's signed receipt for both, in hexadecimal.
    pub receipt: String,
}

/// An answer as it was released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditedAnswer {
    /// Its text in one piece, or its vectors or distribution.
    pub events: Vec<ExpertEvent>,
    /// Tokens read and written.
    pub usage: Usage,
    /// Why it ended.
    pub reason: FinishReason,
}

/// The result of one audit, without the question and the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditView {
    /// The name of the query in the receipt, by which it is shown.
    pub query: Hash,
    /// The subnet.
    pub netuid: Netuid,
    /// The node that answered.
    pub miner: NodeId,
    /// The expert's name on that node.
    pub expert: String,
    /// The name of the model.
    pub model: String,
    /// What the miner says about the model.
    pub identity: ModelIdentityView,
    /// The sampling seed; absent for vectors and distributions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// When the miner says that it got the question.
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub received_at: UnixMillis,
    /// When it was audited.
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub audited_at: UnixMillis,
    /// The model of the auditor.
    pub auditor: ModelIdentityView,
    /// What was found.
    pub judgement: Judgement,
}

/// The audits of a validator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditPage {
    /// The mismatches that it keeps, the latest first.
    pub mismatches: Vec<AuditView>,
    /// Audits since it started.
    pub audited: u64,
    /// Answers since it started that it could not repeat: it has no such model, or the request names no seed.
    pub undecided: u64,
}

/// Why a document is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceViewError {
    /// The receipt is not hexadecimal text.
    #[error("its receipt is not hexadecimal text")]
    NotHex,
    /// The receipt is not one of the mesh.
    #[error("its receipt is not valid: {0}")]
    Receipt(#[from] ReceiptError),
    /// The request has no canonical form.
    #[error("its request cannot be encoded: {0}")]
    Request(String),
}

impl EvidenceView {
    /// The document of `evidence`, which was found then.
    ///
    /// # Errors
    /// When its receipt or its request is not valid, which an audit rules out.
    pub fn of(evidence: &Evidence, audited_at: UnixMillis) -> Result<Self, EvidenceViewError> {
        let Evidence { mesh, case, auditor, judgement } = evidence;
        let signed = SignedReceipt::verify(&case.receipt, mesh)?;
        let receipt = signed.receipt();
        let invalid = |error: &dyn fmt::Display| EvidenceViewError::Request(error.to_string());
        let summary = AuditView {
            query: receipt.query,
            netuid: receipt.netuid,
            miner: receipt.miner,
            expert: receipt.expert.clone(),
            model: receipt.model.raw().to_owned(),
            identity: ModelIdentityView::of(&receipt.identity),
            seed: receipt.sampling.and_then(|sampling| sampling.seed),
            received_at: receipt.received_at,
            audited_at,
            auditor: ModelIdentityView::of(auditor),
            judgement: *judgement,
        };
        Ok(Self {
            summary,
            mesh: *mesh,
            request: body::decode_request(&case.body).map_err(|error| invalid(&error))?,
            answer: AuditedAnswer { events: case.events.clone(), usage: case.usage, reason: case.reason },
            receipt: HEXLOWER.encode(&case.receipt),
        })
    }

    /// What it proves, to be checked.
    ///
    /// # Errors
    /// When its receipt is not hexadecimal, or its request cannot be encoded.
    pub fn case(&self) -> Result<AuditCase, EvidenceViewError> {
        let receipt = HEXLOWER.decode(self.receipt.as_bytes()).map_err(|_| EvidenceViewError::NotHex)?;
        let body = body::encode_request(&self.request)
            .map_err(|error| EvidenceViewError::Request(error.to_string()))?;
        let AuditedAnswer { events, usage, reason } = self.answer.clone();
        Ok(AuditCase::new(body, events, (usage, reason), receipt))
    }
}
