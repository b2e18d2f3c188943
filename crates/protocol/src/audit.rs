//! Releasing an answer to a validator, which repeats it with the same model and compares.
//!
//! The asker sends one validator everything that the validator needs to check an answer and its receipt: the request as
//! it travelled, the answer, and the receipt. It travels over the swarm's encrypted connection to that validator and
//! nowhere else. Only a node whose user or operator chose so releases anything.
//!
//! The same bytes are what a validator keeps of a mismatch, and what anyone with the model can check again.
//!
//! # What a hostile peer can do
//! *Send what was never asked*: the receipt names the request and the answer by their hashes, and its miner signed it. A
//! case that does not fit its receipt is refused before a model works on it.
//! *Send much*: [`AUDIT`]'s bound is checked before the case is decoded; a validator works on a bounded number, and takes
//! few from one peer.

use std::fmt::Display;

use nervure_primitives::{
    Hash, MeshId, UntrustedText,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::{
    AnswerHasher, ExpertEvent, ExpertRequest, FinishReason, ReceiptError, ReceiptSampling, SignedReceipt,
    Usage,
    bounds::{MAX_AUDIT, MAX_REFUSAL},
    protocols::AUDIT,
    query::body,
    request_hash,
};

/// A question, its answer, and the receipt for both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCase {
    /// The request as it travelled.
    #[serde(rename = "q", with = "serde_bytes")]
    pub body: Vec<u8>,
    /// The answer without its end; texts that follow each other may be one event.
    #[serde(rename = "a")]
    pub events: Vec<ExpertEvent>,
    /// Tokens read and written.
    #[serde(rename = "u")]
    pub usage: Usage,
    /// Why the answer ended.
    #[serde(rename = "r")]
    pub reason: FinishReason,
    /// The miner's signed receipt.
    #[serde(rename = "s", with = "serde_bytes")]
    pub receipt: Vec<u8>,
}

/// A case whose receipt is for its request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedCase {
    /// The case.
    pub case: AuditCase,
    /// Its request, within the bounds of its fields.
    pub request: ExpertRequest,
    /// Its receipt.
    pub receipt: SignedReceipt,
}

/// Why a case proves nothing about its miner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// Not a valid receipt.
    #[error("the receipt is not valid: {0}")]
    Receipt(#[from] ReceiptError),
    /// The request is malformed or out of bounds.
    #[error("the request is not valid: {0}")]
    Request(String),
    /// The receipt is for something else.
    #[error("the receipt names another {0}")]
    Differs(&'static str),
}

impl AuditCase {
    /// The case with texts that follow each other made one.
    #[must_use]
    pub fn new(
        body: Vec<u8>,
        events: Vec<ExpertEvent>,
        (usage, reason): (Usage, FinishReason),
        receipt: Vec<u8>,
    ) -> Self {
        Self { body, events: joined(events), usage, reason, receipt }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When it is longer than [`MAX_AUDIT`], or has a number without canonical form.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        let bytes = cbor::encode(self)?;
        match bytes.len() {
            actual if actual > MAX_AUDIT => Err(CborError::TooLarge { limit: MAX_AUDIT, actual }),
            _ => Ok(bytes),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_AUDIT))
    }

    /// The text of the answer; none where it has anything else but what the model thought.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let text = |event: &ExpertEvent| match event {
            ExpertEvent::Text(text) => Some(text.clone()),
            ExpertEvent::Fields(fields) if fields.is_reasoning() => Some(String::new()),
            _ => None,
        };
        self.events.iter().map(text).collect()
    }

    /// Checks that a miner of `mesh` signed for this answer to this request.
    ///
    /// # Errors
    /// The first reason why it did not.
    pub fn verify(self, mesh: &MeshId) -> Result<VerifiedCase, CaseError> {
        let receipt = SignedReceipt::verify(&self.receipt, mesh)?;
        let invalid = |error: &dyn Display| CaseError::Request(error.to_string());
        let request = body::decode_request(&self.body).map_err(|error| invalid(&error))?;
        request.validate().map_err(|error| invalid(&error))?;
        let signed = receipt.receipt();
        let same = [
            ("request", signed.request == request_hash(&signed.query, &self.body)),
            ("sampling", signed.sampling == ReceiptSampling::of(&request)),
            ("answer", signed.answer == self.answer()),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(CaseError::Differs(what)),
            None => Ok(VerifiedCase { case: self, request, receipt }),
        }
    }

    fn answer(&self) -> Hash {
        let mut answer = AnswerHasher::default();
        self.events.iter().for_each(|event| answer.event(event));
        answer.finish(self.usage, self.reason)
    }
}

fn joined(events: Vec<ExpertEvent>) -> Vec<ExpertEvent> {
    let mut joined: Vec<ExpertEvent> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(ExpertEvent::Text(text)), ExpertEvent::Text(more)) => text.push_str(&more),
            (_, event) => joined.push(event),
        }
    }
    joined
}

/// The response of [`AUDIT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuditResponse {
    /// It will be audited. What comes of it is not said: the asker need not be trusted with it.
    Taken,
    /// It will not.
    Refused {
        /// Why not.
        reason: UntrustedText<MAX_REFUSAL>,
    },
}

impl AuditResponse {
    /// A refusal with a reason, which is cut where it is too long.
    pub fn refused(reason: impl Display) -> Self {
        Self::Refused { reason: UntrustedText::new(reason) }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(AUDIT.max_response))
    }
}

#[cfg(test)]
mod tests;
