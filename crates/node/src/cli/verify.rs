//! `ask --verify`: checks that the expert signed the answer that was printed.
//!
//! The node that asked sends the receipt, and the salt that makes the query's name of this program's nonce. This program
//! knows the other contents of the receipt itself: the nonce, the request that it sent, and the answer as it arrived. So
//! the node cannot substitute another answer or another expert, nor show an old answer with the receipt of then. After a
//! vote, the receipt is that of the expert whose answer was printed; the others signed answers that were not printed.
//!
//! Where the user names no sampling seed, the asking node draws one. The receipt says which, and the request with that
//! seed is what the expert has to have signed for.

use anyhow::Context;
use data_encoding::HEXLOWER;
use nervure_api::{AskLine, ExpertView, ModelIdentityView, ReceiptView};
use nervure_primitives::{Hash, MeshId};
use nervure_protocol::{
    AnswerFields, AnswerHasher, ExpertEvent, ExpertRequest, FinishReason, Receipt, ReceiptError,
    ReceiptSampling, SignedReceipt, query::body, query_name, request_hash,
};
use nervure_router::with_prefix;

/// Why a receipt does not verify an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReceiptCheckError {
    /// There is no receipt.
    #[error("the expert signed no receipt for this answer")]
    Missing,
    /// It is not hexadecimal.
    #[error("the receipt is not hexadecimal text")]
    NotHex,
    /// It is malformed or its signature is wrong.
    #[error("the receipt is not valid: {0}")]
    Bad(#[from] ReceiptError),
    /// It is for another query.
    #[error("the receipt names another {0} than the answer")]
    Differs(&'static str),
}

/// The receipt in a document, with its signature verified.
pub(crate) fn signed_receipt(shown: &ReceiptView, mesh: &MeshId) -> Result<SignedReceipt, ReceiptCheckError> {
    let text = shown.receipt.as_ref().ok_or(ReceiptCheckError::Missing)?;
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ReceiptCheckError::NotHex)?;
    Ok(SignedReceipt::verify(&bytes, mesh)?)
}

/// A request and its answer, as this program saw them.
pub(crate) struct Witness {
    mesh: MeshId,
    request: ExpertRequest,
    nonce: Hash,
    expert: Option<ExpertView>,
    /// The text, and everything else.
    text: String,
    others: Vec<ExpertEvent>,
    end: Option<FinishReason>,
    /// Offset in the text, in bytes, and among everything else, from which another expert answered.
    from: u64,
    others_from: u64,
    receipt: Option<ReceiptView>,
}

impl Witness {
    /// For a request in `mesh` with this nonce.
    pub(crate) fn new(mesh: Option<MeshId>, request: &ExpertRequest, nonce: Hash) -> anyhow::Result<Self> {
        let mesh =
            mesh.context("the node does not say which mesh it is in: name its directory with --dir")?;
        let (request, text, others) = (request.clone(), String::new(), Vec::new());
        Ok(Self {
            mesh,
            request,
            nonce,
            expert: None,
            text,
            others,
            end: None,
            from: 0,
            others_from: 0,
            receipt: None,
        })
    }

    /// Records a line of the answer.
    pub(crate) fn record(&mut self, line: &AskLine) {
        match line {
            AskLine::Route { expert, .. } => self.expert = Some(expert.clone()),
            AskLine::Receipt { receipt } => {
                self.receipt.get_or_insert_with(|| receipt.clone());
            }
            AskLine::Takeover { takeover } => {
                self.expert = Some(takeover.expert.clone());
                (self.from, self.others_from) = (takeover.at, takeover.fields);
            }
            AskLine::Text { text } => self.text.push_str(text),
            AskLine::Embedding { index, vector } => {
                self.others.push(ExpertEvent::Embedding { index: *index, vector: vector.clone() });
            }
            AskLine::Distribution { probabilities } => {
                self.others.push(ExpertEvent::Distribution(probabilities.clone()));
            }
            AskLine::Fields { fields } => {
                // The node has read them in this form; others give another hash than the receipt's.
                self.others.extend(AnswerFields::new(fields).ok().map(ExpertEvent::Fields));
            }
            AskLine::Done { reason, .. } => self.end = Some(*reason),
            AskLine::Mixed { .. } | AskLine::Error { .. } => {}
        }
    }

    /// The request that the expert whose receipt this is was asked: with the text of those before it, and with the seed
    /// that the asking node drew where the user named none.
    fn asked(&self, receipt: &Receipt) -> Option<ExpertRequest> {
        let prefix = usize::try_from(self.from).ok().and_then(|from| self.text.get(..from))?;
        let asked = match prefix {
            "" => self.request.clone(),
            prefix => with_prefix(&self.request, prefix)?,
        };
        Some(match receipt.sampling.and_then(|sampling| sampling.seed) {
            Some(seed) => asked.with_seed(seed),
            None => asked,
        })
    }

    /// The hash of the part of the answer that the receipt is for.
    fn answer(&self, shown: &ReceiptView) -> Option<Hash> {
        let mut answer = AnswerHasher::default();
        let text = usize::try_from(self.from).ok().and_then(|from| self.text.get(from..))?;
        answer.event(&ExpertEvent::Text(text.to_owned()));
        let others = usize::try_from(self.others_from).ok().and_then(|from| self.others.get(from..))?;
        others.iter().for_each(|event| answer.event(event));
        // What the expert read and wrote is only known from the node; a wrong number gives another hash.
        Some(answer.finish(shown.usage?, self.end?))
    }

    /// Checks the receipt, and returns it with the offset in the text from which it holds.
    pub(crate) fn verify(self) -> Result<(SignedReceipt, u64), ReceiptCheckError> {
        let shown = self.receipt.as_ref().ok_or(ReceiptCheckError::Missing)?;
        let signed = signed_receipt(shown, &self.mesh)?;
        let receipt = signed.receipt();
        let expert = self.expert.as_ref();
        let asked = self.asked(receipt);
        let body = asked.as_ref().and_then(|asked| body::encode_request(asked).ok());
        let same = [
            ("expert", expert.is_some_and(|e| e.node == receipt.miner && e.expert == receipt.expert)),
            ("model", expert.is_some_and(|e| receipt.model == *e.model)),
            (
                "model identity",
                expert.is_some_and(|e| ModelIdentityView::of(&receipt.identity) == e.identity),
            ),
            ("subnet", expert.is_some_and(|e| e.netuid == receipt.netuid)),
            ("asker", receipt.asker == shown.asker),
            ("nonce", receipt.query == query_name(Some(&self.nonce), &shown.salt)),
            ("sampling", asked.as_ref().is_some_and(|asked| ReceiptSampling::of(asked) == receipt.sampling)),
            ("question", body.is_some_and(|body| receipt.request == request_hash(&receipt.query, &body))),
            ("answer", self.answer(shown) == Some(receipt.answer)),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(ReceiptCheckError::Differs(what)),
            None => Ok((signed, self.from)),
        }
    }
}

#[cfg(test)]
mod tests;
